"""What runs beside the call ends with it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.remote.line import Background
from gitops.adapters.gitrepo.wire.wire import UPLOAD, Broken, Wire
from gitops.errors import TimedOut


def test_a_limit_and_a_word() -> None:
    """Whoever waits over a second is told for whom; the limit ends it, and what runs is stopped."""
    told: list[str] = []
    git = Git({}, timeout=1.2, progress=told.append)
    stopped = threading.Event()
    work: Callable[[], bool] = lambda: stopped.wait(20)  # noqa: E731

    with pytest.raises(TimedOut, match="no answer within 1 s"):
        Background(git, work, stopped.set).wait("waiting for nobody")

    assert told == ["waiting for nobody"]
    assert stopped.is_set()


def test_what_was_raised_is_raised() -> None:
    """An error of the work comes where somebody waits for it."""

    def work() -> None:
        raise Broken("gone", sent=True)

    with pytest.raises(Broken, match="gone"):
        Background(Git({}), work, lambda: None).wait("waiting")


def test_closing_while_an_answer_is_awaited() -> None:
    """A call that ends does not wait for a thread that reads what never comes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        git = Git({})
        wire = Wire(git, f"http://127.0.0.1:{listening.getsockname()[1]}/m.git", lambda: ())
        asking = Background(git, lambda: wire.post(UPLOAD, b"0000"), lambda: None)
        there, _ = listening.accept()
        there.recv(1)
        began = time.monotonic()
        wire.close()

        assert time.monotonic() - began < 5.0
        with pytest.raises(Broken):
            asking.wait("waiting")
        there.close()
