"""One `cat-file --batch` that reads objects, none of them larger than is good for us."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO

from gitops.adapters.gitrepo.command.process import Git

LARGEST = 1 << 25
"""Bytes of one object: a pack of a few may hold gigabytes of zeros."""

TOO_LARGE: tuple[str, bytes] = ("too large", b"")
"""The answer for an object that is larger."""

_ESCAPE = "surrogateescape"


class BatchReader:
    """Reads objects of one store; git is started when one is wanted."""

    def __init__(self, git: Git, args: Sequence[str]) -> None:
        self._git = git
        self._args = tuple(args)
        self._child: subprocess.Popen[bytes] | None = None

    def ask(self, names: Sequence[str]) -> list[tuple[str, bytes] | None]:
        """Return kind and body of a few objects; None for each that is not there, or TOO_LARGE."""
        found: list[tuple[str, bytes] | None] = []
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

    def _answers(self, names: Sequence[str]) -> Iterator[tuple[str, bytes] | None]:
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


def _answer(output: IO[bytes]) -> tuple[str, bytes] | None:
    """Read one answer: of what is too large nothing but its size."""
    header = output.readline().split()
    if len(header) != 3 or not header[2].isdigit():
        return None
    size = int(header[2])
    if size > LARGEST:
        return TOO_LARGE
    body = output.read(size)
    output.read(1)
    return header[1].decode(), body
