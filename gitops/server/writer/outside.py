"""Questions to others than the repository: a slow answer keeps nobody else waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import Any

Ask = Callable[[Callable[[], Any]], tuple[Any, bool]]
"""Calls, and lets others go on where that takes long; returns the answer, and whether it did."""


def begin(call: Callable[[], Any]) -> Future[Any]:
    """Call in a thread of its own, which no end of the process waits for."""
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised where the answer is wanted
            answer.set_exception(error)

    around = copy_context().run  # spans in there belong to whoever asks
    threading.Thread(target=around, args=(run,), daemon=True).start()
    return answer


def is_there(answer: Future[Any], seconds: float | None = None) -> bool:
    """Wait for an answer, at most so long; say whether it is there."""
    return bool(wait([answer], seconds).done)


class OutsidePort:
    """A port whose methods ask somebody outside; as it is in every other way.

    What was slow to answer is not asked again in a call: that one is planned anew, since others
    went on meanwhile, and would be late each time.

    Args:
        slow: what took long so far, with its answer.
        tell: hears the name of a method before it is called.
    """

    def __init__(
        self,
        port: Any,
        ask: Ask,
        slow: dict[Hashable, Any],
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._port = port
        self._ask = ask
        self._slow = slow
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found

        def asked(*args: Any, **kwargs: Any) -> Any:
            self._tell(name)
            key = (id(self), name, repr(args), repr(sorted(kwargs.items())))
            if key not in self._slow:
                answer, was_slow = self._ask(lambda: found(*args, **kwargs))
                if not was_slow:
                    return answer
                self._slow[key] = answer
            return self._slow[key]

        return asked
