"""May these images go there, as of now? The one place that asks every rule of policy.

`deploy`, `promote` and `approve` all call `judge`, on the very tip that their write builds on: a
rule that is added here holds for every way in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.holds import holds_left
from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView
from gitops.core.git.revision import parse_revision
from gitops.core.kustomization.image import ImageChange
from gitops.core.policy.reasons import Reason, judge_hold, judge_source, outstanding
from gitops.errors import ManifestError, Refused

if TYPE_CHECKING:
    from gitops.core.hold import Hold
    from gitops.core.policy.promotion import ImageOrigin, Judgement


def judge(
    view: OverlayView,
    changes: Sequence[ImageChange],
    *,
    ref: str | None = None,
    commits: Mapping[str, str] | None = None,
) -> tuple[Reason, ...]:
    """Return every reason why `changes` may not go to the overlay now; () when they may.

    `ref` is the source branch that the images come from, None when nobody said it; `commits` the
    commit that each was built from, where that is known. With None no image is asked for proofs:
    whoever only looks asks no registry.
    """
    if not changes:
        return ()
    source = judge_source(view.overlay, ref) if ref is not None else ()
    if not view.row.after and not view.tip.config.freezes:
        hold = _hold_of(view)
        held = judge_hold(view.overlay, hold) if hold is not None else ()
        proofs = _judge_provenance(view, changes, commits)
        return source + held + _judge_rollback(view) + _judge_data(view)[0] + proofs
    return source + judge_carried(view, changes, commits=commits).reasons


def _hold_of(view: OverlayView) -> Hold | None:
    """Return what holds the overlay: its hold, else one of the app that it was called before."""
    if view.hold is not None or not (left := _left(view)):
        return view.hold
    from gitops.actions.releases.history import past_of
    from gitops.actions.releases.renames import former_folders

    folders = former_folders(past_of(view), view.overlay, view.home.commit)
    for _, label, hold in left:
        if any(label.rpartition("/")[0] in folder.split("/") for folder in folders):
            lifts = f"set for {label}, as it was called: `gitops resume {label}` lifts it"
            return replace(hold, reason=f"{hold.reason} ({lifts})")
    return None


def _left(view: OverlayView) -> tuple[tuple[str, str, Hold], ...]:
    """Return `holds_left` of the environment, looked for once, however many apps it has."""
    key = f"holds left in {view.row.name}"  # no branch has a space in its name
    if key not in view.tip.memo:
        view.tip.memo[key] = holds_left(view.home, view.row)
    found = view.tip.memo[key]
    return found if isinstance(found, tuple) else ()


def judge_carried(
    view: OverlayView,
    changes: Sequence[ImageChange],
    *,
    origins: Sequence[ImageOrigin] = (),
    expected: str | None = None,
    soak: timedelta | None = None,
    commits: Mapping[str, str] | None = None,
) -> Judgement:
    """Judge images whose way is known; see `core.policy.promotion.judge_promotion`."""
    from gitops.actions.policy.upstream import read_befores
    from gitops.core.policy.promotion import Judgement, Moment, judge_promotion

    if not changes:
        return Judgement()
    befores, warnings = read_befores(view, changes)
    found = judge_promotion(
        view.overlay,
        changes,
        befores=befores,
        origins=origins,
        moment=Moment(view.session.clock.now(), _hold_of(view), view.freeze),
        requires=view.row.requires,
        expected=expected,
        soak=soak,
    )
    against, doubts = _judge_data(view)
    known = None if commits is None else {**_commits(origins), **commits}
    proofs = _judge_provenance(view, changes, known)
    reasons = found.reasons + _judge_rollback(view) + against + proofs
    return Judgement(reasons, warnings + found.warnings + doubts)


def _commits(origins: Iterable[ImageOrigin]) -> dict[str, str]:
    """Return image -> the commit that it was built from, as far as commits recorded it."""
    told = ((one.image, parse_revision(one.revision)) for one in origins)
    return {image: found.commit for image, found in told if found is not None and found.commit}


def _judge_provenance(
    view: OverlayView, changes: Sequence[ImageChange], commits: Mapping[str, str] | None
) -> tuple[Reason, ...]:
    """Ask images for their proofs, where somebody wants some."""
    if commits is None or not view.tip.config.provenance_of(view.row).required:
        return ()
    from gitops.actions.policy.provenance import judge_provenance

    return judge_provenance(view, changes, commits)


def told_proofs(session: Session, changes: Iterable[ImageChange]) -> tuple[str, ...]:
    """Return what images have proved in this call, for the commit to record."""
    if not session.proofs:
        return ()
    from gitops.actions.policy.provenance import proof_lines

    return proof_lines(session, changes)


def _judge_data(view: OverlayView) -> tuple[tuple[Reason, ...], tuple[str, ...]]:
    """Ask the data rules, where somebody wrote some: reasons, and what nobody could look at."""
    if not view.tip.config.databases or view.row.change != "pull-request":
        return (), ()
    from gitops.actions.policy.databases import judge_data

    found = judge_data(view)
    return found.reasons, found.warnings


def _judge_rollback(view: OverlayView) -> tuple[Reason, ...]:
    """Does a proposed rollback wait? Nothing goes in before it, since its hold comes with it."""
    if view.row.rollback != "pull-request":
        return ()
    from gitops.actions.proposals.branches import proposal_branch, wide_branches

    own, wide = proposal_branch(view.overlay), wide_branches(view.tip.config, view.overlay)
    there = [own, *(branch for branch in wide if view.tip.has(branch))]
    return tuple(reason for branch in there for reason in _judge_branch(view, branch))


def _judge_branch(view: OverlayView, branch: str) -> tuple[Reason, ...]:
    from gitops.actions.proposals.find import look
    from gitops.actions.releases.proposed_rollback import rollback_waits

    present, problem = None, None
    try:
        found = look(view, branch)
        present, problem = found.present, found.problem
    except ManifestError as error:
        problem = error.message
    if problem is not None:
        text = f"nobody can tell whether a rollback waits on {branch}: {problem}"
        return (Reason("rollback", view.label, text),)
    if present is None or not rollback_waits(view, present):
        return ()
    text = f"a rollback by {present.author.name} waits on {branch}"
    return (Reason("rollback", view.label, text),)


class Override(Struct):
    """The override of one call: it passes what stood against it when it was given, nothing later.

    Attributes:
        reason: of `--override`; None: nothing is passed.
        stood: the reasons that stood when it was given, None before they are known.
    """

    reason: str | None
    stood: frozenset[Reason] | None = None

    def barred(self, reasons: Iterable[Reason]) -> tuple[Reason, ...]:
        """Return those of `reasons` that it does not pass; those of the first try it passes."""
        reasons = tuple(reasons)
        if self.reason is None:
            return reasons
        if self.stood is None:
            self.stood = frozenset(reasons)
        return outstanding(reasons, self.stood)

    def refusal(self, barred: Iterable[Reason], others: str | None = None) -> Refused:
        """Return the error that names all of `barred`; `others`: how the rest goes without."""
        reasons = tuple(barred)
        texts = tuple(str(reason) for reason in reasons)
        count = f"{len(texts)} reasons" if len(texts) > 1 else texts[0]
        hint = "`--override REASON` passes this, and is recorded in the commit"
        if {reason.kind for reason in reasons} == {"requires"}:
            hint = f"`gitops qa` and `gitops history` tell how a verdict is given; {hint}"
        if self.reason is not None:
            hint = "these came up after the override was given: look at them, then override again"
        if others is not None:
            hint += f"; {others}"
        return Refused(f"refused: {count}", hint=hint, reasons=texts)
