"""Does what is proposed leave an environment at a database of its own class?

Asked for environments whose changes go in as proposals, where `gitops.yaml` has `databases:`: the
overlay is built as it stands, since images are all that a proposal changes.
"""

from __future__ import annotations

from msgspec import Struct

from gitops.actions.context.view import OverlayView
from gitops.actions.manifests.data_checks import DataChecks
from gitops.actions.manifests.files import SnapshotFiles
from gitops.actions.manifests.trial_build import TrialBuild, plain_build
from gitops.core.kustomization.graph import walk
from gitops.core.policy.reasons import Reason
from gitops.errors import GitopsError
from gitops.ports import Snapshot


class DataJudgement(Struct, frozen=True):
    """What the data rules say of one overlay."""

    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()


def judge_data(view: OverlayView, at: Snapshot | None = None) -> DataJudgement:
    """Build the overlay as `at` has it (None: its tip), and judge what it reaches.

    Where nobody can build it there is a warning and no reason. Asked once for a tip.
    """
    if not view.tip.config.databases or view.row.change != "pull-request":
        return DataJudgement()
    known = view.notes.get("data")
    if at is None and isinstance(known, DataJudgement):
        return known
    found = _judge(view, at if at is not None else view.home)
    if at is None:
        view.notes["data"] = found
    return found


def _judge(view: OverlayView, home: Snapshot) -> DataJudgement:
    renderer = view.session.renderer()
    if renderer is None:
        text = f"nobody looked which databases {view.label} reaches: no kustomize is at hand"
        return DataJudgement(warnings=(text,))
    try:
        graph = walk(SnapshotFiles(home), view.overlay.directory)
        trial = plain_build(home, renderer, graph, view.overlay.directory)
    except GitopsError as error:
        graph, trial = walk(SnapshotFiles(home), ""), TrialBuild(skipped=error.message)
    checks = DataChecks(view.tip.config)
    checks.look(view.overlay, home, graph, trial)
    reasons, warnings = [], []
    for one in checks.found():
        if one.overlay is None:
            continue  # what `gitops.yaml` leaves open is `validate`'s matter
        at = one.place
        if one.finding.level == "error":
            text = f"{one.finding.message} ({at.path}:{at.line}:{at.column})"
            reasons.append(Reason("data", view.label, text))
        else:
            warnings.append(f"{view.label}: {one.finding.message}")
    return DataJudgement(tuple(reasons), tuple(warnings))
