"""Whose turn it is to tell people: one at a time, and soon another's, whatever happens to one."""

from __future__ import annotations

import pytest

from gitops.errors import Denied, GitopsError, Unavailable
from gitops.ports.lease import LeaseRecord
from gitops.server.notifications.turn import TellingTurn


class Store:
    """One Lease, as the API server of Kubernetes keeps it; a clock that tests turn."""

    name = "Lease gitops/gitops"

    def __init__(self) -> None:
        self.record: LeaseRecord | None = None
        self.error: GitopsError | None = None
        self.writes = 0
        self.now = 1000.0

    def read(self) -> LeaseRecord | None:
        if self.error is not None:
            raise self.error
        return self.record

    def write(
        self, holder: str, seconds: int, owner: str, over: LeaseRecord | None
    ) -> LeaseRecord | None:
        if self.error is not None:
            raise self.error
        if over != self.record:
            return None
        self.writes += 1
        self.record = LeaseRecord(
            holder, seconds, f"at {self.writes}", owner, version=str(self.writes)
        )
        return self.record


class Replica:
    """A server with a clock that goes wrong by so much."""

    def __init__(self, store: Store, skew: float = 0.0, owner: str = "shop") -> None:
        self.gained = 0
        self._store = store
        self.turn = TellingTurn(store, owner, self._gain, clock=lambda: store.now + skew)

    def _gain(self) -> None:
        self.gained += 1

    def step(self) -> bool:
        """One step; whether it is its turn after it."""
        self.turn.step(self._store)
        return self.turn.is_mine()


def test_one_at_a_time_and_the_other_after_the_lease() -> None:
    """Who dies is followed after 15 s, whatever the clocks say; its own word ends before that."""
    store = Store()
    one, other = Replica(store), Replica(store, skew=-86_400)
    seen = [one.step(), other.step()]
    for _ in range(20):
        store.now += 3
        seen += [one.step(), other.step()]
    dead = store.now
    turns = []
    while not other.turn.is_mine():
        store.now += 1
        other.step()
        turns.append((one.turn.is_mine(), other.turn.is_mine()))

    assert [True, False] * 21 == seen
    assert (1, 1) == (one.gained, other.gained)
    assert 15 == store.now - dead
    assert (True, True) not in turns
    assert (False, False) in turns
    assert not one.step()  # it wakes up, and sees that it was followed


def test_it_stops_before_the_lease_ends_where_nobody_answers() -> None:
    """Renewals that fail are no renewals; when the API is back, so is whoever had it."""
    store = Store()
    one = Replica(store)
    one.step()
    store.error = Unavailable("down")
    store.now += 9
    assert one.step()
    store.now += 2
    assert not one.step()
    store.error = None
    assert one.step()


def test_a_lost_answer() -> None:
    """A renewal that came through without an answer is found, and held on to."""
    store = Store()
    one = Replica(store)
    one.step()
    assert store.record is not None
    store.write(one.turn.identity, 15, "shop", store.record)
    one.step()
    assert one.step()


@pytest.mark.parametrize("error", [Denied("no right"), None])
def test_without_a_lease_each_tells(error: GitopsError | None) -> None:
    """Without the right, or where the Lease is another repository's: as without any."""
    store = Store()
    if error is None:
        Replica(store, owner="another").step()
    store.error = error
    one = Replica(store)
    assert one.step()
    assert not one.turn.is_agreed
    assert 1 == one.gained


def test_nobody_waits_for_who_gave_it_back() -> None:
    """Who stops gives it back, and the other has it at its next look."""
    store = Store()
    one, other = Replica(store), Replica(store)
    one.turn.start()
    for _ in range(1000):
        if one.turn.is_mine():
            break
        one.turn._stopping.wait(0.01)
    assert not other.step()
    one.turn.close()
    assert not one.turn.is_mine()
    assert other.step()


def test_without_replicas() -> None:
    """No store, no thread: always one's own turn."""
    turn = TellingTurn(None, "shop", lambda: None)
    turn.start()
    assert turn.is_mine()
    turn.close()
