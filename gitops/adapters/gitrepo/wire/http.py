"""One HTTP/1.1 connection that is kept from request to request.

Only what Git's protocol needs: a request with its whole body, an answer that is read as it comes.
It follows nothing, decodes nothing and repeats nothing but what no server can have seen.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import Struct

from gitops.adapters.gitrepo.wire.pkt import NotGit

if TYPE_CHECKING:
    import ssl

    from _typeshed import WriteableBuffer

T = TypeVar("T")
_LOT = 1 << 16  # bytes that are read at once
_PASSED_OVER = 1 << 20  # bytes of an answer that nobody wants: with more a new connection is made
_LONGEST = 1 << 16  # bytes of one line of a head
_HEADERS = 200
_DIGITS = 18  # of a length: Python reads no number of thousands of them
_LATER = 1.0  # seconds: whoever waits for the answer gives up first, and says so in their words


class Broken(Exception):
    """The connection could not be made, or ended.

    Attributes:
        sent: the server may have seen the request.
        unanswered: it ended before the first byte of an answer.
    """

    def __init__(self, words: str, *, sent: bool, unanswered: bool = False) -> None:
        super().__init__(words)
        self.sent = sent
        self.unanswered = unanswered


class HttpServer(Struct, frozen=True):
    """Where a connection goes.

    Attributes:
        tls: makes what proves the server's name; None: in the clear.
    """

    host: str
    port: int
    tls: Callable[[], ssl.SSLContext] | None


class _Body(io.RawIOBase):
    """The body of one answer, as it comes.

    Attributes:
        whole: it was read to its end.
        ends: its end is that of the connection.
    """

    def __init__(
        self, stream: io.BufferedReader, headers: Mapping[str, str], *, empty: bool
    ) -> None:
        """`empty`: nothing comes, whatever `headers` say."""
        self._stream = stream
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length", "")
        told = length.isdecimal() and len(length) <= _DIGITS and not self._chunked
        self._left = int(length) if told else -1
        self.whole = empty or self._left == 0
        self.ends = not (self._chunked or self._left >= 0)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, room: WriteableBuffer, /) -> int:
        """Read what comes next, at most as much as there is room for. Raises Broken, NotGit."""
        if self._chunked and self._left <= 0 and not self.whole:
            self._next_chunk()
        if self.whole:
            return 0
        space = memoryview(room) if self.ends else memoryview(room)[: self._left]
        count = _reading(lambda: self._stream.readinto1(space))
        if count == 0:
            if not self.ends:
                raise Broken("the connection ended in an answer", sent=True)
            self.whole = True
        elif not self.ends:
            self._left -= count
            if self._left == 0:
                if self._chunked:
                    _line_of(self._stream)
                else:
                    self.whole = True
        return count

    def _next_chunk(self) -> None:
        words = _line_of(self._stream).split(b";")[0].strip()
        try:
            self._left = int(words, 16)
        except ValueError:
            raise NotGit("an answer in parts without their sizes") from None
        if self._left < 0 or words[:1] in b"+-":
            raise NotGit("an answer in parts without their sizes")
        if self._left == 0:
            while _line_of(self._stream):
                pass
            self.whole = True


class HttpAnswer(io.BufferedReader):
    """An answer whose head was read; what is left of its body is passed over by the next request.

    Attributes:
        headers: in lower case; of one that came twice the last.
    """

    def __init__(self, body: _Body, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(body, _LOT)
        self._body = body
        self.status = status
        self.headers = headers

    @property
    def whole(self) -> bool:
        """The body was read to its end."""
        return self._body.whole

    def pass_over(self) -> bool:
        """Read what is left of the body; False: that is too much, or never ends."""
        if self._body.ends:
            return False
        left = _PASSED_OVER
        room = bytearray(_LOT)
        while not self._body.whole and left > 0:
            left -= self._body.readinto(room)
        return self._body.whole


class HttpConnection:
    """A connection to one server, made when it is needed first and again when it has ended."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._socket: socket.socket | None = None
        self._stream: io.BufferedReader | None = None
        self._open: HttpAnswer | None = None
        self._closes = False
        self._stopped = False
        self.made = 0

    def connect(self, timeout: float) -> None:
        """Make the connection, unless there is one that still stands. Raises Broken.

        `timeout`: seconds that the server may be silent.
        """
        if self._stands():
            return
        self._drop()
        # As bytes: a str is encoded by a codec that takes a while to load.
        host = self._server.host.encode("ascii")
        where: tuple[Any, int] = (host, self._server.port)
        try:
            plain = socket.create_connection(where, timeout + _LATER)
            try:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._server.tls is not None:
                    plain = self._server.tls().wrap_socket(plain, server_hostname=host)
            except BaseException:
                plain.close()
                raise
        except (OSError, ValueError) as error:
            raise Broken(f"no connection: {error}", sent=False) from None
        self._socket, self._stream = plain, cast("io.BufferedReader", plain.makefile("rb", _LOT))
        self.made += 1
        if self._stopped:
            self._drop()
            raise Broken("stopped", sent=False)

    def _stands(self) -> bool:
        """Say whether a connection that was used before can be used again."""
        if self._socket is None or self._closes:
            return False
        try:
            if self._open is not None and not self._open.pass_over():
                return False
        except (Broken, NotGit):
            return False
        try:
            self._socket.setblocking(False)
            self._socket.recv(1)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError as error:
            return type(error).__name__ == "SSLWantReadError"
        return False  # it has ended, or says what nobody asked for

    def ask(self, head: str, body: bytes, timeout: float) -> HttpAnswer:
        """Send a request and return the head of its answer. Raises Broken, NotGit.

        On a connection that had ended before it was sent again, once. `timeout`: seconds that the
        server may be silent.
        """
        before = self.made
        self.connect(timeout)
        try:
            return self._ask(head, body, timeout)
        except Broken as error:
            if self.made > before or not error.unanswered or self._stopped:
                raise
            self._drop()
            self.connect(timeout)
            return self._ask(head, body, timeout)

    def _ask(self, head: str, body: bytes, timeout: float) -> HttpAnswer:
        if self._socket is None or self._stream is None:
            raise Broken("there is no connection", sent=False)
        try:
            self._socket.settimeout(timeout + _LATER)
            self._socket.sendall(head.encode("latin-1") + body)
        except (OSError, ValueError) as error:
            late = isinstance(error, TimeoutError)
            raise Broken(f"the connection ended: {error}", sent=True, unanswered=not late) from None
        status, headers = self._head()
        empty = status in (204, 304) or head.startswith("HEAD ")
        self._open = HttpAnswer(_Body(self._stream, headers, empty=empty), status, headers)
        self._closes = headers.get("connection", "").lower() == "close"
        return self._open

    def _head(self) -> tuple[int, dict[str, str]]:
        stream = self._stream
        if stream is None:
            raise Broken("there is no connection", sent=True)
        first = True
        while True:
            words = _line_of(stream, unanswered=first).split(b" ", 2)
            first = False
            status = words[1] if len(words) > 1 and words[0].startswith(b"HTTP/1.") else b""
            if len(status) != 3 or not status.isdigit():
                raise NotGit("no answer of HTTP/1")
            headers: dict[str, str] = {}
            for _ in range(_HEADERS):
                line = _line_of(stream)
                if not line:
                    break
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
            else:
                raise NotGit("an answer with too many headers")
            if status >= b"200":
                return int(status), headers

    def stop(self) -> None:
        """End it for good, also while another thread waits for an answer."""
        self._stopped = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def hand_over(self) -> socket.socket | None:
        """Return the connection itself, for somebody else to go on with; None: it is over."""
        if not self._stands():
            self._drop()
            return None
        found, self._socket = self._socket, None
        self._drop()
        return found

    def close(self) -> None:
        """End it for good, and whoever waits for an answer."""
        self.stop()  # a thread that still reads would have us wait for it
        self._drop()

    def _drop(self) -> None:
        """End the connection; the next request makes another."""
        for one in (self._stream, self._socket):
            if one is not None:
                with suppress(OSError):
                    one.close()
        self._socket = self._stream = self._open = None
        self._closes = False


def _reading(read: Callable[[], T], *, unanswered: bool = False) -> T:
    try:
        return read()
    except (OSError, ValueError) as error:
        early = unanswered and not isinstance(error, TimeoutError)
        raise Broken(f"the connection ended: {error}", sent=True, unanswered=early) from None


def _line_of(stream: io.BufferedReader, *, unanswered: bool = False) -> bytes:
    """Return the next line of a head, without its end. Raises Broken at the end."""
    found = _reading(lambda: stream.readline(_LONGEST), unanswered=unanswered)
    if not found.endswith(b"\n"):
        if len(found) < _LONGEST:
            early = unanswered and not found
            raise Broken("the connection ended before an answer", sent=True, unanswered=early)
        raise NotGit("a head with a line that does not end")
    return found.rstrip(b"\r\n")
