"""A port that is opened when it is used first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any


class Late:
    """A port that is opened when it is used first, and closed with the session."""

    def __init__(
        self, opened: ExitStack, way: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._opened = opened
        self._way = way

    def __getattr__(self, name: str) -> Any:
        if "_port" not in vars(self):
            self._port = self._opened.enter_context(self._way())
        return getattr(self._port, name)
