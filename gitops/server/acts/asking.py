"""From a request to a call: who asks, by which id, and the writer that takes it up."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace
from starlette.requests import Request

from gitops.actions.context.named import Named, rows_named
from gitops.core.environments.environment import Environment
from gitops.errors import Denied, GitopsError, NotFound, TryAgain, UsageError
from gitops.server.acts.orders import AskedFor
from gitops.server.acts.requests import DeployBody, Run
from gitops.server.acts.rights import acts_of, by_right, check_named
from gitops.server.identity.person import Person, Unproved
from gitops.server.identity.rights import wants_fresh
from gitops.server.writer.order import LOOK, Call, CallOrder, Outcome

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.core.report import WriteReport
    from gitops.server.service import Service

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{7,63}")


def require_person(request: Request) -> Person:
    """Return who asks. Raises Unproved where nobody knows."""
    found = getattr(request.state, "person", None)
    if not isinstance(found, Person):
        raise Unproved("nobody is signed in", hint="sign in, or send a token")
    return found


def check_acts(service: Service) -> None:
    """Raise Denied where nobody acts."""
    if service.settings.read_only:
        raise Denied("this server only shows", hint="it was started with --read-only")


def id_of(text: str | None) -> str | None:
    """Return the id that a caller gave, None without one. Raises UsageError for what is none."""
    if text is None:
        return None
    if _ID.fullmatch(text) is None:
        raise UsageError("an Idempotency-Key has 8 to 64 letters, digits and dashes")
    return text


async def take_up(service: Service, asked: AskedFor, run: Run | None = None) -> Call:
    """Hand it to the writer. Raises Denied, UsageError, KeyReused, Unavailable.

    `run`: what is run in place of the plain verb, once the right was asked for.
    """
    check_acts(service)
    asked = await _known_now(service, _of_job(asked))
    if (config := service.policy()) is not None:
        check_named(config, asked)  # a plain no needs no turn; what counts is asked at the tip
    order = asked.order(_telling(asked.notes, by_right(asked, run)))
    if service.desk.writer is not None:
        call = service.desk.submit(order)  # takes no thread, so none is waited for
    else:
        call = await service.workers.run(service.desk.submit, order)
    if not asked.body.dry_run:
        call.when_done(service.board.wake)  # whoever looks next sees what came of it
    return call


def _telling(notes: tuple[str, ...], run: Run) -> Run:
    """Return the same, with what was found out of the person among the warnings."""
    if not notes:
        return run

    def told(session: Session) -> WriteReport:
        report = run(session)
        return replace(report, warnings=(*report.warnings, *notes))

    return told


def _of_job(asked: AskedFor) -> AskedFor:
    """What a job's token proves of its source branch and commit counts, and nothing beside it."""
    person, body = asked.person, asked.body
    if person.via != "job" or not isinstance(body, DeployBody):
        return asked
    for what, said, proved in (
        ("ref", body.ref, person.branch),
        ("commit", body.commit, person.commit),
    ):
        if said is not None and said != proved:
            raise Denied(f"the token of {person.id} is not of the {what} {said}")
    commit = person.commit if person.branch is not None else None
    return replace(asked, body=replace(body, ref=person.branch, commit=commit))


async def _known_now(service: Service, asked: AskedFor) -> AskedFor:
    """Ask the sign-in service again where that matters, once; a cookie may be hours old."""
    pairs = [(act, row) for act in acts_of(asked) for row in _rows(service, asked)]
    wanted = [(act, row) for act, row in pairs if wants_fresh(act, row)]
    if not wanted:
        return asked
    # A rollback goes on where the service is away; what is asked for beside it does not.
    act, row = max(wanted, key=lambda one: one[0] != "rollback")
    person, note = await service.identity.ask_again(asked.person, act, row)
    return replace(asked, person=person, notes=(note,) if note is not None else ())


async def notes_on(service: Service, asked: AskedFor) -> tuple[str, ...]:
    """Return what a press would find out of the person, in words; () where that is nothing."""
    try:
        return (await _known_now(service, asked)).notes
    except (Unproved, TryAgain) as error:
        return (f"{error.message}: {error.hint}" if error.hint else error.message,)


def _rows(service: Service, asked: AskedFor) -> tuple[Environment, ...]:
    config = service.policy()
    if config is None:
        return ()
    try:
        return tuple(one.row for one in rows_named(config, Named(asked.words)))
    except GitopsError:
        return ()  # the tip says what is wrong with the name


async def find_call(
    service: Service, request: Request, name: str, called: str = "a call"
) -> tuple[Call, bool]:
    """Return a call by its id, and whether it is known here: of any other Git is asked."""

    def unknown(session: Session) -> WriteReport:
        raise NotFound(f"nobody knows {called} {session.intent}: nothing of it is in Git")

    call = service.desk.find(name)
    if call is not None:
        return call, True
    order = CallOrder(name, LOOK, "", unknown, caller=require_person(request).id)
    return await service.workers.run(service.desk.look, order), False


async def wait_for(call: Call, seconds: float) -> Outcome | None:
    """Wait for a call on the event loop, at most so long; None where it goes on."""
    done, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop is over: nobody waits any more
            loop.call_soon_threadsafe(done.set)

    call.when_done(tell)
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), seconds)
    return call.outcome
