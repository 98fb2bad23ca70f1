"""Git's configuration as it holds for a remote, read beside other things."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from gitops.adapters.gitrepo.command import settings
from gitops.adapters.gitrepo.command.process import Git, RunningGit


class KnownSettings:
    """Read once, in the background; asked for from any thread.

    Args:
        options: returns what points git at the store.
        given: the settings, where they are known already (a checkout).
    """

    def __init__(
        self,
        git: Git,
        options: Callable[[], Sequence[str]],
        given: tuple[settings.SettingLine, ...] | None,
    ) -> None:
        self._git = git
        self._options = options
        self._lines = given
        self._reading: RunningGit | None = None
        self._starting = threading.Lock()  # held for a moment, so that nobody waits for git here
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start to read, unless they are known or being read."""
        with self._starting:
            if self._lines is None and self._reading is None:
                self._reading = self._git.start([*self._options(), *settings.LIST])

    def lines(self, *, quiet: bool = False) -> tuple[settings.SettingLine, ...]:
        """Return all of them, in order of precedence; `quiet`: somebody else tells who waits."""
        with self._lock:
            self.begin()
            if self._lines is None and self._reading is not None:
                out = self._reading.wait("reading settings", quiet=quiet).out
                self._lines = settings.parse_settings(out)
            return self._lines or ()

    def stop(self) -> None:
        """Stop what reads."""
        if self._reading is not None:
            self._reading.stop()
