"""Deploys the newest pushed images by `tags:` of gitops.yaml: looks when woken, and by itself.

Whoever pushed says nothing here: a hook only wakes. Every replica looks, and each deploy has the
same id on all of them. docs/decisions/0168
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.images_update import Updated, carry_out
from gitops.actions.pushed.look import (
    Ask,
    ImageUpdate,
    LookedFor,
    TagFinding,
    look_for_updates,
)
from gitops.actions.pushed.tags import TagMemory
from gitops.core.alerts.verification import ON_BEHALF
from gitops.core.environments.environment import Config, Overlay
from gitops.core.git.commit import Identity
from gitops.core.images.name import ImageName
from gitops.errors import GitopsError, TimedOut, TryAgain
from gitops.server.identity.person import Person
from gitops.server.identity.rights import may, require
from gitops.server.polling import Poller, due_after
from gitops.server.writer.order import CallOrder

if TYPE_CHECKING:
    from gitops.actions.context.plan import Plan
    from gitops.actions.context.session import Session, Tip
    from gitops.actions.index.state import IndexState
    from gitops.core.report import WriteReport
    from gitops.server.writer.order import Call

INTERVAL: Final = 120.0
"""Seconds between two looks that nobody asked for."""

REGISTRY_EMAIL: Final = "registry@gitops.invalid"
"""The address of who commits for a registry (RFC 2606)."""

_AT_MOST_EVERY: Final = 1.0  # seconds, however often it is woken
_UNSEEN: Final = 0.5  # seconds until it is asked again whether Git has been read
_PATIENCE: Final = 60.0  # seconds that a deploy is waited for
_TRIED: Final = 300.0  # seconds for which the same deploy on the same commits need not be tried

_log = logging.getLogger("gitops.server")


class PushedImage(Struct, frozen=True):
    """What was found for one image of one overlay, and what came of it; "" where nothing did."""

    finding: TagFinding
    told: str = ""


class PushedImages(Struct, frozen=True):
    """What one look found.

    Attributes:
        problems: image -> why nothing can be said of it.
    """

    at: datetime
    images: tuple[PushedImage, ...]
    problems: Mapping[str, str]


class _Tried(Struct, frozen=True):
    done: Updated
    tips: frozenset[tuple[str, str]]
    at: float


class ImageUpdater(Poller):
    """One thread; everything else here may be called from any.

    Args:
        lend: lends the session of one call.
        submit: hands a call to the writer.
        seen: what the server has read of Git already.
        ask: asks registries.
        changed: called when something else than before was found.
        every: seconds between two looks.

    Attributes:
        looks: how often it looked.
        outcomes: what came of deploys: committed, proposed, unchanged, failed -> how often.
    """

    def __init__(
        self,
        lend: Callable[[], AbstractContextManager[Session]],
        submit: Callable[[CallOrder], Call],
        seen: Callable[[], IndexState | None],
        ask: Ask,
        changed: Callable[[], None] = lambda: None,
        *,
        every: float = INTERVAL,
    ) -> None:
        super().__init__("gitops-images")
        self._lend = lend
        self._submit = submit
        self._seen = seen
        self._ask = ask
        self._changed = changed
        self._every = every
        self._memory = TagMemory()
        self._tried: dict[str, _Tried] = {}
        self._known: PushedImages | None = None
        self._trouble: str | None = None
        self.looks = 0
        self.outcomes: Counter[str] = Counter()

    @property
    def known(self) -> PushedImages | None:
        """What was found last; None: nothing is deployed when it is pushed, or not looked for."""
        return self._known

    @property
    def trouble(self) -> str | None:
        """Why the last look came to nothing."""
        return self._trouble

    def _keep(self) -> None:
        while not self._stopping:
            begun = time.monotonic()
            state = self._seen()
            if state is None:
                self._wake.wait(_UNSEEN)
                continue
            self._wake.clear()
            if any(rule.on_push for rule in state.config.tag_rules.values()):
                self._once(state)
            else:
                self._known = None
            self._rest(due_after(begun, self._every), begun + _AT_MOST_EVERY)

    def _once(self, state: IndexState) -> None:
        self.looks += 1
        try:
            with self._lend() as session:
                looked = look_for_updates(
                    session, self._memory, earlier=state, ask=self._ask, may=_may
                )
            done = list(self._deploy(looked))
        except GitopsError as error:
            self._fail(error.message)
        except Exception:  # noqa: BLE001 - one bad look must not end all others
            _log.exception("pushed images cannot be looked for")
            self._fail("a bug in gitops; see the server's log")
        else:
            self._trouble = None
            self._tell(looked, done)

    def _fail(self, trouble: str) -> None:
        if self._trouble != trouble:
            _log.warning("pushed images cannot be looked for: %s", trouble)
        self._trouble = trouble

    def _deploy(self, looked: LookedFor) -> Iterator[Updated]:
        """Hand all deploys to the writer, and wait for them; yield what came of each."""
        tips = frozenset(looked.state.tips.items())
        tried = {
            one.intent: self._tried[one.intent]
            for one in looked.updates
            if one.intent in self._tried
        }
        self._tried = tried
        calls: list[tuple[ImageUpdate, Call | GitopsError]] = []
        for update in looked.updates:
            known = tried.get(update.intent)
            if known is not None and _need_not(known, tips):
                yield known.done
            else:
                calls.append((update, self._begin(update)))
        for update, call in calls:
            done = self._end(update, call)
            if done.error is None or not isinstance(done.error, TryAgain):
                tried[update.intent] = _Tried(done, tips, time.monotonic())
            yield done

    def _begin(self, update: ImageUpdate) -> Call | GitopsError:
        try:
            return self._submit(order_of(update))
        except GitopsError as error:
            return error

    def _end(self, update: ImageUpdate, call: Call | GitopsError) -> Updated:
        if isinstance(call, GitopsError):
            done = Updated(update, error=call)
        else:
            outcome = call.wait(_PATIENCE)
            if outcome is None:
                done = Updated(update, error=TimedOut("the deploy is not through yet"))
            elif outcome.report is not None:
                done = Updated(update, outcome.report)
            else:
                done = Updated(update, error=outcome.error)
        self.outcomes[done.report.outcome if done.report is not None else "failed"] += 1
        return done

    def _tell(self, looked: LookedFor, done: list[Updated]) -> None:
        before = self._known
        told = {
            (one.update.image, one.update.tag.tag, label): one.told_of(label)
            for one in done
            for label in one.update.expected
        }
        images = tuple(
            PushedImage(
                one,
                told.get((one.image, one.found.tag, one.overlay.label), "") if one.found else "",
            )
            for one in looked.findings
        )
        problems = {
            image: f"{error.message}: {error.hint}" if error.hint else error.message
            for image, error in looked.problems.items()
        }
        self._known = PushedImages(datetime.now(UTC), images, problems)
        if before is None or (before.images, before.problems) != (images, problems):
            self._log(before, self._known)
            self._changed()

    def _log(self, before: PushedImages | None, now: PushedImages) -> None:
        """Say what is not as it was."""
        old = set(before.images) if before is not None else set()
        for one in now.images:
            found = one.finding
            if one in old or found.is_current or not (one.told or found.why):
                continue
            what = f"{found.image}:{found.found.tag}" if found.found is not None else found.image
            _log.info("%s in %s: %s", what, found.overlay.label, one.told or found.why)
        for image, why in now.problems.items():
            if before is None or before.problems.get(image) != why:
                _log.warning("pushed tags of %s: %s", image, why)


def person_of(host: str) -> Person:
    """Return who a registry is: what is pushed there is deployed in its name."""
    name = f"{ON_BEHALF}{host}"
    return Person(f"registry:{host}", name, REGISTRY_EMAIL, via="registry")


def order_of(update: ImageUpdate) -> CallOrder:
    """Return the call: the deploy of CI, by the right of the registry on the tip it lands on."""
    person = person_of(update.name.host)

    def before(_session: Session, tip: Tip, plan: Plan) -> None:
        for overlay in plan.touched:
            row = overlay.environment.name
            require(tip.config, person, "deploy", row, overlay.app, (update.image,))

    def run(session: Session) -> WriteReport:
        return carry_out(replace(session, before_write=before), update)

    return CallOrder(
        id=update.intent,
        verb="deploy",
        digest=sha256(update.intent.encode()).hexdigest(),
        run=run,
        author=Identity(person.name, person.email),
        trailers=(("Gitops-Via", "registry"), ("Gitops-Actor", person.id)),
        caller=person.id,
    )


def _may(config: Config, overlay: Overlay, image: str, name: ImageName) -> str | None:
    person = person_of(name.host)
    row = overlay.environment.name
    if may(config, person, "deploy", row, overlay.app, (image,)).allowed:
        return None
    return f"no row of `access:` lets {person.id} deploy it to {row}"


def _need_not(known: _Tried, tips: frozenset[tuple[str, str]]) -> bool:
    """Say whether nothing else would come of it now: nothing moved, or it was proposed once.

    Whoever closed a proposal does not want it again.
    """
    report = known.done.report
    if report is not None and report.proposals:
        return True
    return known.tips == tips and time.monotonic() - known.at < _TRIED
