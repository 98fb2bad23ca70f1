"""One change: what it touches, what it says it is, and who agreed to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from msgspec.structs import replace

from gitops.actions.audit.affected import TouchReader, protected
from gitops.actions.audit.agreement import ApprovalEvidence
from gitops.actions.audit.build_inputs import holds_of, overlays_in
from gitops.actions.audit.changes import BranchStep, Changeset
from gitops.actions.audit.rollback_claims import ClaimVerdict, find_overlays, held_by, judge_claim
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.actions.releases.ledger import ledger_of
from gitops.actions.releases.renames import Past
from gitops.core.audit.affected import AffectedPath
from gitops.core.audit.findings import (
    ChangeStatus,
    CheckedCommit,
    Claim,
    Finding,
    FindingLevel,
    claim_of,
    judge_approval,
    undo_of,
)
from gitops.core.audit.rollback_claim import first_change
from gitops.core.environments.environment import Config, Overlay
from gitops.core.kustomization.graph import BuildGraph
from gitops.core.kustomization.references import is_pinned
from gitops.core.text.plain import one_line
from gitops.errors import ManifestError
from gitops.ports import Archive


class StepJudge:
    """Judges the changes of one call, oldest first."""

    def __init__(
        self,
        session: Session,
        archive: Archive,
        reader: TouchReader,
        agreement: ApprovalEvidence,
        *,
        changes: Changeset,
    ) -> None:
        self._session = session
        self._archive = archive
        self._reader = reader
        self._agreement = agreement
        self._changes = changes

    def look(
        self, step: BranchStep, paths: Sequence[str], policy: Tip, after: Config | None
    ) -> tuple[CheckedCommit, tuple[Finding, ...]]:
        """Return how `step`, which changes `paths`, stands, and what is wrong with it.

        `policy` is the one from before it, `after` what it leaves (None: nobody can read it).
        """
        rows = protected(policy.config)
        touches = self._reader.touches(step, paths, policy.config, after, rows)
        claim = claim_of(step.info, held_by(self._archive, step, paths)) or undo_of(step.info)
        verdict = self._verdict(step, paths, claim, policy) if claim is not None else None
        found: list[Finding] = []
        standings: list[tuple[ChangeStatus, str | None]] = []
        for overlay, some in touches.items():
            standing = self._excuse(step, overlay, some, claim, verdict, policy)
            if standing is None:
                told, standing = self._agreed(step, overlay, some, policy)
                found += told
            standings.append(standing)
        if claim is not None and verdict is not None and verdict.offences:
            agreed = bool(touches) and all(kind == "approved" for kind, _ in standings)
            found = [one for one in found if one.path is None or not verdict.covers(one.path)]
            found = [*_told(step, claim, verdict, agreed=agreed), *found]
        elif claim is not None and not touches:
            standings.append(("rollback", _restores(claim)))
        if any(one.level == "error" for one in found):
            standings.append(("reported", None))
        kind, evidence = max(standings, key=_weight, default=("untouched", None))
        shown = {overlay.label: some for overlay, some in touches.items()}
        placed = tuple(self._placed(step, one) for one in found)
        return CheckedCommit(step.info, step.parent, shown, kind, evidence), placed

    def _placed(self, step: BranchStep, finding: Finding) -> Finding:
        """Add the first line that changed, where a mark in a diff would be looked for."""
        if finding.path is None or finding.line is not None or step.parent is None:
            return finding
        sides = [self._archive.tree(one) for one in (step.parent, step.commit)]
        entries = [tree.entry(finding.path) for tree in sides]
        if any(entry is None or entry.kind != "file" for entry in entries):
            return finding
        before, after = (tree.read(finding.path) or b"" for tree in sides)
        return replace(finding, line=first_change(before, after)[0])

    def standing_dangers(self, policy: Config, tip: str) -> Iterator[Finding]:
        """Yield what keeps anybody from knowing what protected overlays are built from.

        Remote bases that may change without a commit here are a warning; what leads out of the
        repository, and what cannot be followed to its end, is an error.
        """
        limit = self._reader.limit(tip) if protected(policy) else None
        if limit is not None:
            what = f"nobody can tell which Argo CD Applications read protected overlays: {limit}"
            yield Finding(tip, None, None, "error", "unreadable", what)
        for row in protected(policy):
            if not self._reader.lives_here(row):
                continue
            for overlay in overlays_in(self._archive.tree(tip), row):
                graph = self._reader.belongings(overlay, tip).graph
                yield from _dangers(graph, overlay, tip)

    def _verdict(
        self, step: BranchStep, paths: Sequence[str], claim: Claim, policy: Tip
    ) -> ClaimVerdict:
        at = step.parent or step.commit
        known = find_overlays(self._archive.tree(at), policy.config, claim.labels)
        here = {
            label: overlay
            for label, overlay in known.items()
            if self._reader.lives_here(overlay.environment)
        }
        archive, session = self._archive, self._session
        return judge_claim(
            archive,
            step,
            paths,
            claim,
            here,
            lambda overlay: ledger_of(view_of(session, policy, overlay)),
            Past(
                partial(self._changes.history, archive),
                archive.tree,
                archive.changed,
                session.load_config,
            ),
            policy.config.also,
        )

    def _excuse(
        self,
        step: BranchStep,
        overlay: Overlay,
        touches: Sequence[AffectedPath],
        claim: Claim | None,
        verdict: ClaimVerdict | None,
        policy: Tip,
    ) -> tuple[ChangeStatus, str | None] | None:
        """Return why nobody need have agreed to it: a right rollback, or a signed hold."""
        if claim is not None and verdict is not None:
            right = not verdict.offences and overlay.label in claim.labels
            if right and overlay.environment.rollback == "commit":
                return "rollback", _restores(claim.about(overlay.label))
            return None
        signer = self._signer(step, overlay, touches, policy)
        return ("signed", f"signed by {one_line(signer)}") if signer is not None else None

    def _signer(
        self, step: BranchStep, overlay: Overlay, touches: Sequence[AffectedPath], policy: Tip
    ) -> str | None:
        """Return who signed a commit that does no more than set or lift holds.

        What has not landed may be many commits, of which the newest is signed, and another one
        lifts the hold.
        """
        holds = holds_of(overlay, top_level=True)
        signers = policy.config.signers
        if signers is None or not all(touch.path in holds for touch in touches):
            return None
        if not self._changes.landed:
            return None
        try:
            listed = policy.snapshot.read(signers)
        except ManifestError:
            return None
        if listed is None:
            return None
        return self._archive.signed_by([step.commit], listed).get(step.commit)

    def _agreed(
        self, step: BranchStep, overlay: Overlay, touches: Sequence[AffectedPath], policy: Tip
    ) -> tuple[tuple[Finding, ...], tuple[ChangeStatus, str | None]]:
        paths = tuple(dict.fromkeys(touch.path for touch in touches))
        word = self._agreement.about(step, overlay, paths, policy)
        found = judge_approval(
            step.commit,
            overlay.label,
            touches,
            word.approval,
            landed=self._changes.landed,
            declared=word.declared,
            strange=word.strange,
        )
        evidence = str(word.approval) if word.approval is not None else None
        levels = {one.level for one in found}
        kind: ChangeStatus = "approved"
        if "error" in levels:
            kind = "reported"
        elif "warning" in levels:
            kind = "claimed"
        elif "notice" in levels:
            kind = "waiting"
        return found, (kind, evidence)


_ORDER: tuple[ChangeStatus, ...] = (
    *("untouched", "rollback", "signed", "approved", "claimed", "waiting", "reported"),
)


def _weight(standing: tuple[ChangeStatus, str | None]) -> int:
    return _ORDER.index(standing[0])


def _told(
    step: BranchStep, claim: Claim, verdict: ClaimVerdict, *, agreed: bool
) -> Iterator[Finding]:
    """Report what a rollback does beside; of one that people agreed to it is only worth a look."""
    label = one_line(claim.labels[0], 60) if len(claim.labels) == 1 else None
    level: FindingLevel = "warning" if agreed else "error"
    for one in verdict.offences:
        text = f"{claim.by} says it is {claim.kind}: {one.message}"
        yield Finding(step.commit, label, one.path, level, "rollback", text, one.line)


def _dangers(graph: BuildGraph, overlay: Overlay, tip: str) -> Iterator[Finding]:
    label = overlay.label
    for one in graph.remotes:
        if not is_pinned(one.target):
            what = (
                f"{label} is built from {one_line(one.target, 120)}, which may change without a "
                "commit here: pin it to a commit (?ref=)"
            )
            yield Finding(tip, label, one.path, "warning", "remote", what, one.line)
    for one in graph.outside:
        what = (
            f"{label} is built from {one_line(one.target, 120)}, which leads out of the repository"
        )
        yield Finding(tip, label, one.path, "error", "outside", what, one.line)
    for path, problem in graph.broken.items():
        what = f"{label} is built from it, and nobody can tell what it names: it {problem}"
        yield Finding(tip, label, path, "error", "unreadable", what)
    for limit in graph.limits:
        what = f"nobody can tell what {label} is built from: {limit}"
        yield Finding(tip, label, overlay.directory, "error", "unreadable", what)


def _restores(claim: Claim) -> str:
    if claim.undo:
        return "takes back the newest rollback"
    return f"restores {claim.restores[:7]}" if claim.restores else "restores an earlier release"
