"""Times, retries and errors that all forges have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from fakes import START, FakeClock
from gitops.adapters.forges.transport.calls import (
    Calls,
    ForgeResponse,
    NoAnswer,
    is_limit,
    waiting_time,
)
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.errors import Denied, GitopsError, NotFound, Refused, TimedOut, Unavailable

ADDRESS = ForgeAddress("gitea", "https://git.example.com", "shop/m")


@contextmanager
def as_it_is() -> Iterator[None]:
    """Translate nothing: the tests raise what an adapter would."""
    yield


def calls(clock: FakeClock, budget: float = 60.0) -> Calls:
    """Return calls with a token that must not show."""
    return Calls(ADDRESS, ForgeToken("s3cret-token", "GITEA_TOKEN"), as_it_is, clock, budget)


class Server:
    """Raises what it was given, one after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "fine"


@pytest.mark.parametrize(
    ("errors", "asked"),
    [
        ((), 1),
        ((ForgeResponse(502, "bad gateway"),), 2),
        ((NoAnswer("reset"), ForgeResponse(503, "busy")), 3),
    ],
)
def test_reads_are_asked_again(errors: tuple[Exception, ...], asked: int) -> None:
    """A stumble of network or server is passed over, a little later."""
    server, clock = Server(*errors), FakeClock()

    assert "fine" == calls(clock).read(server)
    assert asked == server.asked
    assert (asked > 1) == (clock.passed > 0)


@pytest.mark.parametrize(
    "error",
    [
        ForgeResponse(404, "not found"),
        ForgeResponse(409, "conflict"),
        ForgeResponse(429, "slow down"),
        ForgeResponse(503, "busy", {"Retry-After": "30"}),
        NoAnswer("it took too long", late=True),
    ],
)
def test_what_is_not_asked_again(error: Exception) -> None:
    """A word of the forge is one; a limit and a slow server are not waited for."""
    server = Server(error)
    with pytest.raises(type(error)):
        calls(FakeClock()).read(server)

    assert 1 == server.asked


def test_reads_give_up() -> None:
    """Three times is enough."""
    server = Server(*(NoAnswer("reset") for _ in range(9)))
    with pytest.raises(NoAnswer):
        calls(FakeClock()).read(server)

    assert 3 == server.asked


def test_writes_are_done_once() -> None:
    """Nobody knows whether a write happened that was not answered."""
    server = Server(NoAnswer("reset"))
    with pytest.raises(NoAnswer):
        calls(FakeClock()).write(server)

    assert 1 == server.asked


def test_nothing_begins_after_the_time() -> None:
    """When the time is over, no request is made; the next question has time again."""
    clock, server = FakeClock(), Server()
    one = calls(clock, budget=5.0)
    clock.pause(6.0)
    with pytest.raises(NoAnswer) as caught:
        one.write(server)
    assert caught.value.late
    assert 0 == server.asked

    with one.door():
        assert "fine" == one.write(server)


def test_polls_end() -> None:
    """Polling asks at once, then more slowly, and not for longer than it was told."""
    clock = FakeClock()
    times = [clock.passed for _ in calls(clock).poll(5.0)]

    assert times[:3] == [0.0, pytest.approx(0.2), pytest.approx(0.6)]
    assert 5 < len(times) < 12
    assert clock.passed < 6.5


@pytest.mark.parametrize(
    ("error", "expected", "words", "hint"),
    [
        (ForgeResponse(401, "bad credentials"), Denied, "bad credentials", "GITEA_TOKEN"),
        (ForgeResponse(403, "no right"), Denied, "no right", "GITEA_TOKEN"),
        (ForgeResponse(404, "no such thing"), NotFound, "no such thing", "may not see it"),
        (ForgeResponse(405, "not now"), Refused, "not now", None),
        (ForgeResponse(422, "no commits between"), Refused, "no commits between", None),
        (ForgeResponse(301, "moved"), NotFound, "moved", "new address"),
        (ForgeResponse(500, "oops"), Unavailable, "500", "try again later"),
        (
            ForgeResponse(503, "busy", {"Retry-After": "90"}),
            Unavailable,
            "busy",
            "2026-01-05T09:01:30Z",
        ),
        (
            ForgeResponse(429, "slow", {"Retry-After": "90"}),
            Unavailable,
            "slow",
            "2026-01-05T09:01:30Z",
        ),
        (
            ForgeResponse(403, "API rate limit exceeded", {"X-RateLimit-Reset": "1767604000"}),
            Unavailable,
            "no more requests",
            "try again at 2026-01-05T09:06:40Z",
        ),
        (NoAnswer("connection reset"), Unavailable, "connection reset", None),
        (NoAnswer("it took too long", late=True), TimedOut, "too long", "try again"),
    ],
)
def test_errors_of_forges_become_ours(
    error: Exception, expected: type[GitopsError], words: str, hint: str | None
) -> None:
    """Refused, denied, not found or unavailable: with the forge, its words, and the way out."""
    with pytest.raises(expected) as caught, calls(FakeClock()).door():
        raise error

    assert type(caught.value) is expected
    assert "Gitea at git.example.com, shop/m" in caught.value.message
    assert words in caught.value.message
    assert (hint or "") in (caught.value.hint or "")


@pytest.mark.parametrize(
    "words", ["token s3cret-token is bad", "https://x:s3cret-token@git.example.com", "a\nb\x1b[31m"]
)
def test_words_are_harmless(words: str) -> None:
    """A server that repeats our token, or draws on the terminal, is not repeated."""
    one = calls(FakeClock())
    with pytest.raises(Refused) as caught, one.door():
        raise ForgeResponse(422, words)

    assert "s3cret-token" not in caught.value.message + repr(one)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "90"}, "2026-01-05T09:01:30+00:00"),
        ({"retry-after": "Mon, 05 Jan 2026 10:00:00 GMT"}, "2026-01-05T10:00:00+00:00"),
        ({"x-ratelimit-reset": "1767604000"}, "2026-01-05T09:06:40+00:00"),
        ({"ratelimit-reset": "1767604000"}, "2026-01-05T09:06:40+00:00"),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 40}, None),
        ({"x-ratelimit-reset": "never"}, None),
        ({"x-ratelimit-reset": "9" * 40}, None),
        ({}, None),
    ],
)
def test_waiting_time(headers: dict[str, str], expected: str | None) -> None:
    """Seconds, a date or a moment: told as a moment; nonsense is no moment."""
    found = waiting_time(headers, START)

    assert (datetime.fromisoformat(expected) if expected else None) == found


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ForgeResponse(429, "x"), True),
        (ForgeResponse(403, "x", {"X-RateLimit-Remaining": "0"}), True),
        (ForgeResponse(403, "x", {"Retry-After": "60"}), True),
        (ForgeResponse(403, "You have exceeded a secondary rate limit"), True),
        (ForgeResponse(403, "Resource not accessible by integration"), False),
        (ForgeResponse(403, "x", {"X-RateLimit-Remaining": "7"}), False),
        (ForgeResponse(404, "rate limit"), False),
    ],
)
def test_limits_are_told_from_denials(error: ForgeResponse, expected: bool) -> None:
    """403 means two things: no right, or not now."""
    assert expected == is_limit(error)
