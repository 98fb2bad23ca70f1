"""Who agreed to a change of one overlay: everything that can tell, asked in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from gitops.actions.audit.approvals import Change, ForgeApprovals, LedgerApprovals, other_content
from gitops.actions.audit.changes import BranchStep, Changeset
from gitops.actions.context.session import Session, Tip
from gitops.actions.proposals.branches import proposal_branch, wide_branches
from gitops.core.audit.findings import Approval
from gitops.core.environments.environment import Config, Overlay
from gitops.core.hold import hold_path
from gitops.core.kustomization import choose_file
from gitops.core.kustomization.followers import image_paths
from gitops.errors import ManifestError
from gitops.ports import Archive, GatedForge, NoForge, PullRequest

_FARTHEST = 10  # commits of one rebased pull request that are looked at


class ApprovalFinding(Struct, frozen=True):
    """What was found for a change of one overlay.

    Attributes:
        approval: the best one, None when nobody knows of any.
        strange: paths that landed with something else in them than was approved.
        declared: it waits on the proposal branch of this overlay and changes image values only,
            so that whoever is asked to approve it knows what it is.
    """

    approval: Approval | None = None
    strange: tuple[str, ...] = ()
    declared: bool = False


class ApprovalEvidence:
    """Asks the forge, and the ledger where that proves something or nothing else does."""

    def __init__(self, session: Session, archive: Archive, branch: str, changes: Changeset) -> None:
        self._session = session
        self._archive = archive
        self._branch = branch
        self._changes = changes
        self._forges: list[GatedForge | NoForge] = []
        self._config: Config | None = None
        self._asked: ForgeApprovals | None = None

    def about(
        self, step: BranchStep, overlay: Overlay, paths: Sequence[str], policy: Tip
    ) -> ApprovalFinding:
        """Return what is known of the change that `step` makes to `paths` of `overlay`."""
        self._config = policy.config
        found = list(self._approvals(step, overlay, paths, policy))
        enough = [(one, strange) for one, strange in found if one.enough]
        proven = [pair for pair in enough if pair[0].kind != "claimed"] or enough
        if proven:
            # Of a merge of several heads each path must be what one of them brought.
            strange = set(proven[0][1]).intersection(*(set(some) for _, some in proven[1:]))
            return ApprovalFinding(proven[0][0], tuple(path for path in paths if path in strange))
        heads = self._heads(step)
        declared = not self._changes.landed and self._declares(step, overlay, paths, heads)
        best = max((one for one, _ in found), key=lambda one: len(one.by), default=None)
        if best is not None and not best.by and best.kind != "forge" and not declared:
            best = None  # a ledger without a word on it tells nothing
        return ApprovalFinding(best, declared=declared)

    def proof(self) -> str | None:
        """Return what approvals were read from that proves them; None for nothing, and when
        nothing had to be proven."""
        config = self._config
        if config is None:
            return None
        forge = self._forge(config)
        told = [] if isinstance(forge, NoForge) else [forge.describe()]
        if config.signers is not None:
            told.append(f"lines of the ledger that keys of {config.signers} signed")
        return "; ".join(told) or None

    def warnings(self) -> tuple[str, ...]:
        """Say so when something had to be proven, and nothing can prove it."""
        if self._config is None or self.proof() is not None:
            return ()
        forge = self._forge(self._config)
        why = (isinstance(forge, NoForge) and forge.hint) or "no forge is asked"
        return (
            f"nothing here proves an approval: {why}, and gitops.yaml names no signers; what the "
            "ledger says is a claim of whoever wrote it",
        )

    def _approvals(
        self, step: BranchStep, overlay: Overlay, paths: Sequence[str], policy: Tip
    ) -> Iterator[tuple[Approval, tuple[str, ...]]]:
        """Yield each approval that may be about the change, with the paths that it is not about."""
        forge = self._forge(policy.config)
        if not isinstance(forge, NoForge):
            yield from self._pulls(self._ask(forge), step, overlay, paths)
        if not isinstance(forge, NoForge) and policy.config.signers is None:
            return
        ledger = LedgerApprovals(self._session, self._archive, policy)
        landed = self._changes.landed
        for head in self._heads(step):
            approval = ledger.approval(overlay, head, step.parent, merged=landed)
            change = Change(step.info, step.parent or "", step.commit)
            yield approval, self._strange(change, head, paths) if approval.enough else ()

    def _heads(self, step: BranchStep) -> tuple[str, ...]:
        """Return the commits that may have been approved: what was merged, and the commit itself.

        One that the branch had before brings nothing, so its approval is used up.
        """
        return (*(one for one in step.info.parents if one != step.parent), step.commit)

    def _declares(
        self, step: BranchStep, overlay: Overlay, paths: Sequence[str], heads: Sequence[str]
    ) -> bool:
        wide = wide_branches(self._config, overlay) if self._config is not None else ()
        known = self._archive.branches()
        if not any(known.get(name) in heads for name in (proposal_branch(overlay), *wide)):
            return False
        if step.parent is None:
            return False
        before, after = self._archive.tree(step.parent), self._archive.tree(step.commit)
        try:
            name = choose_file(before.entries(overlay.directory), overlay.directory)
            file = overlay.path_of(f"{name}")
            also = self._config.also if self._config is not None else {}
            hold = hold_path(overlay.environment.name, overlay.app)
            return {*image_paths(before.read, after.read, file, paths, also), hold}.issuperset(
                paths
            )
        except ManifestError:
            return False

    def _strange(self, change: Change, head: str, paths: Sequence[str]) -> tuple[str, ...]:
        if not change.start:
            return tuple(paths)
        return other_content(self._archive, change, head, paths)

    def _pulls(
        self, asked: ForgeApprovals, step: BranchStep, overlay: Overlay, paths: Sequence[str]
    ) -> Iterator[tuple[Approval, tuple[str, ...]]]:
        """Yield what the pull request says that made the change, if one did."""
        rule = overlay.environment.approvals
        if not self._changes.landed:
            pull = asked.open_for(self._heads(step))
            if pull is not None:
                change = Change(step.info, step.parent or "", step.commit)
                yield asked.approval(pull, rule), self._strange(change, pull.head, paths)
            return
        found = self._window(asked, step, paths)
        if found is not None:
            yield asked.approval(found[0], rule), found[1]

    def _window(
        self, asked: ForgeApprovals, step: BranchStep, paths: Sequence[str]
    ) -> tuple[PullRequest, tuple[str, ...]] | None:
        """Return the merged pull request that `step` is of, and the paths that it did not have.

        One that was rebased landed as several commits, and a forge may only know the last of them:
        then they are its own when all of them together change what it did.
        """
        steps = self._changes.steps
        at = steps.index(step)
        end, pull = next(
            (
                (later, found)
                for later in range(at, min(at + _FARTHEST, len(steps)))
                if (found := asked.merged(steps[later].commit)) is not None
            ),
            (at, None),
        )
        if pull is None:
            return None
        own = end == at
        while end + 1 < len(steps) and _is(asked.merged(steps[end + 1].commit), pull):
            end += 1
        best: tuple[str, ...] | None = None
        for start in range(at, max(at - _FARTHEST, -1), -1):
            other = asked.merged(steps[start].commit)
            if other is not None and not _is(other, pull):
                break
            change = Change(step.info, steps[start].parent or "", steps[end].commit)
            strange = self._strange(change, pull.head, paths)
            best = strange if best is None or len(strange) < len(best) else best
            if not best:
                break
        if best and not own:
            return None  # a push before somebody else's pull request
        return pull, best or ()

    def _ask(self, forge: GatedForge) -> ForgeApprovals:
        if self._asked is None:
            self._asked = ForgeApprovals(forge, self._archive, self._branch)
        return self._asked

    def _forge(self, config: Config) -> GatedForge | NoForge:
        if not self._forges:
            self._forges.append(self._session.forge(config))
        return self._forges[0]


def _is(found: PullRequest | None, pull: PullRequest) -> bool:
    return found is not None and found.number == pull.number
