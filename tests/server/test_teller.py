"""The server tells people by itself: a real hook hears of a real rollback, once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import pytest

from gitops.actions.context.session import Session
from gitops.core.notifications.event import Event
from gitops.server.notifications.teller import Teller
from gitops.wiring import open_kept
from manifests import Manifests
from servers.loopback import Handler, Loopback

NOTIFY = "notify: [{channel: oncall}]\n"


@pytest.fixture
def hook() -> Iterator[tuple[list[str], threading.Event, str]]:
    """What a chat heard, something that is set when it did, and its address."""
    heard: list[str] = []
    rung = threading.Event()

    class Chat(Handler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.read_body())["title"])
            self.say(200, (), b"")
            rung.set()

    with Loopback(Chat) as server:
        yield heard, rung, f"json://127.0.0.1:{server.port}/"


def test_it_tells_when_it_is_woken(
    manifests: Manifests, hook: tuple[list[str], threading.Event, str]
) -> None:
    """From where the last one left off; woken twice it tells once; it ends at once when stopped."""
    heard, rung, address = hook
    content = manifests.file("gitops.yaml")
    manifests.commit("Tell people", {"gitops.yaml": content + NOTIFY})
    with open_kept(str(manifests.path)) as session:

        @contextmanager
        def lend() -> Iterator[Session]:
            yield session()

        teller = Teller({"oncall": [address]}, lend, "https://g.example", at_most_every=0.01)
        teller.start()
        teller.wake()
        _until(lambda: "gitops/told" in manifests.git("branch", "--list"))
        manifests.gitops("hold", "dev", "--reason", "INC-42")
        teller.wake()
        teller.wake()
        assert rung.wait(30)
        _until(lambda: teller.sent == 1)
        begun = monotonic()
        teller.stop()
        teller.close()

    assert ["⏸ dev: held"] == heard
    assert teller.trouble is None
    assert monotonic() - begun < 10


def test_whose_turn_it_is_tells_what_another_replica_knows(
    manifests: Manifests, hook: tuple[list[str], threading.Event, str]
) -> None:
    """An alert that came in elsewhere is told by whoever tells, once, and not again by the next."""
    heard, _, address = hook
    content = manifests.file("gitops.yaml")
    manifests.commit("Tell people", {"gitops.yaml": content + NOTIFY})
    event = Event("c2a9 now", "alert", ("prod",), "Errors, and nothing was done")
    turns = {"one": True, "other": False}
    with open_kept(str(manifests.path)) as first, open_kept(str(manifests.path)) as second:
        sessions = {"one": first, "other": second}

        def opened(name: str) -> Teller:
            @contextmanager
            def lend() -> Iterator[Session]:
                yield sessions[name]()

            mine = {"is_my_turn": lambda: turns[name], "at_most_every": 0.01}
            return Teller({"oncall": [address]}, lend, "https://g.example", **mine)  # type: ignore[arg-type]

        one, other = opened("one"), opened("other")
        for teller in (one, other):
            teller.start()
        one.wake()
        _until(lambda: "gitops/told" in manifests.git("branch", "--list"))
        other.say(event)
        _until(lambda: "pending.json" in manifests.git("ls-tree", "--name-only", "gitops/told"))
        unheard = list(heard)
        one.wake()
        _until(lambda: one.sent == 1)
        turns |= {"one": False, "other": True}
        other.say(event)
        other.wake()
        manifests.gitops("hold", "dev", "--reason", "INC-42")
        other.wake()
        _until(lambda: other.sent == 1)
        for teller in (one, other):
            teller.stop()
            teller.close()

    assert [] == unheard
    assert ["🔔 prod: Errors, and nothing was done", "⏸ dev: held"] == heard


def test_without_channels_nothing_runs() -> None:
    """No thread, and no apprise, where nobody is to be told."""
    teller = Teller({}, lambda: pytest.fail("asked"), "")  # type: ignore[arg-type, return-value]
    teller.start()
    teller.wake()
    teller.stop()
    teller.close()


def _until(question: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(600):
        if question():
            return
        waiting.wait(0.05)
    raise AssertionError("not so after 30 s")
