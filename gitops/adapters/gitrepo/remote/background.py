"""Work on a thread of its own, which is waited for as a git that runs is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from gitops.adapters.gitrepo.command.process import Git, wait_for

T = TypeVar("T")


class Background(Generic[T]):
    """Work on a thread of its own: the caller loads modules meanwhile, and can be stopped.

    It begins at once; `stop` makes it end soon when nobody waits for it any more. Waiting goes as
    it does for a git that runs: whoever waits over a second is told for whom, and there is a limit.
    """

    def __init__(self, git: Git, work: Callable[[], T], stop: Callable[[], None]) -> None:
        self._git = git
        self._work = work
        self._stop = stop
        self._since = time.monotonic()
        self._done = threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:  # noqa: BLE001 -- raised again where somebody waits
            self._error = error
        finally:
            self._done.set()

    def wait(self, doing: str) -> T:
        """Return what the work returned, or raise what it raised. Raises TimedOut.

        `doing` ("waiting for X") is told to whoever waits over a second.
        """
        try:
            wait_for(self._done.wait, self._git, self._since, doing)
        except BaseException:
            self.stop()
            raise
        return self.join()

    def join(self) -> T:
        """The same, however long it takes: for work that goes on after this one."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return cast("T", self._result)

    def stop(self) -> None:
        """End it, if it still runs."""
        if not self._done.is_set():
            self._stop()
