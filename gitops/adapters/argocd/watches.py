"""A watch: a thread that holds a stream open, and opens it again when it ends."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator

_SHORTEST = 0.5  # seconds before a stream that ended is opened again
_LONGEST = 30.0
_LONG_ENOUGH = 20.0  # a stream that lived so long is no reason to slow down


def was_good(began: float) -> bool:
    """Say whether a stream that began then (monotonic seconds), and ended now, was a good one."""
    return time.monotonic() - began > _LONG_ENOUGH


class Watcher:
    """Reads one stream after the other, and calls `wake` for each thing that comes.

    A server that closes streams at once, refuses them or is away is asked ever more slowly. What
    comes is not looked at here: also the "resource version too old" of Kubernetes (410) is only the
    end of a stream. Whoever opens it begins at the newest version there is, or keeps what it says.
    """

    def __init__(
        self, open_stream: Callable[[], Iterator[object]], wake: Callable[[], None]
    ) -> None:
        self._open = open_stream
        self._wake = wake
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gitops-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop soon; a thread that hangs in a read ends with the process."""
        self._stopped.set()

    def _run(self) -> None:
        delay = _SHORTEST
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                for _ in self._open():
                    if self._stopped.is_set():
                        return
                    self._wake()
            except Exception:  # noqa: BLE001, S110 - a thread that died would watch nothing, in silence
                pass  # whoever reads next meets the same error, and tells people
            delay = _SHORTEST if was_good(began) else delay
            self._stopped.wait(delay * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, no secret
            delay = min(delay * 2, _LONGEST)
            if not self._stopped.is_set():
                self._wake()  # for what happened while nobody watched
