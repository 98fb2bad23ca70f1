"""What a server tells at the beginning of a push: all of its refs, asked for or not.

git does not pass that on; its trace of the talk does. The trace holds no headers, so no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

_LONGEST = 1 << 25  # bytes of the trace that are read: some 200,000 refs


class RefAdvertisement:
    """Listens to pushes, once `open` was called. Nothing is traced before.

    Attributes:
        listens: `open` was called.
        gave_way: the newest push was not made, see `give_way`.
    """

    def __init__(self) -> None:
        self.listens = False
        self.gave_way = False
        self._prefix = ""
        self._crowd: Callable[[Collection[str]], bool] | None = None
        self._file: Path | None = None
        self._heard: Mapping[str, str] | None = None

    def open(self) -> None:
        """Listen to the pushes from now on."""
        self.listens = True

    def give_way(self, prefix: str, crowd: Callable[[Collection[str]], bool] | None) -> None:
        """Make no push that touches nothing under `prefix` where `crowd` says so of refs there."""
        self._prefix, self._crowd = prefix, crowd

    def leaves(self, moving: Collection[str], refs: Mapping[str, str]) -> bool:
        """Say of a push of refs whether it leaves the way to others, by what the server told."""
        there = [ref for ref in refs if self._crowd is not None and ref.startswith(self._prefix)]
        ours = any(ref.startswith(self._prefix) for ref in moving)
        self.gave_way = bool(there) and not ours and self._crowd is not None and self._crowd(there)
        return self.gave_way

    def environ(self, folder: Path) -> Mapping[str, str] | None:
        """Return the variables for the git that pushes; its trace goes into `folder`."""
        if not self.listens:
            return None
        self._heard, self.gave_way = None, False
        self._file = folder / "push-talk"
        with suppress(FileNotFoundError):
            self._file.unlink()
        return {"GIT_TRACE_PACKET": str(self._file)}

    def heard(self, refs: Mapping[str, str]) -> None:
        """Take note of what the server told at a push that no git made."""
        self._heard = refs

    def refs(self, prefix: str) -> tuple[str, ...]:
        """Return the refs under `prefix` that the server told of at the newest push."""
        if self._heard is not None:
            return tuple(ref for ref in self._heard if ref.startswith(prefix))
        if self._file is None:
            return ()
        try:
            with self._file.open("rb") as file:
                talk = file.read(_LONGEST)
        except OSError:
            return ()
        # Over HTTP git hears it twice: the helper that asks, and the one that pushes.
        line = rb"(?:git|push)< [0-9a-f]{40,64} (%b[^\s\\]+)" % re.escape(prefix.encode())
        told = dict.fromkeys(re.findall(line, talk))
        return tuple(ref.decode("utf-8", "replace") for ref in told)
