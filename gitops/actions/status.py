"""`gitops status` and `gitops diff`: what is where, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from msgspec.structs import replace

from gitops.actions.argocd.live import LiveView
from gitops.actions.context.named import (
    Named,
    NamedRow,
    overlays_in_row,
    require_apps,
    rows_named,
)
from gitops.actions.context.overlays import overlays_of
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.proposals.find import ProposalLookup, find_proposal, look, proposal_branch
from gitops.actions.releases.history import gather_releases, releases_of
from gitops.actions.releases.ledger import words_on
from gitops.core.environments.environment import Overlay, asks_for_approval
from gitops.core.ledger.verdicts import CountedVerdict
from gitops.core.releases.held import strayed
from gitops.core.releases.history import Release
from gitops.core.report import (
    OverlayStatus,
    Proposal,
    StatusReport,
)
from gitops.errors import GitopsError, ManifestError, NotFound
from gitops.ports import NoForge


def status(
    session: Session,
    environments: Sequence[str] = (),
    *,
    apps: tuple[str, ...] = (),
    failing: bool = False,
) -> StatusReport:
    """Return what each environment (all, or the named ones) pins, since when and by whom.

    `environments` may be groups and `APP/ENV`, too; `apps` are those that are shown, () for all.

    `failing` leaves out what nothing bad is known of.
    """
    tip = open_tip(session, lenient=True)
    named = rows_named(tip.config, Named(tuple(environments), apps)) or tuple(
        NamedRow(row, apps if row.per_app else (), alone=False) for row in tip.config.environments
    )
    found: list[tuple[OverlayStatus, Release | None]] = []
    warnings: list[str] = [tip.problem] if tip.problem is not None else []
    view = LiveView(session, tip, tuple(dict.fromkeys(one.row for one in named)))
    # Git first, all of it: meanwhile the clusters answer.
    views = _views(session, tip, named, apps)
    gather_releases([one for one in views if isinstance(one, OverlayView)])
    for one in views:
        found.append(_status(one, warnings) if isinstance(one, OverlayView) else (one, None))
    entries = [replace(entry, live=view.of(entry.overlay, newest)) for entry, newest in found]
    warnings += _kept_out(session, tip, views, [entry for entry, _ in found])
    return StatusReport(
        branch=tip.snapshot.branch,
        repository=session.repository.describe(),
        overlays=tuple(one for one in entries if one.is_failing or not failing),
        warnings=tuple(warnings),
    )


def _views(
    session: Session, tip: Tip, named: Sequence[NamedRow], apps: tuple[str, ...]
) -> list[OverlayView | OverlayStatus]:
    """Return the overlays that are looked at, and what is said of an environment without branch."""
    found: dict[Overlay, OverlayView | OverlayStatus] = {}
    for one in named:
        row = one.row
        try:
            home = tip.of(row)
        except NotFound as error:
            overlay, branch = Overlay(row), tip.branch_of(row)
            found[overlay] = OverlayStatus(overlay, branch, None, problem=error.message)
            continue
        overlays = overlays_in_row(tip, one) if one.apps else overlays_of(home, row)
        found |= {overlay: view_of(session, tip, overlay) for overlay in overlays}
    if any(one.row.per_app for one in named):
        require_apps(named, apps, found)
    return list(found.values())


def _kept_out(
    session: Session,
    tip: Tip,
    views: Sequence[OverlayView | OverlayStatus],
    found: Sequence[OverlayStatus],
) -> Iterator[str]:
    """Say where a newer release branch of a source repository keeps builds out."""
    if not tip.config.sources:
        return
    from gitops.actions.policy.builds import FollowWatch

    heads = session.sources.heads if session.sources is not None else None
    watch = FollowWatch(tip.config, heads)
    for view, known in zip(views, found, strict=True):
        if isinstance(view, OverlayView) and known.images:
            said = watch.warnings(view.row, known.images, partial(releases_of, view))
            yield from (f"{view.label}: {text}" for text in said)


def _status(view: OverlayView, warnings: list[str]) -> tuple[OverlayStatus, Release | None]:
    """Return what Git and the ledger say, and the newest release."""
    overlay, branch, hold, freeze = view.overlay, view.branch, view.hold, view.freeze
    try:
        images = view.images
    except (NotFound, ManifestError) as error:
        # One broken overlay must not hide the others from whoever is on call.
        broken = OverlayStatus(
            overlay, branch, None, hold=hold, freeze=freeze, problem=error.message
        )
        return broken, None
    warnings += (f"{view.label}: {one}" for one in view.stragglers())
    astray = strayed(hold, images, releases_of(view))
    if astray is not None:
        warnings.append(f"{view.label}: {astray}")
    stream = releases_of(view)
    newest = next(stream, None)
    if newest is None and (unseen := stream.unseen()) is not None:
        warnings.append(f"{overlay.label}: {unseen}")
    proposals: tuple[Proposal, ...] = ()
    if asks_for_approval(view.row):
        proposals = _proposals(view, warnings)
    words: tuple[CountedVerdict, ...] = ()
    if newest is not None:
        words, unheard = words_on(view, newest)
        warnings += unheard
    known = OverlayStatus(
        overlay,
        branch,
        images,
        words=words,
        commit=newest.commit if newest else None,
        time=newest.time if newest else None,
        by=newest.author.name if newest else None,
        hold=hold,
        freeze=freeze,
        proposals=proposals,
    )
    return known, newest


def _proposals(view: OverlayView, warnings: list[str]) -> tuple[Proposal, ...]:
    """Return the open proposal and what it waits for; a forge that is silent hides nothing."""
    overlay = view.overlay
    branch, name = proposal_branch(overlay), overlay.typed
    waits: tuple[str, ...] = ()
    try:
        found = look(view)
        waits = _waits(view, found)
    except ManifestError as error:
        warnings.append(f"{branch} cannot be read: {error.message}")
        return ()
    except GitopsError as error:
        warnings.append(f"{overlay.label}: its pull request is not known: {error.message}")
        found = find_proposal(view)
    pull = found.pull
    if found.problem is not None:
        warnings.append(f"{view.label}: {found.problem}: `gitops close {name}` drops it")
        return ()
    if found.present is not None:
        from gitops.actions.pull_requests.review import holds_more  # only for what is proposed

        if (more := holds_more(view, found.present)) is not None:
            warnings.append(f"{more}: `gitops approve` refuses it")
        return (replace(found.present.report(overlay, pull=pull), waits_for=waits),)
    if pull is not None and pull.state == "open":
        what = "proposes nothing that its base does not have"
        warnings.append(f"#{pull.number} {what}: `gitops close {name}` ends it ({pull.url})")
    elif pull is not None and pull.state == "closed" and pull.head == found.head:
        what = f"was closed in the forge: `gitops close {name}` deletes {branch}"
        warnings.append(f"{overlay.label}: #{pull.number} {what}")
    return ()


def _waits(view: OverlayView, found: ProposalLookup) -> tuple[str, ...]:
    forge = view.session.forge(view.tip.config)
    if isinstance(forge, NoForge) or found.present is None:
        return ()
    if found.pull is None or found.pull.state != "open":
        return ("its pull request, which nobody opened yet",)
    from gitops.actions.pull_requests.readiness import makers_of, waits_for

    number, rule = found.pull.number, view.row.approvals
    ready = forge.readiness(number)
    makers = makers_of(forge, number, ready, rule, found.present)
    waits = waits_for(found.pull, ready, rule, makers)
    return waits if ready.handed_over is None else (ready.handed_over, *waits)
