"""Registries asked at the same time, none of which keeps the others waiting."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from gitops.actions.pushed.look import Asked
from gitops.actions.pushed.tags import FoundTags, TagMemory, WantedTags, ask_tags
from gitops.core.images.name import ImageName
from gitops.errors import Bug, GitopsError, TimedOut
from gitops.ports import Clock, Registry

PATIENCE: Final = 20.0  # seconds that a look waits for all of them
_AT_ONCE: Final = 4  # repositories of one registry
_RESTS: Final = (30.0, 600.0)  # seconds for which a repository that failed is left alone

_log = logging.getLogger("gitops.server")
_Key = tuple[str, ImageName]


class _Question:
    """One repository, what is wanted of it, and what came of it."""

    def __init__(self, wanted: WantedTags) -> None:
        self.wanted = wanted
        self.answer: FoundTags | GitopsError | None = None


class RegistryAsker:
    """Used by one thread; asks in others.

    Args:
        opened: opens registries for one question: credentials may have changed.
        finished: called when an answer came that nobody waited for any more.
    """

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[Registry]],
        clock: Clock,
        finished: Callable[[], None],
        *,
        patience: float = PATIENCE,
        rests: tuple[float, float] = _RESTS,
    ) -> None:
        self._opened = opened
        self._clock = clock
        self._finished = finished
        self._patience = patience
        self._rests = rests
        self._changed = threading.Condition()
        self._running: dict[_Key, _Question] = {}
        self._resting: dict[_Key, tuple[float, float, GitopsError]] = {}
        self._waiting: dict[str, deque[_Question]] = {}
        self._threads: dict[str, int] = {}
        self._is_waited_for = False

    def ask(self, wanted: Sequence[WantedTags], memory: TagMemory) -> Asked:
        """Return what came of each within the patience; who is late is not asked again meanwhile.

        An answer that came late counts now, where the same is wanted still.
        """
        end = time.monotonic() + self._patience
        with self._changed:
            self._is_waited_for = True
            asked = [self._begun(one, memory) for one in wanted]
            running = [one for one in asked if isinstance(one, _Question)]
            self._changed.wait_for(
                lambda: all(one.answer is not None for one in running),
                max(end - time.monotonic(), 0.0),
            )
            self._is_waited_for = False
            return {number: self._ended(one) for number, one in enumerate(asked)}

    def _begun(self, wanted: WantedTags, memory: TagMemory) -> _Question | GitopsError:
        """Return the question that is on its way, a new one, or why none is asked now."""
        key = wanted.image, wanted.name
        known = self._running.get(key)
        if known is not None and (known.answer is None or known.wanted == wanted):
            return known
        rest = self._resting.get(key)
        if rest is not None and time.monotonic() < rest[0]:
            return rest[2]
        question = self._running[key] = _Question(wanted)
        self._waiting.setdefault(wanted.name.host, deque()).append(question)
        if self._threads.get(wanted.name.host, 0) < _AT_ONCE:
            self._threads[wanted.name.host] = self._threads.get(wanted.name.host, 0) + 1
            threading.Thread(
                target=self._work,
                args=(wanted.name.host, memory),
                name=f"gitops-registry {wanted.name.host}",
                daemon=True,
            ).start()
        return question

    def _ended(self, asked: _Question | GitopsError) -> FoundTags | GitopsError:
        if isinstance(asked, GitopsError):
            return asked
        key = asked.wanted.image, asked.wanted.name
        if asked.answer is None:
            return TimedOut(f"{asked.wanted.name.host} has not answered yet")
        del self._running[key]
        if isinstance(asked.answer, FoundTags):
            self._resting.pop(key, None)
            return asked.answer
        shortest, longest = self._rests
        before = self._resting.get(key)
        seconds = min(before[1] * 2, longest) if before is not None else shortest
        self._resting[key] = time.monotonic() + seconds, seconds, asked.answer
        return asked.answer

    def _work(self, host: str, memory: TagMemory) -> None:
        """Ask one registry, as long as there is anything to ask of it."""
        while True:
            with self._changed:
                if not self._waiting[host]:
                    self._threads[host] -= 1
                    return
                question = self._waiting[host].popleft()
            answer = self._answer(question, memory)
            with self._changed:
                question.answer = answer
                self._changed.notify_all()
                late = not self._is_waited_for
            if late:
                self._finished()

    def _answer(self, question: _Question, memory: TagMemory) -> FoundTags | GitopsError:
        try:
            with self._opened() as registry:
                return ask_tags(registry, self._clock, question.wanted, memory)
        except GitopsError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one that fails must not end the others
            _log.exception("%s cannot be asked", question.wanted.name)
            return Bug(f"this is a bug in gitops: {type(error).__name__}")
