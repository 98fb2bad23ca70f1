"""Did people agree to a change? Read from the forge, or from the ledger; never from a message.

What counts is the head that was approved *and* what landed: a merge commit can hold more than its
pull request had, whoever made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.actions.releases.ledger import ledger_of
from gitops.core.audit.findings import Approval
from gitops.core.audit.merged_content import merges_to, settled
from gitops.core.environments.environment import Approvals, Overlay
from gitops.core.git.commit import CommitInfo
from gitops.core.ledger.records import approvals
from gitops.core.proposals.approval import authors_of
from gitops.ports import Archive, GatedForge, PullRequest, Tree, TreeEntry


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
            self._approvers[pull.number] = tuple(self._forge.approvers(pull.number))
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

    def approval(self, overlay: Overlay, head: str, *, merged: bool) -> Approval:
        """Return who approved exactly `head`; its authors count only where the overlay says so."""
        rule = overlay.environment.approvals
        ledger = ledger_of(view_of(self._session, self._tip, overlay))
        info = self._archive.info(head)
        authors = {
            word.lower()
            for author in authors_of(info.author, info.message)
            for word in (author.name, author.email)
        }
        known = approvals(ledger.entries, head)
        return Approval(
            kind="signed" if self._tip.config.signers is not None else "claimed",
            place="the ledger",
            head=head,
            by=tuple(one.who for one in known if rule.self or one.who.lower() not in authors),
            required=rule.required,
            merged=merged,
            # Nothing but `gitops approve` merges it.
            enforced=None if merged else True,
        )


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
    trees = tuple(archive.tree(one) for one in (fork, change.start, head, change.end))
    return tuple(path for path in paths if not _is_merged(archive, trees, path))


def _is_merged(archive: Archive, trees: Sequence[Tree], path: str) -> bool:
    base, ours, theirs, landed = (tree.entry(path) for tree in trees)
    sure, expected = settled(base, ours, theirs)
    if sure:
        return expected == landed
    contents = [
        tree.read(path) if _is_file(entry) else None
        for tree, entry in zip(trees, (base, ours, theirs, landed), strict=True)
    ]
    old, one, other, found = contents
    if old is None or one is None or other is None or found is None:
        return False
    return merges_to(old, one, other, found, path, archive.merge_text)


def _is_file(entry: TreeEntry | None) -> bool:
    return entry is not None and entry.kind == "file"
