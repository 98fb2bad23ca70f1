"""`gitops wait`: follow Argo CD until a release is live and Healthy, or is not going to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.argocd.observation import degraded_because
from gitops.actions.argocd.reading import WITHIN
from gitops.actions.argocd.recovery import recover
from gitops.actions.argocd.tracker import AwaitedImage, ReleaseTracker
from gitops.actions.argocd.tracking import no_application, read_feeds
from gitops.actions.context.named import Named, overlays_named
from gitops.actions.context.plan import Plan
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip, require_commit
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.releases.history import releases_of
from gitops.actions.rollback import rollback
from gitops.core.argocd.progress import WaitTerms
from gitops.core.argocd.reports import WaitReport
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.releases.lookup import COMMIT_WORD, FULL, find_commit
from gitops.core.releases.release import Release
from gitops.core.report import WriteReport
from gitops.core.text.plain import some_of
from gitops.errors import GitopsError, NotFound, UsageError
from gitops.ports import Cluster, Reading

_MOST_PAUSE = 5.0
_LEAST_PAUSE = 0.15  # events come in bursts

Show = Callable[[Sequence[ReleaseTracker]], None]


class WaitOptions(Struct, frozen=True):
    """What the caller said about waiting; None: as `gitops.yaml` has it.

    Attributes:
        soak, timeout: seconds.
        follow: go on with a newer release when one comes.
        record: write verdicts to the ledger.
        go_back: roll back a release that turns out Degraded.
    """

    soak: float | None = None
    timeout: float | None = None
    follow: bool = False
    record: bool = True
    go_back: bool = False

    def terms(self, environment: Environment) -> WaitTerms:
        """Return the terms that hold for one environment."""
        soak = environment.soak_time.total_seconds() if self.soak is None else self.soak
        timeout = environment.wait.timeout.total_seconds() if self.timeout is None else self.timeout
        return WaitTerms(soak, timeout, self.follow, self.record)


class WaitRequest(Struct, frozen=True):
    """What `gitops wait` was asked for.

    Attributes:
        commit: a commit of the branch, at least 7 digits; None: the newest releases. It may also be
            the last of the words, where it is no environment.
        asked: in place of a commit, an image that the environment is to run.
    """

    named: Named
    commit: str | None = None
    asked: AwaitedImage | None = None
    options: WaitOptions = WaitOptions()


def wait(
    session: Session, request: WaitRequest, *, show: Show = lambda _: None
) -> tuple[WaitReport, ...]:
    """Follow a release of one overlay to its end, or the newest one of each that is named.

    `show` is called with what is known after each reading.

    Raises NotFound (environment, release, Application, cluster), UsageError, Denied, and
    Unavailable when the cluster cannot be reached at the start. That a release is not healthy, or
    not known to be, is no error here: see `WaitReport.error`.
    """
    tip = open_tip(session)
    trackers = []
    request = _with_commit(tip, request)
    for overlay in _overlays(tip, request):
        view = view_of(session, tip, overlay)
        release: Release | None = None
        if request.asked is None:
            release = _find(view, request.commit)
        terms = request.options.terms(overlay.environment)
        trackers.append(ReleaseTracker(view, release, terms, asked=request.asked))
    return _follow(session, trackers, show)


def _with_commit(tip: Tip, request: WaitRequest) -> WaitRequest:
    """Take the last word for a commit where it looks like one, and no environment is called so."""
    *words, last = request.named.words
    is_known = tip.config.find(last) is not None or tip.config.find_group(last) is not None
    if not words or request.commit is not None or is_known or not COMMIT_WORD.fullmatch(last):
        return request
    return replace(request, named=replace(request.named, words=tuple(words)), commit=last)


def _overlays(tip: Tip, request: WaitRequest) -> tuple[Overlay, ...]:
    """Return what is waited for: one overlay where a commit or an image is, which are of one app.

    Raises UsageError where these could be of several.
    """
    found = overlays_named(tip, request.named)
    if len(found) > 1 and (request.commit is not None or request.asked is not None):
        raise UsageError(
            f"{request.named.text} stands for several overlays: say which with --app, or APP/ENV",
            hint=some_of([overlay.label for overlay in found], 12),
        )
    for overlay in found:
        _check(overlay)
    return found


def wait_for(
    session: Session,
    written: WriteReport,
    options: WaitOptions,
    *,
    show: Show = lambda _: None,
) -> tuple[WaitReport, ...]:
    """Follow what a write brought about, in every environment that it reached.

    What the write left as it was is waited for, too, so that a job that is run again goes on
    where it was; proposals and checkouts are not. Where jobs carry each other's changes, the next
    commit of the overlay may go in with the same push: what asks for the images of this write all
    the same is followed in its place.
    """
    tip = open_tip(session)
    trackers = []
    for overlay in dict.fromkeys(written.reached):
        if overlay.environment.change == "work-tree":
            continue
        view = view_of(session, tip, overlay)
        changes = [entry.change for entry in written.changes if entry.overlay == overlay]
        release = _written(view, written if changes else None)
        terms = options.terms(overlay.environment)
        own = {change.image: change.after for change in changes}
        trackers.append(ReleaseTracker(view, release, terms, own=own))
    return _follow(session, trackers, show, _going_back(session) if options.go_back else None)


def _going_back(session: Session) -> Callable[[WaitReport], WaitReport]:
    """Return what rolls a release back that is Degraded; another answer is none."""

    def go_back(report: WaitReport) -> WaitReport:
        if report.verdict != "degraded" or report.release is None:
            return report
        try:
            why = degraded_because(report.diagnoses, report.message)
            return replace(
                report, went_back=recover(session, report.overlay, report.release, why, rollback)
            )
        except GitopsError as error:
            return replace(report, stayed=error.message)

    return go_back


def waiting(session: Session) -> Session:
    """Return the session of a write that is to be waited for.

    It writes nothing where that could not be: no client, no context, no rights, no Application.
    """
    asked = False

    def check(session: Session, tip: Tip, plan: Plan) -> None:
        nonlocal asked
        if not asked:
            _check_waitable(session, tip, plan)
        asked = True

    return replace(session, before_write=check)


def _check_waitable(session: Session, tip: Tip, plan: Plan) -> None:
    try:
        check_waitable(session, tip, dict.fromkeys(plan.reached))
    except GitopsError as error:
        error.message = f"nothing was written, since it could not be waited for: {error.message}"
        error.hint = f"{error.hint}; or leave out --wait" if error.hint else "or leave out --wait"
        raise


def _follow(
    session: Session,
    trackers: list[ReleaseTracker],
    show: Show,
    ended: Callable[[WaitReport], WaitReport] | None = None,
) -> tuple[WaitReport, ...]:
    """Step them all until each has a report; `ended` is asked about each as soon as it is there."""
    for tracker in trackers:
        tracker.begin()
    while True:
        going = [tracker for tracker in trackers if tracker.report is None]
        for tracker in going:
            tracker.step()
            if tracker.report is not None and ended is not None:
                tracker.report = ended(tracker.report)
        show(trackers)
        going = [tracker for tracker in going if tracker.report is None]
        if not going:
            return tuple(tracker.report for tracker in trackers if tracker.report is not None)
        pause = min(tracker.progress.due for tracker in going)
        session.clusters.bell.wait(max(min(pause, _MOST_PAUSE), _LEAST_PAUSE))


def _written(view: OverlayView, written: WriteReport | None) -> Release:
    """Return the release that a write made there; the newest one where it changed nothing."""
    commits = {entry.commit for entry in written.commits} if written is not None else set()
    newest: Release | None = None
    stream = releases_of(view)
    for release in stream:
        newest = newest or release
        if not commits or release.commit in commits:
            return release
    if newest is None:
        raise NotFound(f"{view.label} has no release yet", reasons=stream.unseen_reasons())
    return newest


def _check(overlay: Overlay) -> None:
    if overlay.environment.change == "work-tree":
        raise UsageError(
            f"{overlay.label} is edited in a checkout and lives in no cluster that Git feeds"
        )


def _find(view: OverlayView, word: str | None) -> Release:
    """Return the release in force at the commit that `word` names, the newest for None."""
    if word is None:
        return _written(view, None)
    wanted = require_commit(word)
    head = view.home.commit
    asked: set[str] = set()

    def in_force(release: Release) -> bool:
        asked.add(release.commit)
        return view.session.evidence.contains(head, wanted, release.commit)

    def ask(read: Sequence[Release], complete: bool) -> Release:
        named = next((one for one in read if one.commit == wanted), None)
        if named is None and len(wanted) in FULL:  # it may have changed something else
            fresh = (one for one in read if one.commit not in asked)
            named = next((one for one in fresh if in_force(one)), None)
        if named is not None:
            return named
        found = find_commit(read, wanted, complete=complete)
        if found is None:
            raise NotFound(
                f"{word!r} is no release of {view.label}",
                hint=f"`gitops history {view.overlay.typed}` lists them; other commits are "
                "found by all of their digits",
            )
        return found

    return releases_of(view).until_sure(ask)


def check_waitable(session: Session, tip: Tip, overlays: Iterable[Overlay]) -> None:
    """Ask the control planes of `overlays` for their Applications: client, context and rights.

    Raises NotFound (no cluster, no client, no context, no Application), Denied, Unavailable and
    TimedOut, as a wait would.
    """
    readings: dict[Cluster, Reading] = {}
    for overlay in overlays:
        if overlay.environment.change == "work-tree":
            continue
        view = view_of(session, tip, overlay)
        clusters = session.clusters.of(tip.config, overlay.environment, within=WITHIN)
        for cluster in clusters:
            if cluster not in readings:
                readings[cluster] = cluster.applications()
        found = read_feeds(view, [(cluster, readings[cluster]) for cluster in clusters])
        if not found.fed:
            raise no_application(view, found)
