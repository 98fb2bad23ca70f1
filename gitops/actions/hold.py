"""Keep automation away from an environment, and let it back: the verbs `hold` and `resume`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.holds import (
    holds_left,
    orphaned_holds,
    readable_hold,
    standing_hold_path,
)
from gitops.actions.context.named import Named, overlays_named
from gitops.actions.context.plan import Draft, Plan
from gitops.actions.context.session import Session, Tip, require_words
from gitops.actions.context.view import OverlayView, view_of, views_of
from gitops.actions.index.board import has_pages, read_index
from gitops.actions.policy.promotable import outlook
from gitops.actions.pull_requests.announce import with_fresh_texts
from gitops.actions.releases.history import gather_releases, releases_of
from gitops.actions.write.write import write
from gitops.core.environments.environment import Overlay
from gitops.core.git.message import CommitMessage, told_labels
from gitops.core.hold import HOLD_ALL_PATH, Hold, render_hold
from gitops.core.releases.release import Release
from gitops.core.report import HeldOverlay, WriteReport
from gitops.core.text.counting import counted
from gitops.core.text.plain import one_line
from gitops.errors import NotFound, Refused
from gitops.ports import Snapshot

if TYPE_CHECKING:
    from gitops.actions.argocd.cluster_actions import ClusterActions

_MANY = 20  # overlays of one environment that are worth its page of the index

_MOST_TYPED = 12  # overlays in a command that somebody is told to type
_FEW = 5  # overlays, of which each is told what goes there next


class _Scope(Struct, frozen=True):
    """What one hold file holds: one overlay, or everything (`overlay` None).

    Attributes:
        home: the tip of the branch that the file is on.
        label: what messages and the subject of a commit call it.
        argument: what `gitops resume` is given for it.
    """

    overlay: Overlay | None
    home: Snapshot
    path: str
    label: str
    argument: str

    @property
    def standing(self) -> Hold | None:
        """The hold that stands there, None when there is none."""
        content = self.home.read(self.path)
        return readable_hold(content, self.path) if content is not None else None


def _scopes(tip: Tip, named: Named | None) -> tuple[_Scope, ...]:
    if named is None:
        return (_Scope(None, tip.snapshot, HOLD_ALL_PATH, "everything", "--all"),)
    found = []
    for overlay in overlays_named(tip, named):
        home = tip.of(overlay.environment)
        path = standing_hold_path(home, overlay)
        found.append(_Scope(overlay, home, path, overlay.label, overlay.label))
    return tuple(found)


def _held_scopes(tip: Tip, named: Named | None) -> tuple[_Scope, ...]:
    """Return what is named, with holds that outlived the name of their environment."""
    if named is None:
        return _scopes(tip, None)
    orphans = {word: found for word in named.words if (found := _orphans(tip, word, named.apps))}
    words = tuple(word for word in named.words if word not in orphans)
    known = _scopes(tip, replace(named, words=words)) if words else ()
    return (*(one for found in orphans.values() for one in found), *known)


def _orphans(tip: Tip, word: str, apps: Sequence[str]) -> tuple[_Scope, ...]:
    _, _, name = word.rpartition("/")
    wanted = {f"{app}/{word}" for app in apps} or {word}
    row = tip.config.find(name)
    if row is not None:  # only its app may be gone
        home = tip.of(row)
        found = [_Scope(None, home, path, label, label) for path, label, _ in holds_left(home, row)]
        found = [scope for scope in found if scope.label in wanted]
        return tuple(found) if len(found) == len(wanted) else ()
    if tip.config.find_group(name) is not None:
        return ()
    return tuple(
        _Scope(None, home, path, label, label)
        for home in tip.read().values()
        for path, label, _ in orphaned_holds(home, tip.config)
        if label in wanted
    )


def _commits(
    session: Session,
    action: str,
    files: Sequence[tuple[_Scope, bytes | None]],
    *,
    title: str,
    reason: str | None = None,
) -> dict[str, Draft]:
    """Return what goes to each branch: one commit with all of its files."""
    commits: dict[str, Draft] = {}
    for branch in dict.fromkeys(scope.home.branch for scope, _ in files):
        mine = [(scope, content) for scope, content in files if scope.home.branch == branch]
        told = "all environments" if mine[0][0].argument == "--all" else None
        labels = [scope.label for scope, _ in mine]
        message = CommitMessage(
            action=action,
            environments=[scope.label for scope, _ in mine if scope.overlay is not None],
            changes=[],
            intent=session.intent,
            reason=reason,
            subject=f"{told or told_labels(labels)}: {title}",
        ).render()
        commits[branch] = Draft(
            {scope.path: content for scope, content in mine},
            message,
            before={scope.path: scope.home.read(scope.path) for scope, _ in mine},
        )
    return commits


def hold(session: Session, named: Named | None, *, reason: str) -> WriteReport:
    """Keep automation away from overlays (None: from all) until `resume`: one commit.

    Raises Refused, naming the holders, when one is held already; UsageError without a reason.
    """
    require_words(reason, "--reason")
    begun: list[ClusterActions] = []

    def plan(tip: Tip) -> Plan:
        scopes = _scopes(tip, named)
        _refuse_held(scopes)
        holds = _new_holds(session, tip, scopes, one_line(reason))
        files = [(scope, render_hold(one.hold)) for scope, one in zip(scopes, holds, strict=True)]
        title = f"hold ({one_line(reason)})"
        _begin(session, tip, named, begun)
        lifted, told = (named.text, "them") if named is not None else ("--all", "it")
        return Plan(
            action="hold",
            commits=_commits(session, "hold", files, title=title, reason=reason),
            hold=holds[0].hold,
            holds=tuple(one for one in holds if one.overlay is not None),
            notes=(_told(scopes),),
            hint=f"`gitops resume {lifted}` lifts {told if len(scopes) > 1 else 'it'}",
        )

    done = write(session, plan, lenient=True)
    return _tell(session, done.report, _overlays(session, done.tip, named), begun)


def _new_holds(
    session: Session, tip: Tip, scopes: Sequence[_Scope], reason: str
) -> list[HeldOverlay]:
    """Return the hold of each, with the release that runs there."""
    views = [view_of(session, tip, one.overlay) for one in scopes if one.overlay is not None]
    by, since = session.identity().name, session.clock.now()
    newest = _newest(session, tip, views)
    found = []
    for scope in scopes:
        release = newest[scope.label] if scope.overlay is not None else None
        commit = release.commit if release is not None else None
        found.append(HeldOverlay(scope.overlay, Hold(by, since, reason, commit)))
    return found


def _newest(session: Session, tip: Tip, views: Sequence[OverlayView]) -> dict[str, Release | None]:
    """Return label -> the newest release; of many overlays as the index has it: they say the same.

    What it decides nothing about: a hold holds, whatever release it names.
    """
    counts = Counter(view.row.name for view in views if has_pages(view.row))
    rows = {view.row.name: view.row for view in views if counts[view.row.name] >= _MANY}
    known = {
        (name, one.app): one
        for name, some in (read_index(session, tip, list(rows.values())) if rows else {}).items()
        for one in some
        if one.images is not None
    }
    found: dict[str, Release | None] = {}
    rest: list[OverlayView] = []
    for view in views:
        one = known.get((view.row.name, view.overlay.app))
        if one is not None:
            found[view.label] = one.newest
        else:
            rest.append(view)
    if len(rest) > 1:
        gather_releases(rest)
    looked_at = counted(session.count, "reading what runs", rest)
    return found | {view.label: next(releases_of(view), None) for view in looked_at}


def _told(scopes: Sequence[_Scope]) -> str:
    if scopes[0].overlay is None:
        return "every environment is held: automation leaves all of them alone"
    labels = told_labels([one.label for one in scopes])
    if len(scopes) == 1:
        return f"{labels} is held: automation leaves it alone"
    return f"{labels} are held: automation leaves them alone"


def _refuse_held(scopes: Sequence[_Scope]) -> None:
    """Raise Refused, with everybody who holds some of it: nothing is held by half."""
    held = [(scope, standing) for scope in scopes if (standing := scope.standing) is not None]
    if not held:
        return
    lifts = f"`gitops resume {' '.join(scope.argument for scope, _ in held)}` lifts it"
    if len(scopes) == 1:
        (scope, standing), *_ = held
        raise Refused(
            f"{scope.label} is already held by {standing.by}: {standing.reason}",
            hint=lifts,
            reasons=(f"held by {standing.by}: {standing.reason}",),
        )
    others = [scope.argument for scope in scopes if scope.standing is None]
    rest = f"`gitops hold {' '.join(others)} --reason TEXT` holds the others; " if others else ""
    if len(others) > _MOST_TYPED:
        rest, lifts = "", f"{lifts}; then the same again holds all"
    raise Refused(
        f"{told_labels([scope.label for scope, _ in held])} of these are already held: "
        "nothing was held",
        hint=rest + lifts,
        reasons=tuple(
            f"{scope.label} is held by {standing.by}: {standing.reason}" for scope, standing in held
        ),
    )


def resume(session: Session, named: Named | None) -> WriteReport:
    """Lift the holds of overlays (None: the one of all); `unchanged` when there is none.

    Holds of single environments outlast the one of all.
    """
    begun: list[ClusterActions] = []

    def plan(tip: Tip) -> Plan:
        scopes = _held_scopes(tip, named)
        held = [(scope, standing) for scope in scopes if (standing := scope.standing) is not None]
        _begin(session, tip, named, begun)
        free = {
            scope.label: _not_held(session, tip, scope)
            for scope in scopes
            if scope.standing is None
        }
        if not held:
            return next(iter(free.values())) if len(free) == 1 else _none_held(free)
        title = "resume"
        if len({(one.by, one.reason) for _, one in held}) == 1:
            title += f" (held by {held[0][1].by}: {held[0][1].reason})"
        outlasting = _held_by_itself(session, tip) if named is None else ()
        lifted = [
            (scope.label, f"held by {standing.by}: {standing.reason}") for scope, standing in held
        ]
        return Plan(
            action="resume",
            commits=_commits(session, "resume", [(scope, None) for scope, _ in held], title=title),
            notes=(
                *_alike(lifted, "was"),
                *_free_notes(free),
                *_prospects(session, tip, [scope.overlay for scope, _ in held]),
            ),
            warnings=(
                *(text for plan in free.values() for text in plan.warnings),
                *(f"{label} stays held: it has a hold of its own" for label in outlasting),
            ),
        )

    done = write(session, plan, lenient=True)
    return _tell(session, done.report, _overlays(session, done.tip, named), begun)


def _free_notes(free: Mapping[str, Plan]) -> tuple[str, ...]:
    """Say which of several are not held."""
    return _alike([(label, "not held") for label, plan in free.items() if plan.hold is None], "is")


def _alike(told: Sequence[tuple[str, str]], verb: str) -> tuple[str, ...]:
    """Return a sentence for each of a few (label, what it is); of many one for all that are alike.

    `verb` is `is` or `was`.
    """
    together: dict[str, list[str]] = {}
    for label, text in told:
        together.setdefault(text, []).append(label)
    plural = {"is": "are", "was": "were"}[verb]
    return tuple(
        sentence
        for text, labels in together.items()
        for sentence in (
            [f"{label} {verb} {text}" for label in labels]
            if len(labels) <= _FEW
            else [f"{told_labels(labels)} {plural} {text}"]
        )
    )


def _none_held(free: Mapping[str, Plan]) -> Plan:
    """Return what is told where several were named, and none of them is held."""
    return Plan(
        action="resume",
        notes=_free_notes(free),
        warnings=tuple(text for plan in free.values() for text in plan.warnings),
        hint=next((plan.hint for plan in free.values() if plan.hint is not None), None),
    )


def _prospects(session: Session, tip: Tip, overlays: Sequence[Overlay | None]) -> tuple[str, ...]:
    """Say what goes to the overlays now; of many only that automation may."""
    known = [overlay for overlay in overlays if overlay is not None]
    if not known:
        return ()
    if len(known) == 1:
        return ("automation may write it again", *outlook(view_of(session, tip, known[0])))
    told = known if len(known) <= _FEW else []
    looks = (text for overlay in told for text in outlook(view_of(session, tip, overlay)))
    return ("automation may write them again", *looks)


def _overlays(session: Session, tip: Tip, named: Named | None) -> list[Overlay]:
    """Return the overlays that a hold of what is named (None: of all) holds."""
    if named is not None:
        with suppress(NotFound):  # what outlived the name of its environment
            return list(overlays_named(tip, named))
        return []
    return [view.overlay for view in views_of(session, tip)]


def _begin(session: Session, tip: Tip, named: Named | None, begun: list[ClusterActions]) -> None:
    """Begin to read what Argo CD shows, once, while the change is made and pushed."""
    if begun or session.dry_run:
        return
    from gitops.actions.argocd.cluster_actions import ClusterActions  # only where a cluster is

    begun.append(ClusterActions(session, tip, _overlays(session, tip, named)))


def _tell(
    session: Session,
    report: WriteReport,
    overlays: Sequence[Overlay],
    begun: Sequence[ClusterActions],
) -> WriteReport:
    """Bring the pull requests of what was held or resumed up to date, and Argo CD's notices.

    Those also where nothing was held: a notice may have stayed.
    """
    if report.outcome == "committed":
        report = with_fresh_texts(session, report, overlays)
    for actions in begun:
        actions.show_holds()
        report = actions.told(report)
    return report


def _not_held(session: Session, tip: Tip, scope: _Scope) -> Plan:
    if scope.overlay is None:
        return Plan(action="resume", notes=("no hold of everything stands",))
    wider = view_of(session, tip, scope.overlay).hold
    if wider is None:
        return Plan(action="resume", notes=(f"{scope.label} is not held",))
    everything = tip.snapshot.read(HOLD_ALL_PATH) is not None
    return Plan(
        action="resume",
        hold=wider,
        warnings=(f"{scope.label}: a wider hold stands, by {wider.by}: {wider.reason}",),
        hint="`gitops resume --all` lifts the hold of everything" if everything else None,
    )


def _held_by_itself(session: Session, tip: Tip) -> Iterator[str]:
    """Yield the labels of the overlays that have a hold of their own."""
    for view in views_of(session, tip):
        if view.home.read(standing_hold_path(view.home, view.overlay)) is not None:
            yield view.label
