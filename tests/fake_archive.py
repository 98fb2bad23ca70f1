"""All commits of a FakeRepository, held to the same contract as real ones (tests/ports)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from fakes import FakeRepository, FakeTree
from gitops.core.git.commit import CommitInfo
from gitops.core.releases.history import OverlayVersion
from gitops.errors import NotFound, UsageError
from gitops.ports import Tree


class FakeArchive:
    """`ports.Archive` over a FakeRepository."""

    def __init__(self, repository: FakeRepository) -> None:
        self._repository = repository

    def find(self, revision: str | None) -> str:
        """See `ports.Commits`; of the ways to step back only `~1` is known."""
        name = revision if revision is not None else self._repository.default
        if not name or name.startswith("-") or ".." in name or " " in name:
            raise UsageError(f"{name!r} is not the name of a commit")
        if name.endswith("~1"):
            return self.info(self.find(name[:-2])).parents[0]
        found = self._repository.branches.get(name, name)
        if found not in self._repository.commits:
            raise NotFound(f"{name} is no commit")
        return found

    def info(self, commit: str) -> CommitInfo:
        """See `ports.Commits`."""
        return self._repository.commits[self.find(commit)].info

    def over(self, tip: str, base: str | None) -> tuple[CommitInfo, ...]:
        """See `ports.Commits`."""
        without = [self.find(base)] if base is not None else []
        found = self._repository._newest_first([self.find(tip)], without)
        return tuple(replace(self.info(one), merged=()) for one in found)

    def fork(self, one: str, other: str) -> str | None:
        """See `ports.Commits`."""
        both = self._repository._reachable([one]) & self._repository._reachable([other])
        order = list(self._repository.commits)
        return max(both, key=order.index, default=None)

    def history(self, commit: str, directory: str) -> Iterator[OverlayVersion]:
        """See `ports.Commits`."""
        return self._repository.history(self.find(commit), directory)

    def branches(self, *, anew: bool = False) -> Mapping[str, str]:
        """See `ports.Commits`."""
        return dict(self._repository.branches)

    def signed_by(self, commits: Sequence[str], signers: bytes) -> Mapping[str, str]:
        """See `ports.Commits`."""
        return self._repository.signed_by(commits, signers)

    def tree(self, commit: str) -> Tree:
        """See `ports.Trees`."""
        commit = self.find(commit)
        return FakeTree(commit[:7], commit, self._repository.commits[commit].files)

    def changed(self, before: str | None, after: str) -> tuple[str, ...]:
        """See `ports.Trees`."""
        commits = self._repository.commits
        old = commits[before].files if before is not None else {}
        new = commits[after].files
        return tuple(sorted(path for path in {*old, *new} if old.get(path) != new.get(path)))

    def changed_by_each(
        self, steps: Sequence[tuple[str | None, str]]
    ) -> tuple[tuple[str, ...], ...]:
        """See `ports.Trees`."""
        return tuple(self.changed(before, after) for before, after in steps)

    def prepare(self, ids: Sequence[str]) -> None:
        """Everything is here."""

    def merge_text(self, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
        """See `ports.Trees`; lines that were replaced on one side only are merged."""
        sides = [one.splitlines(keepends=True) for one in (base, ours, theirs)]
        if len({len(side) for side in sides}) != 1:
            return None
        merged = []
        for old, one, other in zip(*sides, strict=True):
            if one != old and other not in (old, one):
                return None
            merged.append(one if one != old else other)
        return b"".join(merged)
