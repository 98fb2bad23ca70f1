"""Git's configuration is read once, whoever asks for it first."""

from __future__ import annotations

import threading
from contextlib import nullcontext, suppress
from typing import Any

from gitops.adapters.gitrepo.command.process import GitResult
from gitops.adapters.gitrepo.command.settings import KnownSettings

OUT = b"global\0user.name\nAna\0"


class SlowGit:
    """A git whose start takes until everybody has asked."""

    def __init__(self, askers: int) -> None:
        self.started = 0
        self._askers = threading.Barrier(askers)

    def start(self, _args: object) -> Any:
        """Start, late; wait for others who would start another one meanwhile."""
        self.started += 1
        with suppress(threading.BrokenBarrierError):
            self._askers.wait(0.05)
        return self

    def wait(self, _doing: str, *, quiet: bool = False) -> GitResult:
        """Return what git says."""
        return GitResult(0, OUT, "")


def test_two_threads_start_one_git() -> None:
    """Who begins while another thread asks does not start a second git."""
    git = SlowGit(2)
    known = KnownSettings(git, nullcontext, None)  # type: ignore[arg-type]
    found: list[object] = []
    asking = threading.Thread(target=lambda: found.append(known.lines(quiet=True)))
    asking.start()
    known.begin()
    asking.join()

    assert git.started == 1
    assert found == [known.lines()]
    assert [line.value for line in known.lines()] == ["Ana"]
