"""`gitops insights`: how releases went, in numbers, from Git and the ledger alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from gitops.actions.context.holds import own_hold_path
from gitops.actions.context.named import Named, overlays_named
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, views_of
from gitops.actions.releases.history import gather_releases, releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.core.insights.lead import Build, source_commits
from gitops.core.insights.measures import HoldSpan, OverlayPast, insights
from gitops.core.insights.numbers import Insights
from gitops.core.ledger.records import LedgerEntry
from gitops.core.releases.release import Release
from gitops.core.text.plain import count
from gitops.errors import GitopsError, NotFound, UsageError

_MOST_HOLDS = 60  # overlays whose holds are looked for: each is a walk through history
_BEFORE = timedelta(days=90)  # that builds may have been on their way
_LONGEST = timedelta(days=3660)


def read_insights(
    session: Session,
    names: Sequence[str] = (),
    *,
    apps: tuple[str, ...] = (),
    period: timedelta = timedelta(days=90),
    sources: Sequence[str] = (),
) -> Insights:
    """Return the numbers of the environments, all or the named ones, for the last `period`.

    `sources` are repositories that images are built from, which tell when commits were made: a URL,
    a folder, or an image whose source `gitops.yaml` names.

    Raises UsageError for a period that is none, and what reading history and a source raises.
    """
    if not timedelta(0) < period <= _LONGEST:
        raise UsageError("--since asks for between a moment and ten years", hint="--since 90d")
    until = session.clock.now()
    since = until - period
    tip = open_tip(session, lenient=True)
    warnings = [tip.problem] if tip.problem is not None else []
    views = [one for one in views_of(session, tip) if one.row.change != "work-tree"]
    wanted = views
    if names or apps:
        everything = tuple(names) or tuple(row.name for row in tip.config.environments)
        named = set(overlays_named(tip, Named(everything, apps)))
        wanted = [one for one in views if one.overlay in named]
    if not wanted:
        raise NotFound("no overlay is meant: nothing can be counted")
    gather_releases(views)
    mine = {id(one) for one in wanted}
    looks = len(wanted) <= _MOST_HOLDS
    if not looks:
        warnings.append(f"holds are not counted for {count(len(wanted), 'overlay')}: name fewer")
    pasts, others = [], []
    for view in views:
        if id(view) in mine:
            pasts.append(_past(view, since, warnings, looks=looks))
        else:
            # Where else a build was first decides how long it was on its way.
            others.append(_elsewhere(view, since))
    order = [row.name for row in tip.config.environments]
    commits = source_commits(one.releases for one in (*pasts, *others))
    committed = _committed(session, tip, commits, sources)
    note = _beginning(tip, commits, committed, sources)
    return insights(
        pasts,
        since,
        until,
        order=order,
        warnings=tuple(dict.fromkeys(warnings)),
        elsewhere=others,
        committed=committed,
        notes=(note,) if note is not None else (),
    )


def _committed(
    session: Session, tip: Tip, commits: Mapping[Build, str], named: Sequence[str]
) -> dict[Build, datetime]:
    """Return when the source commit of each build was made, as the named repositories tell."""
    if named and session.sources is None:
        raise NotFound("no source repository can be asked here")
    times: dict[str, datetime] = {}
    for name in dict.fromkeys(named):
        wanted = {one for one in commits.values() if one not in times}
        url = tip.config.sources.get(name)
        if wanted and session.sources is not None:
            found = session.sources.times(url or name, wanted, typed=url is None)
            times.update(found)
    return {build: times[commit] for build, commit in commits.items() if commit in times}


def _beginning(
    tip: Tip,
    commits: Mapping[Build, str],
    committed: Mapping[Build, datetime],
    named: Sequence[str],
) -> str | None:
    """Say where lead time begins, and what would let it begin at the source commit."""
    begins = "lead time begins at a build's first release"
    if not commits:
        return (
            f"{begins}: none tells its source commit (CI does: gitops deploy --ref BRANCH "
            "--commit SHA)"
        )
    if not named:
        image = next((image for image, _ in commits if image in tip.config.sources), "URL")
        return f"{begins}; to count from its source commit: gitops insights --source {image}"
    missing = len(commits) - len(committed)
    if not missing:
        return None
    lacking = f"{missing} of {count(len(commits), 'source commit')}"
    return f"{lacking} cannot be found there (shallow, rewritten, or another repository)"


def _past(view: OverlayView, since: datetime, warnings: list[str], *, looks: bool) -> OverlayPast:
    stream = releases_of(view)
    releases = tuple(_until(stream, since - _BEFORE))
    unseen = stream.unseen()
    if unseen is not None:
        warnings.append(unseen)
    ledger = ledger_of(view)
    warnings += ledger.warnings
    return OverlayPast(
        view.row.name,
        view.overlay.app,
        releases,
        ledger.entries,
        dict(_heads(view, ledger.entries)),
        tuple(_holds(view)) if looks else (),
    )


def _elsewhere(view: OverlayView, since: datetime) -> OverlayPast:
    releases = tuple(_until(releases_of(view), since - _BEFORE))
    return OverlayPast(view.row.name, view.overlay.app, releases)


def _until(stream: Iterator[Release], oldest: datetime) -> Iterator[Release]:
    """Yield releases to the first one before a moment, that one too."""
    for release in stream:
        yield release
        if release.time is not None and release.time < oldest:
            return


def _heads(view: OverlayView, entries: Sequence[LedgerEntry]) -> Iterator[tuple[str, datetime]]:
    """Yield the heads of approved proposals that can be read, and when they were made."""
    for entry in entries:
        if entry.record.verdict == "approved":
            try:
                _, made = view.session.repository.message(entry.record.commit)
            except GitopsError:
                continue  # a squash merge leaves nobody who has it
            yield entry.record.commit, datetime.fromtimestamp(made, UTC)


def _holds(view: OverlayView) -> Iterator[HoldSpan]:
    """Yield how long holds of the overlay stood, oldest first."""
    path = own_hold_path(view.overlay)
    start: datetime | None = None
    for change in view.session.evidence.file_history(view.home.commit or "", path):
        time = change.commit.time
        if time is None:
            continue
        if change.after is not None and start is None:
            start = time
        elif change.after is None and start is not None:
            yield HoldSpan(start, max(time, start))
            start = None
    if start is not None:
        yield HoldSpan(start, None)
