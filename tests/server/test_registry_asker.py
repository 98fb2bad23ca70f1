"""Registries that are asked beside each other: none keeps the others waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fake_registry import MemoryRegistry
from gitops.actions.pushed.tags import FoundTags, TagMemory, WantedTags
from gitops.core.environments.environment import Environment
from gitops.core.environments.tag_rules import TagRow, TagRule
from gitops.core.images.name import ImageName
from gitops.errors import Bug, GitopsError, TimedOut, Unavailable
from gitops.server.images.asker import RegistryAsker
from gitops.wiring.kept import system_clock
from images import push_image

RULE = TagRule((TagRow("main-*", "main"),))
DEV = Environment("dev", "overlays/dev", accepts=("main",), deploy="auto")
QUICK, SLOW = ImageName("quick.example.com", "shop/api"), ImageName("slow.example.com", "shop/api")


class Shelves:
    """Two registries, of which one answers when it is let."""

    def __init__(self) -> None:
        self.registry = MemoryRegistry()
        self.let = threading.Event()
        self.opened = 0
        self.late: list[float] = []
        self.trouble: Callable[[str], None] = lambda _: None
        for name in (QUICK, SLOW):
            push_image(self.registry, name, "main-1")
        real = self.registry.tags

        def tags(name: ImageName) -> Iterator[str]:
            if name == SLOW:
                assert self.let.wait(60)
            self.trouble(str(name))
            return real(name)

        self.registry.tags = tags  # type: ignore[method-assign]

    @contextmanager
    def open(self) -> Iterator[MemoryRegistry]:
        self.opened += 1
        yield self.registry

    def asker(self, *, patience: float = 0.2, rest: float = 60.0) -> RegistryAsker:
        return RegistryAsker(
            self.open,
            system_clock(),
            lambda: self.late.append(time.monotonic()),
            patience=patience,
            rests=(rest, rest * 4),
        )


def wanted(*names: ImageName) -> list[WantedTags]:
    return [WantedTags("shop/api", name, RULE, (DEV,), ()) for name in names]


def await_(question: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not question():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_slow_registry_keeps_nobody_waiting() -> None:
    """It is late for this look, not asked again meanwhile, and its answer counts at the next one,
    for which it wakes."""
    shelves, memory = Shelves(), TagMemory()
    asker, both = shelves.asker(), wanted(QUICK, SLOW)
    for _ in range(3):
        found = asker.ask(both, memory)
        assert isinstance(found[0], FoundTags)
        assert isinstance(found[1], TimedOut)
    assert 4 == shelves.opened
    shelves.let.set()
    await_(lambda: shelves.late)
    opened = shelves.opened
    assert isinstance(asker.ask(both, memory)[1], FoundTags)
    assert opened + 1 == shelves.opened


def test_an_answer_to_another_question_does_not_count() -> None:
    """What came late was asked for environments that are not as they were: it is asked anew."""
    shelves, memory = Shelves(), TagMemory()
    asker = shelves.asker(patience=0.1)
    assert isinstance(asker.ask(wanted(SLOW), memory)[0], TimedOut)
    shelves.let.set()
    await_(lambda: shelves.late)
    other = [WantedTags("shop/api", SLOW, RULE, (Environment("test", "t", deploy="auto"),), ())]
    found = shelves.asker(patience=60).ask(other, memory)[0]
    again = asker.ask(other, memory)[0]
    for one in (found, again):
        if isinstance(one, TimedOut):
            await_(lambda: len(shelves.late) > 1)
            one = asker.ask(other, memory)[0]
        assert isinstance(one, FoundTags)
        assert {"test"} == one.choices.keys()


def test_one_that_failed_rests() -> None:
    """Longer each time; others are asked as ever. What it said is said again meanwhile."""
    shelves, memory = Shelves(), TagMemory()
    shelves.let.set()
    failing: list[GitopsError] = [Unavailable("busy")]

    def trouble(name: str) -> None:
        if name == str(SLOW) and failing:
            raise failing[0]

    shelves.trouble = trouble
    asker, both = shelves.asker(patience=60, rest=0.3), wanted(QUICK, SLOW)
    begun = time.monotonic()
    assert isinstance(asker.ask(both, memory)[1], Unavailable)
    opened = shelves.opened
    while time.monotonic() - begun < 0.2:
        assert isinstance(asker.ask(wanted(SLOW), memory)[0], Unavailable)
    assert opened == shelves.opened
    await_(lambda: asker.ask(wanted(SLOW), memory) and shelves.opened > opened)
    second = time.monotonic()
    failing.clear()
    await_(lambda: isinstance(asker.ask(wanted(SLOW), memory)[0], FoundTags))
    assert time.monotonic() - second > 0.3


def test_a_bug_is_one_answer() -> None:
    """It ends no thread, and no look."""
    shelves, memory = Shelves(), TagMemory()
    shelves.let.set()

    def trouble(name: str) -> None:
        if name == str(SLOW):
            raise ZeroDivisionError

    shelves.trouble = trouble
    found = shelves.asker(patience=60).ask(wanted(QUICK, SLOW), memory)
    assert isinstance(found[0], FoundTags)
    assert isinstance(found[1], Bug)
