"""Questions to others than the repository: a slow answer keeps nobody else waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from contextvars import copy_context
from typing import Any

Ask = Callable[[Callable[[], Any]], tuple[Any, bool]]
"""Calls, and lets others go on where that takes long; returns the answer, and whether it did."""


class Question:
    """A call that runs in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._result: Any = None
        self._error: BaseException | None = None
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._listener: Callable[[], None] | None = None
        run = copy_context().run  # spans in there belong to whoever asks
        threading.Thread(target=run, args=(self._run,), daemon=True).start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the answer, at most so long; say whether it is there."""
        return self._ended.wait(seconds)

    def when_done(self, listener: Callable[[], None]) -> None:
        """Call `listener`, from any thread, when the answer is there; at once where it is."""
        with self._guard:
            if not self._ended.is_set():
                self._listener = listener
                return
        listener()

    def result(self) -> Any:
        """Return the answer. Raises what the call did."""
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 - raised where the answer is wanted
            self._error = error
        with self._guard:
            self._ended.set()
            listener = self._listener
        if listener is not None:
            listener()


class OutsidePort:
    """A port whose methods ask somebody outside; as it is in every other way.

    What was slow to answer is not asked again in a call: that one is planned anew, since others
    went on meanwhile, and would be late each time.

    Args:
        slow: what took long so far, with its answer.
    """

    def __init__(self, port: Any, ask: Ask, slow: dict[Hashable, Any]) -> None:
        self._port = port
        self._ask = ask
        self._slow = slow

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found

        def asked(*args: Any, **kwargs: Any) -> Any:
            key = (id(self), name, repr(args), repr(sorted(kwargs.items())))
            if key not in self._slow:
                answer, was_slow = self._ask(lambda: found(*args, **kwargs))
                if not was_slow:
                    return answer
                self._slow[key] = answer
            return self._slow[key]

        return asked
