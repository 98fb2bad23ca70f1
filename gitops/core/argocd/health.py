"""Did this release take effect? One Application, read at one moment, judged.

Five questions, all of which must be answered yes: Argo CD has *seen* the release (it compared with
its commit, or with a later one that pins the same images), it has *applied* it, it has looked at
health *after* that, that is *Healthy*, and pods *run it*. Healthy alone says nothing: just after a
push it is the health of the release before, just after a sync that of pods which have not moved
yet, and an Application whose manifests do not render stays Healthy for ever.

Everything is compared on the cluster's clock. What lasts and what must be seen twice is the matter
of `core/argocd/stability.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from gitops.core.argocd.application import Application, ApplicationRef, Operation
from gitops.core.argocd.tracking import TrackingMatch
from gitops.core.kustomization.image import ImageValue, describe_value, split_reference
from gitops.core.text.plain import one_line, some_of

RevisionPosition = Literal["before", "at", "other", "unknown"]
"""Where a commit stands, seen from the release: `at` is the release or a later commit that pins
the same images, `other` a later one that pins others, `unknown` is not on the branch."""

ReleaseState = Literal[
    "healthy",
    "progressing",
    "syncing",
    "unseen",
    "retrying",
    "unknown",
    "manual",
    "suspended",
    "frozen",
    "superseded",
    "degraded",
    "unrendered",
    "failed",
]

RANK: Final[Mapping[ReleaseState, int]] = {
    "healthy": 0,
    "progressing": 1,
    "syncing": 2,
    "unseen": 3,
    "retrying": 4,
    "unknown": 5,
    "manual": 6,
    "suspended": 7,
    "frozen": 8,
    "superseded": 9,
    "degraded": 10,
    "unrendered": 11,
    "failed": 12,
}
"""Of several Applications the one with the greatest rank speaks for all."""

_RENDERING = (
    "kustomize build",
    "app path does not exist",
    "failed to unmarshal manifest",
    "Failed to unmarshal",
    "Manifest generation error",
    "error unmarshaling",
)
_LONGEST = 400
_MOST_NAMED = 5


class ExpectedRelease(Struct, frozen=True):
    """The release that is waited for.

    Attributes:
        commit: all digits.
        time: of that commit; None for a date that no calendar has.
        images: what the overlay pins there, by name of the entry.
        newest: False when the branch asks for other images by now.
    """

    commit: str
    time: datetime | None
    images: Mapping[str, ImageValue]
    newest: bool = True


class Observation(Struct, frozen=True):
    """What one Application says of a release.

    Attributes:
        text: one sentence for people, without the Application's name.
        time: of the reading, on the cluster's clock.
        sync, health: Argo CD's words.
        revision: the commit that it is at, None when it does not know.
        since: from when on it has been healthy or degraded without a break; cluster time.
        inherited: degraded since before the release was applied: not its doing, as far as one
            can tell.
        images: live images with the names that the release pins.
        leftovers: what alone keeps it out of sync: resources that Git does not ask for.
    """

    ref: ApplicationRef
    state: ReleaseState
    text: str
    time: datetime
    sync: str = ""
    health: str = ""
    revision: str | None = None
    since: datetime | None = None
    inherited: bool = False
    images: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()


class _Found(Struct, frozen=True):
    """What the questions found so far."""

    state: ReleaseState
    text: str
    since: datetime | None = None
    inherited: bool = False


class _Case(Struct, frozen=True):
    """What is judged: see `judge`. `index` is that of the source which leads to the overlay."""

    application: Application
    index: int
    wanted: ExpectedRelease
    place: Callable[[str], RevisionPosition]
    asked: datetime | None

    def is_at(self, revisions: Sequence[str]) -> bool:
        """Say whether the commits of a sync are at the release."""
        commit = self.application.commit_of(revisions, self.index)
        return commit is not None and self.place(commit) == "at"


def judge(
    feed: TrackingMatch,
    wanted: ExpectedRelease,
    place: Callable[[str], RevisionPosition],
    *,
    now: datetime,
    asked: datetime | None = None,
) -> Observation:
    """Judge one reading of an Application that feeds the overlay of a release.

    Args:
        place: where a commit stands, seen from the release.
        now: of the reading, on the cluster's clock.
        asked: cluster time at which Argo CD was last asked to look at Git; what it says of
            manifests that do not render counts only when it looked after that.
    """
    application = feed.application
    found = _judge(_Case(application, feed.source.index, wanted, place, asked))
    return Observation(
        ref=application.ref,
        state=found.state,
        text=found.text,
        time=now,
        sync=application.sync,
        health=application.health,
        revision=application.revision(feed.source.index),
        since=found.since,
        inherited=found.inherited,
        images=live_images(application, wanted.images),
        leftovers=leftovers(application) if found.state == "healthy" else (),
    )


def _judge(case: _Case) -> _Found:
    application = case.application
    if application.is_frozen:
        return _Found("frozen", "its controller was told to leave it alone (skip-reconcile)")
    if application.deleting:
        return _Found("unknown", "it is being deleted")
    revision = application.revision(case.index)
    if revision is None:
        return _without_revision(case)
    match case.place(revision):
        case "other":
            return _Found("superseded", f"a newer release is live, at {revision[:7]}")
        case "before":
            return _not_seen(application, f"it is still at {revision[:7]}")
        case "unknown":
            return _not_seen(application, f"it is at {revision[:7]}, which is not on the branch")
        case "at":
            return _applied(case)


def _without_revision(case: _Case) -> _Found:
    """No commit: a new Application, a comparison that fails, a hydrator at work."""
    application = case.application
    if application.errors:
        return _trouble(case)
    if application.hydration_error:
        return _Found("unknown", f"its hydrator failed: {_short(application.hydration_error)}")
    if any(source.hydrated for source in application.sources) and application.revisions:
        return _Found("unseen", "its hydrator has not written the release yet")
    return _Found("unseen", "Argo CD has not looked at it yet")


def _trouble(case: _Case) -> _Found:
    """An error condition: manifests that do not render, or something that tells nothing."""
    asked, reconciled = case.asked, case.application.reconciled
    error = case.application.errors[0]
    words = _short(error.message)
    if error.type != "ComparisonError" or not _is_rendering(error.message):
        return _Found("unknown", f"cannot tell, {error.type}: {words}")
    if not case.wanted.newest:
        return _Found("unknown", f"a newer commit does not render: {words}")
    if asked is None or reconciled is None or reconciled <= asked:
        return _Found("unseen", f"when Argo CD looked last, it did not render: {words}")
    return _Found("unrendered", f"it does not render: {words}")


def _is_rendering(message: str) -> bool:
    return any(words in message for words in _RENDERING)


def _not_seen(application: Application, text: str) -> _Found:
    """Argo CD is not there yet; say what keeps it, where that can be seen."""
    operation = application.operation
    if operation is not None and operation.is_running and operation.retries:
        text += f", and still tries that again ({_tries(operation)})"
    elif operation is not None and operation.is_running:
        text += ", where a sync is still running"
    return _Found("unseen", text)


def _applied(case: _Case) -> _Found:
    """Argo CD compares with the release: was it applied, and judged after that?"""
    application = case.application
    operation = application.operation
    ours = operation if operation is not None and case.is_at(operation.revisions) else None
    if operation is not None and operation.is_running:
        if operation.retries or operation.finished is not None:
            return _Found("retrying", f"its sync fails and is tried again ({_tries(operation)})")
        words = _short(operation.message)
        return _Found("syncing", f"its sync is running{': ' + words if words else ''}")
    if application.requested:
        return _Found("syncing", "a sync is about to start")
    if ours is not None and ours.phase in ("Failed", "Error"):
        return _Found(
            "failed", f"its sync failed: {_short(ours.message) or ours.phase}", ours.finished
        )
    if application.errors:
        return _trouble(case)
    if application.sync == "Unknown":
        return _Found("unknown", "Argo CD cannot compare it with Git")
    if application.sync != "Synced" and not leftovers(application):
        return _out_of_sync(application, ours)
    if ours is not None and _is_older(application.reconciled, ours.finished):
        return _Found("syncing", "it is synced, and its health is not looked at yet")
    return _health(case, ours)


def _out_of_sync(application: Application, ours: Operation | None) -> _Found:
    if not application.automated:
        return _Found("manual", "it waits for a sync by hand: its auto-sync is off")
    if ours is not None:
        return _Found("syncing", "it is out of sync: something there differs from Git")
    return _Found("syncing", "it is out of sync, and its sync has not started")


def _health(case: _Case, ours: Operation | None) -> _Found:
    """What its health says of the release; `ours` is the sync that applied it, if it is known."""
    application = case.application
    changed = application.health_since
    detail = f": {_short(application.health_message)}" if application.health_message else ""
    match application.health:
        case "Healthy":
            return _healthy(case, ours)
        case "Degraded":
            inherited = _is_older(changed, _began(case, ours))
            since = " since before this release" if inherited else ""
            return _Found("degraded", f"Degraded{since}{detail}", changed, inherited)
        case "Suspended":
            return _Found("suspended", f"it is suspended and waits for a person{detail}")
        case "Progressing" | "Missing":
            return _Found("progressing", f"{application.health}{detail}")
        case _:
            return _Found(
                "unknown", f"its health is {application.health or 'not known yet'}{detail}"
            )


def _healthy(case: _Case, ours: Operation | None) -> _Found:
    application, images = case.application, case.wanted.images
    missing = not_running(application, images)
    if missing:
        live = ", ".join(live_images(application, images))
        return _Found("progressing", f"its pods do not run {', '.join(missing)} yet, but {live}")
    # Where the release changed nothing that is synced, it counts from its commit on.
    applied = ours.finished if ours is not None else case.wanted.time
    times = [time for time in (application.health_since, applied) if time is not None]
    extra = leftovers(application)
    text = "Synced and Healthy" if not extra else f"Healthy; {describe_leftovers(extra)}"
    return _Found("healthy", text, max(times) if times else None)


def _began(case: _Case, ours: Operation | None) -> datetime | None:
    """When the release was applied first; a later self-heal at the same commit does not count."""
    starts = [
        one.started or one.finished for one in case.application.history if case.is_at(one.revisions)
    ]
    starts.append(ours.started if ours is not None else None)
    known = [time for time in starts if time is not None]
    return min(known) if known else case.wanted.time


def leftovers(application: Application) -> tuple[str, ...]:
    """Return what alone keeps an Application out of sync: resources that Git does not ask for.

    () when anything that Git asks for differs, or when nothing is left that Git asks for: then
    what was rendered is no release, whatever still runs.
    """
    if application.sync != "OutOfSync":
        return ()
    differing = [one for one in application.resources if one.sync == "OutOfSync"]
    if not all(one.is_extra for one in differing):
        return ()
    if not any(one.sync == "Synced" for one in application.resources):
        return ()
    return tuple(map(str, differing))


def describe_leftovers(extra: Sequence[str]) -> str:
    """Return what a sentence says of `leftovers`."""
    named = some_of([one_line(one, 80) for one in extra], _MOST_NAMED)
    return f"out of sync only by what Git does not ask for: {named}"


def live_images(application: Application, images: Mapping[str, ImageValue]) -> tuple[str, ...]:
    """Return the live images that have a name which `images` pin."""
    names = {value.name or image for image, value in images.items()}
    return tuple(one for one in application.images if split_reference(one)[0] in names)


def not_running(application: Application, images: Mapping[str, ImageValue]) -> tuple[str, ...]:
    """Return the pinned images of which no pod runs, though pods run another one of that name.

    A name that no pod has tells nothing: no replicas, a CronJob between two runs, a registry
    that an admission hook put in its place. Old ones beside the pinned one do not matter: a
    finished Job keeps its pod.
    """
    live: dict[str, set[tuple[str | None, str | None]]] = {}
    for text in application.images:
        name, tag, digest = split_reference(text)
        live.setdefault(name, set()).add((tag, digest))
    return tuple(
        f"{value.name or image}:{describe_value(ImageValue(None, value.tag, value.digest))}"
        for image, value in images.items()
        if (value.name or image) in live and not _runs(live[value.name or image], value)
    )


def drift(application: Application, images: Mapping[str, ImageValue]) -> tuple[str, ...]:
    """Return live images with a pinned name and another tag or digest than is asked for."""
    asked: dict[str, list[ImageValue]] = {}
    for image, value in images.items():
        asked.setdefault(value.name or image, []).append(value)
    found = []
    for text in application.images:
        name, tag, digest = split_reference(text)
        values = asked.get(name)
        if values and not any(_runs({(tag, digest)}, value) for value in values):
            found.append(text)
    return tuple(found)


def _runs(live: set[tuple[str | None, str | None]], value: ImageValue) -> bool:
    """Is a pinned value among the live ones? A digest decides where there is one."""
    if value.digest is not None:
        return any(digest == value.digest for _, digest in live)
    return value.tag is None or any(tag == value.tag for tag, _ in live)


def _is_older(time: datetime | None, other: datetime | None) -> bool:
    """Whole seconds: equal is good enough."""
    return time is not None and other is not None and time < other


def _tries(operation: Operation) -> str:
    times = f"{operation.retries} tries" if operation.retries != 1 else "1 try"
    words = _short(operation.message)
    return f"{times}: {words}" if words else times


def _short(words: str) -> str:
    """Drop the layers of RPC talk in front of what happened."""
    plain = words.rpartition("desc = ")[2] or words
    return one_line(plain, _LONGEST).rstrip(": ")
