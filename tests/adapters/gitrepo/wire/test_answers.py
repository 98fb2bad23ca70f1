"""Answers that are not what they should be: nothing of them counts, and git has the last word."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from gitops.adapters.gitrepo.wire.http import Broken, HttpConnection, HttpServer
from gitops.adapters.gitrepo.wire.pkt import FLUSH, NotGit, line, read_line, section, sideband


@contextmanager
def serving(*answers: bytes) -> Iterator[HttpServer]:
    """Serve connections one after the other: each gets one answer to each of its requests."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                for answer in answers:
                    there, _ = listening.accept()
                    with there, suppress(ConnectionError):
                        for one in answer.split(b"|"):
                            there.recv(1 << 16)
                            there.sendall(one)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield HttpServer("127.0.0.1", listening.getsockname()[1], None)


def connected(server: HttpServer) -> HttpConnection:
    """Return a connection."""
    return HttpConnection(server)


HEAD = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", b"abc"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            b"abc",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:3\r\n\r\nabc", b"abc"),
    ],
)
def test_bodies(answer: bytes, body: bytes) -> None:
    """A body ends where its head says, in each of the three ways there are."""
    with serving(answer) as server:
        found = connected(server).ask(HEAD, b"", 2.0)
        assert (200, body) == (found.status, found.read(100))
        assert found.whole


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 17),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_answer(answer: bytes) -> None:
    """Another protocol, and heads without an end, are refused."""
    with serving(answer) as server, pytest.raises(NotGit):
        connected(server).ask(HEAD, b"", 2.0).read(10)


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"HTTP/1.1 200 OK\r\nConte", b""],
)
def test_an_answer_that_ends_too_early(answer: bytes) -> None:
    """A connection that ends in an answer is told from one that ends behind it."""
    with serving(answer) as server, pytest.raises(Broken) as caught:
        connected(server).ask(HEAD, b"", 2.0).read(9)

    assert caught.value.sent


def test_a_kept_connection_that_has_ended() -> None:
    """Only a request that was not answered with a single byte is sent again, and only once."""
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
    with serving(good, good) as server:
        connection = connected(server)
        assert b"a" == connection.ask(HEAD, b"", 2.0).read(1)
        assert b"a" == connection.ask(HEAD, b"", 2.0).read(1)
        assert connection.made == 2
    with serving(good + b"|HTTP/1.1 2", good) as server:
        connection = connected(server)
        assert b"a" == connection.ask(HEAD, b"", 2.0).read(1)
        with pytest.raises(Broken):
            connection.ask(HEAD, b"", 2.0)


@pytest.mark.parametrize(
    ("rest", "made"),
    [
        (b"Content-Length: 5\r\n\r\nabcde", 1),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", 1),
        (b"Content-Length: 2000000\r\n\r\n" + b"a" * 2_000_000, 2),
        (b"\r\nabcde", 2),
    ],
)
def test_an_answer_that_is_not_read_to_its_end(rest: bytes, made: int) -> None:
    """What is left of an answer is passed over, where it is little and has an end of its own."""
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
    with serving(b"HTTP/1.1 200 OK\r\n" + rest + b"|" + good, good) as server:
        connection = connected(server)
        assert b"a" == connection.ask(HEAD, b"", 2.0).read(1)[:1]
        assert b"a" == connection.ask(HEAD, b"", 2.0).read(1)
        assert connection.made == made


def test_nobody_there() -> None:
    """Where nobody listens nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    with pytest.raises(Broken) as caught:
        connected(HttpServer("127.0.0.1", port, None)).ask(HEAD, b"", 2.0)

    assert not caught.value.sent


def test_frames() -> None:
    """Frames are as long as they say, and nothing else is taken for one."""

    def reading(data: bytes) -> object:
        rest = bytearray(data)

        def read(size: int) -> bytes:
            some = bytes(rest[:size])
            del rest[:size]
            return some

        return read

    assert b"one\n" == read_line(reading(line("one\n")))
    assert ["a", "b"] == list(section(reading(line("a\n") + line("b") + FLUSH)))
    for bad in (b"zzzz", b"00", b"0003", b"+004", b"ffffx", b"0009abc"):
        with pytest.raises(NotGit):
            read_line(reading(bad))
    with pytest.raises(NotGit, match="not our ref"):
        list(section(reading(line("ERR upload-pack: not our ref"))))
    told: list[bytes] = []
    with pytest.raises(NotGit, match="out of memory"):
        list(sideband(reading(line("\x02hi\n") + line("\x03out of memory")), told.append))
    assert b"hi\n" == told[0]
