"""Did people agree to a change? Read from the forge, or from the ledger; never from a message.

What counts is the head that was approved *and* what landed: a merge commit can hold more than its
pull request had, whoever made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.actions.proposals.makers import counted, made_by
from gitops.actions.proposals.merged import MergeSides, brings_nothing
from gitops.actions.releases.ledger import ledger_of
from gitops.core.audit.findings import Approval
from gitops.core.environments.environment import Approvals, Overlay
from gitops.core.git.commit import CommitInfo
from gitops.core.ledger.records import approvals
from gitops.core.proposals.approval import makers
from gitops.errors import NotFound
from gitops.ports import Archive, GatedForge, PullRequest, Tree


class Change(Struct, frozen=True):
    """What is to be approved: the way from one commit to another, made by `info`.

    Attributes:
        start: the commit before it.
        end: the commit after it; of a pull request that was rebased, its last one.
    """

    info: CommitInfo
    start: str
    end: str


class ForgeApprovals:
    """What one forge knows of pull requests into one branch; asked once for each commit."""

    def __init__(self, forge: GatedForge, archive: Archive, branch: str) -> None:
        self._forge = forge
        self._archive = archive
        self._branch = branch
        self._merged: dict[str, PullRequest | None] = {}
        self._approvers: dict[int, tuple[str, ...]] = {}
        self._wanted: list[int | None] = []

    def merged(self, commit: str) -> PullRequest | None:
        """Return the merged pull request that brought `commit` to the branch."""
        if commit not in self._merged:
            pull = self._forge.merged_by(commit, self._branch)
            fits = pull is not None and pull.state == "merged" and pull.base == self._branch
            self._merged[commit] = pull if fits else None
        return self._merged[commit]

    def open_for(self, heads: Iterable[str]) -> PullRequest | None:
        """Return the open pull request whose head is one of `heads`."""
        for head in heads:
            for branch in branches_at(self._archive, head):
                pull = self._forge.find(branch, self._branch) if branch != self._branch else None
                if pull is not None and pull.state == "open" and pull.head == head:
                    return pull
        return None

    def approval(self, pull: PullRequest, rule: Approvals) -> Approval:
        """Return who approved `pull`; its author counts only where the environment says so."""
        if pull.number not in self._approvers:
            self._approvers[pull.number] = tuple(self._counted(pull, rule))
        by = self._approvers[pull.number]
        if rule.self and pull.author not in by:
            by = (*by, pull.author)
        merged = pull.state == "merged"
        return Approval(
            kind="forge",
            place=f"pull request {pull.number}",
            head=pull.head,
            by=by,
            required=rule.required,
            merged=merged,
            enforced=None if merged else self._enforced(rule.required),
            url=pull.url,
        )

    def _counted(self, pull: PullRequest, rule: Approvals) -> Sequence[str]:
        """Return who approved, without those who wrote or pushed some of it."""
        found = tuple(self._forge.approvers(pull.number))
        if rule.self or not found:
            return found
        told = tuple(self._forge.makers(pull.number))
        own = frozenset(one.commit for one in told)
        infos = [self._archive.info(one) for one in sorted(own) if self._has(one)]
        past = _Past(self._archive)
        updates = [one for one in infos if brings_nothing(past, one, own)]
        empty = {one.commit for one in updates}
        makers = made_by(told, [one for one in infos if one.commit not in empty], updates)
        return counted(found, makers)

    def _has(self, commit: str) -> bool:
        """Say whether a commit can be read; one that was forced away need not be there."""
        try:
            return bool(self._archive.find(commit))
        except NotFound:
            return False

    def _enforced(self, required: int) -> bool | None:
        """Say whether the forge keeps out what fewer than `required` people approved."""
        if not self._wanted:
            self._wanted.append(self._forge.protection(self._branch).approvals)
        wanted = self._wanted[0]
        return None if wanted is None else wanted >= required


class LedgerApprovals:
    """What the ledger says, read with the policy of one commit."""

    def __init__(self, session: Session, archive: Archive, tip: Tip) -> None:
        self._session = session
        self._archive = archive
        self._tip = tip

    def approval(self, overlay: Overlay, head: str, start: str | None, *, merged: bool) -> Approval:
        """Return who approved exactly `head`, which was made on `start`.

        Whoever wrote some of it counts only where the overlay says so: by name and address, and
        with signers by the key that signed.
        """
        rule = overlay.environment.approvals
        ledger = ledger_of(view_of(self._session, self._tip, overlay))
        known = approvals(ledger.entries, head)
        authors: frozenset[str] = frozenset()
        if known and not rule.self:
            authors = self._makers(head, start)
        return Approval(
            kind="signed" if self._tip.config.signers is not None else "claimed",
            place="the ledger",
            head=head,
            by=tuple(one.who for one in known if one.who.lower() not in authors),
            required=rule.required,
            merged=merged,
            # Nothing but `gitops approve` merges it.
            enforced=None if merged else True,
        )

    def _makers(self, head: str, start: str | None) -> frozenset[str]:
        found = self._archive.over(head, start)
        own = frozenset(one.commit for one in found)
        wrote = [one for one in found if not brings_nothing(_Past(self._archive), one, own)]
        signers = self._tip.config.signers
        listed = self._tip.snapshot.read(signers) if signers is not None else None
        signed: Mapping[str, str] = {}
        if listed is not None:
            signed = self._archive.signed_by([one.commit for one in wrote], listed)
        return makers(wrote or [self._archive.info(head)], signed)


class _Past(Struct, frozen=True):
    """An archive, as what tells a merge that brings nothing."""

    archive: Archive

    def forks(self, one: str, other: str) -> tuple[str, ...]:
        found = self.archive.fork(one, other)
        return () if found is None else (found,)

    def at(self, commit: str) -> Tree:
        return self.archive.tree(commit)

    def changed(self, before: str, after: str) -> tuple[str, ...]:
        return self.archive.changed(before, after)


def branches_at(archive: Archive, commit: str) -> tuple[str, ...]:
    """Return the branches whose newest commit it is."""
    return tuple(name for name, at in archive.branches().items() if at == commit)


def other_content(
    archive: Archive, change: Change, head: str, paths: Sequence[str]
) -> tuple[str, ...]:
    """Return those of `paths` that landed with something else in them than `head` brings."""
    fork = archive.fork(change.start, head)
    if fork is None:
        return tuple(paths)
    trees = (archive.tree(one) for one in (fork, change.start, head, change.end))
    return MergeSides(*trees).strange(paths, archive.merge_text)
