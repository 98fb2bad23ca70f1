"""Turns: tests of the cluster share it, unless one of them stops what all need."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from cluster.turns import count_one, is_alone, turn
from servers.runs import until
from servers.sharing import RUN_VARIABLE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the locks, away from those of this run."""
    monkeypatch.setenv(RUN_VARIABLE, f"{os.getpid()}:{tmp_path}")
    return tmp_path / "servers"


def is_free(path: Path, how: int = fcntl.LOCK_EX) -> bool:
    """Could somebody else have this lock now?"""
    with path.open("w") as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_many_at_once(folder: Path) -> None:
    """Tests that stop nothing run beside each other, and none alone beside them."""
    with turn(alone=False):
        assert is_free(folder / "cluster.door")
        assert is_free(folder / "cluster.room", fcntl.LOCK_SH)
        assert not is_free(folder / "cluster.room")
        assert not is_alone()


def test_one_alone(folder: Path) -> None:
    """Beside the one that stops components nobody runs."""
    with turn(alone=True):
        assert is_alone()
        assert not is_free(folder / "cluster.room", fcntl.LOCK_SH)
    assert not is_alone()
    assert is_free(folder / "cluster.room")


def test_who_wants_to_be_alone_is_not_kept_out(folder: Path) -> None:
    """Those who come later wait behind it, so the ones inside are the last."""
    went_in = threading.Event()

    def alone() -> None:
        with turn(alone=True):
            went_in.set()

    with turn(alone=False):
        thread = threading.Thread(target=alone)
        thread.start()
        until(lambda: not is_free(folder / "cluster.door"))
        assert not went_in.is_set()
    thread.join(timeout=20)
    assert went_in.is_set()


def test_turns_are_counted(folder: Path) -> None:
    """Whoever counts, each number is told once, so one of all workers has the last turn."""
    folder.mkdir()

    assert [1, 2, 3] == [count_one() for _ in range(3)]
