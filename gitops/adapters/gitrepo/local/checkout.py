"""A checkout without a remote: the commit is made on its branch, and its files follow.

Writers are ordered by a lock on the git directory that the kernel drops when a process dies. A
note in the git directory says which files are about to follow, so that the next writer finishes
what a killed one began; without it they would look like edits that take the change back.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from gitops.adapters.gitrepo.command import messages
from gitops.adapters.gitrepo.command.push import settle
from gitops.adapters.gitrepo.local.bare import Bare
from gitops.adapters.gitrepo.objects.source import BranchTip
from gitops.core.text.plain import split_lines
from gitops.errors import Denied, Unavailable
from gitops.ports import Lost, RefUpdate

_NOTE = "gitops-follow"
_IN_TREE = ("-c", "core.fsmonitor=false", "-C")  # a monitor is a program that the repository names
_QUIET = ("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "protocol.file.allow=always")


class _Follow(Struct, frozen=True):
    """A checkout whose files go from one commit to another."""

    top: str
    old: str
    new: str


class Checkout(Bare):
    """`Source` for a checkout without a remote. The user's own hooks for refs run."""

    def tip(self, branch: str | None) -> BranchTip:
        """Read where the branch is now; first finish what a killed writer began."""
        if self._place.own and self._note.exists():
            with self._alone():
                self._finish_note()
        return super().tip(branch)

    def obstacle(self) -> str | None:
        """Writers of one checkout wait for each other as it is; see `Source`."""
        return "a checkout without a remote has one writer at a time"

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Move the branches, and the files of checkouts that have one of them checked out.

        Raises Denied for a file with uncommitted edits that would change; nothing changed then.
        """
        moving = [update for update in updates if update.new != update.old]
        self._hand_over([update.new for update in moving if update.new is not None])
        with self._alone():
            self._finish_note()
            now = self.refs()
            if all(now.get(update.ref) == update.new for update in updates):
                return None
            if self.moved(updates):
                return Lost("the branch moved")
            follows = self._follows(moving)
            for follow in follows:
                self._check(follow)
            self._write_note(moving)
            answer = self._git.run(
                [self._here, "update-ref", "-m", "gitops", "--stdin"],
                feed=os.fsencode("".join(map(self._order, updates))),
            )
            if answer.code != 0:
                self._drop_note()
                verdict = messages.read_update(answer.err)
                return settle(verdict, updates, self._place.name, lambda: self.moved(updates))
            for follow in follows:
                self._follow(follow)
            self._drop_note()
        return None

    def _hand_over(self, commits: Sequence[str]) -> None:
        """Copy new objects from the store, as any fetch does it, so that all settings hold."""
        names = []
        for number, commit in enumerate(commits):
            ref = self.store.path / "refs" / "gitops" / f"out{number}"
            ref.parent.mkdir(exist_ok=True)
            ref.write_text(commit + "\n")
            names.append(f"refs/gitops/out{number}")
        if not names:
            return
        self.store.settle()
        args = ("fetch", "-q", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        answer = self._git.run(
            [self._here, *_QUIET, *args, "--update-shallow", "--", str(self.store.path), *names]
        )
        if answer.code != 0:
            raise messages.error_of(messages.read_transport(answer.err), self._place.name)

    @staticmethod
    def _order(update: RefUpdate) -> str:
        if update.new is None:
            return f"delete {update.ref} {update.old}\n"
        if update.old is None:
            return f"create {update.ref} {update.new}\n"
        if update.old == update.new:
            return f"verify {update.ref} {update.old}\n"
        return f"update {update.ref} {update.new} {update.old}\n"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock that orders writers. Raises Unavailable when it cannot be had in time."""
        handle = os.open(self._place.common, os.O_RDONLY | os.O_DIRECTORY)
        deadline = time.monotonic() + self._git.timeout
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Unavailable(
                            f"another gitops has been writing to {self._place.name} for "
                            f"{self._git.timeout:.0f} s"
                        ) from None
                    time.sleep(0.02)
            yield
        finally:
            os.close(handle)

    def _trees(self) -> dict[str, str]:
        """Return ref -> top of the checkout that has it checked out."""
        answer = self._git.run([self._here, "worktree", "list", "--porcelain"])
        found = {}
        for block in answer.text.split("\n\n"):
            fields = dict(line.partition(" ")[::2] for line in split_lines(block))
            if "branch" in fields and "bare" not in fields:
                found[fields["branch"]] = fields["worktree"]
        # Also right where `core.worktree` points elsewhere, or Git leaves out an unborn branch.
        if self._place.branch is not None:
            found[f"refs/heads/{self._place.branch}"] = str(self._place.top)
        return found

    def _follows(self, updates: Sequence[RefUpdate]) -> list[_Follow]:
        trees = self._trees()
        empty = self.store.write("tree", b"")
        follows = []
        for update in updates:
            top = trees.get(update.ref)
            if top is None or not Path(top).is_dir():
                continue
            if update.new is None:
                raise Denied(
                    f"{update.ref.removeprefix('refs/heads/')} is checked out in {top}",
                    hint="check out another branch there first",
                )
            follows.append(_Follow(top, update.old or empty, update.new))
        return follows

    def _check(self, follow: _Follow) -> None:
        """Raise Denied when the files cannot follow without losing somebody's edits."""
        there = [*_IN_TREE, follow.top]
        diff = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", follow.old, follow.new]
        names = self._git.run([*there, *diff])
        paths = [name for name in names.out.decode("utf-8", "surrogateescape").split("\0") if name]
        if not paths:
            return
        self._git.run([*there, "update-index", "-q", "--refresh"])
        status = ["status", "--porcelain", "-z", "--untracked-files=all", "--ignored"]
        state = self._git.run([*there, "--literal-pathspecs", *status, "--", *paths])
        edited = [line[3:] for line in state.text.split("\0") if line[2:3] == " "]
        if edited:
            raise Denied(
                f"{', '.join(sorted(edited))}: uncommitted edits in {follow.top} that the change "
                "would overwrite",
                hint="commit or stash them, then try again",
            )
        trial = self._git.run([*there, "read-tree", "-n", "-m", "-u", follow.old, follow.new])
        if trial.code != 0:
            words = messages.words_of(trial.err)
            if ".lock'" in trial.err:
                raise Unavailable(f"another git is at work in {follow.top}: {words}")
            raise Denied(f"the files in {follow.top} cannot follow the change: {words}")

    def _follow(self, follow: _Follow) -> None:
        move = [*_IN_TREE, follow.top, "read-tree", "-m", "-u", follow.old, follow.new]
        answer = self._git.run(move)
        if answer.code != 0 and self._git.progress is not None:
            words = messages.words_of(answer.err)
            self._git.progress(f"the commit is made, but the files in {follow.top} stayed: {words}")

    @property
    def _note(self) -> Path:
        return self._place.common / _NOTE

    def _write_note(self, updates: Sequence[RefUpdate]) -> None:
        lines = [f"{one.ref} {one.old} {one.new}\n" for one in updates if one.old and one.new]
        try:
            self._note.write_bytes(os.fsencode("".join(lines)))
        except OSError as error:
            raise Denied(f"{self._place.name} cannot be written: {error.strerror}") from None

    def _drop_note(self) -> None:
        with suppress(FileNotFoundError):
            self._note.unlink()

    def _finish_note(self) -> None:
        """Let files follow that a killed writer left behind; edits made since stay as they are."""
        try:
            lines = split_lines(os.fsdecode(self._note.read_bytes()))
        except FileNotFoundError:
            return
        refs, trees = self.refs(), self._trees()
        for fields in (line.split(" ") for line in lines):
            if len(fields) == 3 and refs.get(fields[0]) == fields[2] and fields[0] in trees:
                self._git.run([*_IN_TREE, trees[fields[0]], "update-index", "-q", "--refresh"])
                self._follow(_Follow(trees[fields[0]], fields[1], fields[2]))
        self._drop_note()
