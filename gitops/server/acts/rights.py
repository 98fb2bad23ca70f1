"""Rights asked again where it counts: by the policy of the very tip that a call is planned on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from gitops.actions.context.named import Named, rows_named
from gitops.actions.context.session import Session, Tip
from gitops.actions.pull_requests.decide import ApprovalPreview
from gitops.core.environments.environment import Config, Overlay
from gitops.core.report import WriteReport
from gitops.errors import Refused
from gitops.server.acts.orders import AskedFor
from gitops.server.acts.requests import EVERYTHING, ApproveBody, Run
from gitops.server.identity.rights import guarded, require


def by_right(asked: AskedFor, run: Run | None = None) -> Run:
    """Return what does it, once the tip's own policy says that the person may.

    `run` is what is asked for where it is more than the verb. Raises UsageError for what makes no
    sense whatever the tip says. What runs raises Denied.
    """
    plain = asked.run()
    if asked.person.via == "loopback":
        return run or plain
    if run is None and isinstance(asked.body, ApproveBody):
        run = approving(asked, asked.body)
    act = run or plain

    def before(_session: Session, tip: Tip, overlays: Sequence[Overlay]) -> None:
        _check(tip.config, asked, [(one.environment.name, one.app) for one in overlays])

    def checked(session: Session) -> WriteReport:
        load = guarded(session.load_config, lambda config: check_named(config, asked))
        return act(replace(session, load_config=load, before_write=before))

    return checked


def check_named(config: Config, asked: AskedFor) -> None:
    """Raise Denied unless the person may do it wherever it is asked for; NotFound for no place."""
    if asked.person.via == "loopback":
        return
    if asked.words == (EVERYTHING,):
        places: list[tuple[str, str | None]] = [(row.name, None) for row in config.environments]
    else:
        rows = rows_named(config, Named(asked.words, asked.body.apps))
        places = [(one.row.name, app) for one in rows for app in one.apps or (None,)]
    _check(config, asked, places)


def acts_of(asked: AskedFor) -> tuple[str, ...]:
    """Return what it needs rights for: the verb, and to pass policy where it would."""
    passes = getattr(asked.body, "override", None) is not None
    return (asked.verb, *(["override"] if passes else []))


def _check(config: Config, asked: AskedFor, places: Iterable[tuple[str, str | None]]) -> None:
    images = asked.body.images_meant()
    for environment, app in places:
        for act in acts_of(asked):
            require(config, asked.person, act, environment, app, images)


def approving(asked: AskedFor, body: ApproveBody) -> Run:
    """Return the approval of somebody who is no author of any of it, whatever gitops.yaml says."""
    from gitops.actions.approve import ApproveRequest, approve

    request = ApproveRequest(
        body.named(asked.environment),
        head=body.head,
        override=body.override,
        update=body.update,
        reviews=asked.person.via != "loopback",
    )

    def confirm(preview: ApprovalPreview) -> bool:
        authors = {author.email.casefold() for author in preview.authors}
        if asked.person.via != "loopback" and not asked.person.addresses.isdisjoint(authors):
            raise Refused(
                f"{preview.label}: an author never approves their own change",
                hint="somebody else must approve it",
            )
        return True

    def run(session: Session) -> WriteReport:
        seen = replace(session, dry_run=True) if body.dry_run else session
        return approve(seen, request, confirm=confirm)

    return run
