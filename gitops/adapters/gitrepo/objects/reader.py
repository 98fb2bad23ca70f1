"""Objects read by one `cat-file --batch`, none larger than is good for us, and many ahead.

What was read is in memory before anybody asks for it: that changes no answer, only what they cost.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.codec import LARGEST, GitObject, TreeContent

TOO_LARGE: GitObject = ("too large", b"")
"""The answer for an object that is larger."""

_LOT = 500  # names that fit into a pipe, so that nobody waits for room in it
_ROOM = 1 << 26  # bytes that are read before they are asked for
_ROOM_EACH = 1 << 24  # the same where several readers stay: a server has up to nine
_KEPT_EACH = 1 << 21  # of these, what is kept from one call to the next,
_BESIDE = 400  # where an object takes so many bytes beside its own: names, places, headers
_NEXT = 16  # of those that are expected are read together, and forgotten together
_EXPECTED = 100_000  # names that are remembered
_ESCAPE = "surrogateescape"
_BESIDE_TREE = 4  # entries that a tree counts for by itself


class BatchReader:
    """Reads objects of one store; git is started when one is wanted."""

    def __init__(self, git: Git, args: Sequence[str]) -> None:
        self._git = git
        self._args = tuple(args)
        self._child: subprocess.Popen[bytes] | None = None

    def ask(self, names: Sequence[str]) -> list[GitObject | None]:
        """Return kind and body of a few objects; None for each that is not there, or TOO_LARGE."""
        found: list[GitObject | None] = []
        while len(found) < len(names):
            found += self._answers(names[len(found) :])
        return found

    def stop(self) -> None:
        """End git; the next question starts it anew."""
        if self._child is not None:
            child, self._child = self._child, None
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # it only reads: nothing to tidy up
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()

    def rest(self) -> None:
        """Let git end by itself."""
        if self._child is not None and self._child.stdin is not None:
            with suppress(OSError):
                self._child.stdin.close()

    def _answers(self, names: Sequence[str]) -> Iterator[GitObject | None]:
        """Yield answers up to the first object that is too large."""
        child = self._running()
        if child.stdin is None or child.stdout is None:
            yield from [None] * len(names)
            return
        try:
            child.stdin.write("".join(f"{one}\n" for one in names).encode("utf-8", _ESCAPE))
            child.stdin.flush()
        except BrokenPipeError:
            yield from [None] * len(names)
            return
        for _ in names:
            answer = _answer(child.stdout)
            yield answer
            if answer is TOO_LARGE:
                self.stop()  # what it would say next is all of that object
                return

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.stdin is not None and self._child.stdin.closed:
            self.stop()
        if self._child is None or self._child.poll() is not None:
            self._child = self._git.popen([*self._args, "cat-file", "--batch"], quiet=True)
        return self._child


class ObjectReader(BatchReader):
    """Reads objects, and remembers what was read or made and may be asked for.

    Attributes:
        stays: it serves many calls, beside other readers.
        look: reads a few objects without git, or returns None.
    """

    def __init__(self, git: Git, args: Sequence[str]) -> None:
        super().__init__(git, args)
        self.stays = False
        self.look: Callable[[Sequence[str]], list[GitObject] | None] | None = None
        self._here: dict[str, GitObject] = {}
        self._size = 0  # bytes in `_here`: a process that lives long has many
        self._order: list[str] = []
        self._places: dict[str, int] = {}
        self._next: dict[str, GitObject] = {}

    def ask(self, names: Sequence[str]) -> list[GitObject | None]:
        """Return kind and body of a few objects; see `BatchReader`."""
        if self.look is not None and (found := self.look(names)) is not None:
            return [*found]
        return super().ask(names)

    def stop(self) -> None:
        """End git, and what is read without it."""
        super().stop()
        self.look = None

    def find(self, name: str) -> GitObject | None:
        """Return kind and body of an object, None where there is none, or TOO_LARGE."""
        found = self._here.get(name) or self._next.get(name)
        if found is None and name in self._places:
            place = self._places[name]
            self._next = self._read(self._order[place : place + _NEXT])
            found = self._next.get(name)
        return found or self.ask([name])[0]

    def add(self, objects: Mapping[str, GitObject]) -> None:
        """Remember objects; what has been here longest goes when there is no room."""
        for oid, one in objects.items():
            if oid not in self._here:
                self._here[oid] = one
                self._size += len(one[1])
            elif self.stays:  # what is asked for again goes later
                self._here[oid] = self._here.pop(oid)
        room = _ROOM_EACH if self.stays else _ROOM
        while self._size > 2 * room:
            self.let_go([next(iter(self._here))])

    def thin(self) -> None:
        """Between two calls, of a reader that stays: forget what was not asked for lately."""
        over = self._size + _BESIDE * len(self._here) - _KEPT_EACH
        gone: list[str] = []
        for oid, one in self._here.items():
            if over <= 0:
                break
            over -= len(one[1]) + _BESIDE
            gone.append(oid)
        self.let_go(gone)
        self._next = {}

    def read(self, oids: Iterable[str]) -> list[str]:
        """Read objects that will be asked for one by one; return those that are new in memory."""
        wanted = [oid for oid in dict.fromkeys(oids) if oid not in self._here]
        if not wanted:
            return []
        # What earlier calls left gives way; in a call of its own it is still wanted.
        room, size = (_ROOM_EACH, 0) if self.stays else (_ROOM, self._size)
        for start in range(0, len(wanted), _LOT):
            if size >= room:
                break
            found = self._read(wanted[start : start + _LOT])
            size += sum(len(one[1]) for one in found.values())
            self.add(found)
        return [oid for oid in wanted if oid in self._here]

    def let_go(self, oids: Iterable[str]) -> None:
        """Forget objects."""
        for oid in oids:
            gone = self._here.pop(oid, None)
            self._size -= len(gone[1]) if gone is not None else 0

    def expect(self, oids: Sequence[str]) -> None:
        """Be told what will be asked for in this order: a few are read at a time."""
        if len(self._order) + len(oids) > _EXPECTED:
            self._order, self._places = [], {}
        if 1 < len(oids) <= _EXPECTED:
            start = len(self._order)
            self._order += oids
            self._places |= {oid: start + place for place, oid in enumerate(oids)}

    def _read(self, oids: Sequence[str]) -> dict[str, GitObject]:
        answers = zip(oids, self.ask(oids), strict=True)
        return {oid: one for oid, one in answers if one and one is not TOO_LARGE}


class RecentTrees:
    """Remembers folders that were parsed, by their ids: those that were asked for lately.

    Attributes:
        entries: of all of them, and a few more for each, which takes as much by itself.
    """

    def __init__(self) -> None:
        self._trees: dict[str, TreeContent] = {}
        self.entries = 0

    def __contains__(self, oid: object) -> bool:
        return oid in self._trees

    def __len__(self) -> int:
        return len(self._trees)

    def find(self, oid: str) -> TreeContent | None:
        """Return a tree, None where it is not remembered; the latest that was asked for is last."""
        tree = self._trees.pop(oid, None)
        if tree is not None:
            self._trees[oid] = tree
        return tree

    def add(self, oid: str, tree: TreeContent, most: int) -> None:
        """Remember a tree beside at most so many entries of others."""
        self.entries += len(tree) + _BESIDE_TREE
        self.let_go(most)
        self._trees[oid] = tree

    def let_go(self, most: int) -> None:
        """Forget what was not asked for lately, so that there are at most so many entries."""
        gone: list[str] = []
        for oid, tree in self._trees.items():
            if self.entries <= most:
                break
            self.entries -= len(tree) + _BESIDE_TREE
            gone.append(oid)
        for oid in gone:
            del self._trees[oid]


def _answer(output: IO[bytes]) -> GitObject | None:
    """Read one answer: of what is too large nothing but its size."""
    header = output.readline().split()
    if len(header) != 3 or not header[2].isdigit():
        return None
    size = int(header[2])
    if size > LARGEST:
        return TOO_LARGE
    body = output.read(size + 1)  # a newline is behind it
    return (header[1].decode(), body[:-1]) if len(body) > size else None  # git may have been killed
