"""One HTTP/1.1 connection that is kept from request to request.

Only what Git's protocol needs: a request with its whole body, an answer that is read as it comes.
It follows nothing, decodes nothing and repeats nothing but what no server can have seen.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from msgspec import Struct

from gitops.adapters.gitrepo.wire.pkt import NotGit

if TYPE_CHECKING:
    import ssl

_LONGEST = 1 << 16  # bytes of one line of a head
_HEADERS = 200
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


class HttpAnswer:
    """An answer whose head was read. Read its body to the end before the next request.

    Attributes:
        headers: in lower case; of one that came twice the last.
    """

    def __init__(self, stream: BinaryIO, status: int, headers: Mapping[str, str]) -> None:
        self._stream = stream
        self.status = status
        self.headers = headers
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length", "")
        self._left = int(length) if length.isdecimal() and not self._chunked else -1
        self.whole = status in (204, 304) or self._left == 0
        self.ends = not (self._chunked or self._left >= 0)

    def read(self, size: int) -> bytes:
        """Return `size` bytes of the body, fewer only at its end. Raises Broken, NotGit."""
        parts: list[bytes] = []
        while size > 0 and not self.whole:
            some = self._some(size)
            parts.append(some)
            size -= len(some)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _some(self, size: int) -> bytes:
        if self._chunked and self._left <= 0:
            self._next_chunk()
            if self.whole:
                return b""
        some = _reading(lambda: self._stream.read(size if self.ends else min(size, self._left)))
        if not some:
            if not self.ends:
                raise Broken("the connection ended in an answer", sent=True)
            self.whole = True
        elif not self.ends:
            self._left -= len(some)
            if self._left == 0:
                if self._chunked:
                    _line_of(self._stream)
                else:
                    self.whole = True
        return some

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

    def drain(self, most: int = 1 << 20) -> bool:
        """Read what is left of the body; False: there is more than `most` bytes."""
        while not self.whole and most > 0:
            most -= len(self.read(min(most, 1 << 16)))
        return self.whole


class HttpConnection:
    """A connection to one server, made when it is needed first and again when it has ended."""

    def __init__(self, server: HttpServer, timeout: Callable[[], float]) -> None:
        """`timeout`: asked for the seconds that a server may be silent."""
        self._server = server
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._stream: BinaryIO | None = None
        self._open: HttpAnswer | None = None
        self._closes = False
        self._stopped = False
        self.made = 0

    def connect(self) -> None:
        """Make the connection, unless there is one that still stands. Raises Broken."""
        if self._socket is not None and self._stands():
            return
        self.close()
        # As bytes: a str is encoded by a codec that takes a while to load.
        host = self._server.host.encode("ascii")
        where: tuple[Any, int] = (host, self._server.port)
        try:
            plain = socket.create_connection(where, self._timeout() + _LATER)
            try:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._server.tls is not None:
                    plain = self._server.tls().wrap_socket(plain, server_hostname=host)
            except BaseException:
                plain.close()
                raise
        except (OSError, ValueError) as error:
            raise Broken(f"no connection: {error}", sent=False) from None
        self._socket, self._stream = plain, cast("BinaryIO", plain.makefile("rb", 1 << 16))
        self.made += 1
        if self._stopped:
            self.close()
            raise Broken("stopped", sent=False)

    def _stands(self) -> bool:
        """Say whether a connection that was used before can be used again."""
        if self._socket is None or (self._open is not None and not self._open.whole):
            return False
        if self._closes or (self._open is not None and self._open.ends):
            return False
        try:
            self._socket.setblocking(False)
            self._socket.recv(1)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError as error:
            return type(error).__name__ == "SSLWantReadError"
        return False  # it has ended, or says what nobody asked for

    def ask(self, head: str, body: bytes) -> HttpAnswer:
        """Send a request and return the head of its answer. Raises Broken, NotGit.

        On a connection that had ended before it was sent again, once.
        """
        before = self.made
        self.connect()
        try:
            return self._ask(head, body)
        except Broken as error:
            if self.made > before or not error.unanswered or self._stopped:
                raise
            self.close()
            self.connect()
            return self._ask(head, body)

    def _ask(self, head: str, body: bytes) -> HttpAnswer:
        if self._socket is None or self._stream is None:
            raise Broken("there is no connection", sent=False)
        try:
            self._socket.settimeout(self._timeout() + _LATER)
            self._socket.sendall(head.encode("latin-1") + body)
        except (OSError, ValueError) as error:
            late = isinstance(error, TimeoutError)
            raise Broken(f"the connection ended: {error}", sent=True, unanswered=not late) from None
        status, headers = self._head()
        self._open = HttpAnswer(self._stream, status, headers)
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
            if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
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
            if int(words[1]) >= 200:
                return int(words[1]), headers

    def stop(self) -> None:
        """End it for good, also while another thread waits for an answer."""
        self._stopped = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def hand_over(self) -> socket.socket | None:
        """Return the connection itself, for somebody else to go on with; None: it is over."""
        if not self._stands():
            self.close()
            return None
        found, self._socket = self._socket, None
        self.close()
        return found

    def close(self) -> None:
        """End the connection; the next request makes another."""
        for one in (self._stream, self._socket):
            if one is not None:
                with suppress(OSError):
                    one.close()
        self._socket = self._stream = self._open = None
        self._closes = False


def _reading(read: Callable[[], bytes], *, unanswered: bool = False) -> bytes:
    try:
        return read()
    except (OSError, ValueError) as error:
        early = unanswered and not isinstance(error, TimeoutError)
        raise Broken(f"the connection ended: {error}", sent=True, unanswered=early) from None


def _line_of(stream: BinaryIO, *, unanswered: bool = False) -> bytes:
    """Return the next line of a head, without its end. Raises Broken at the end."""
    found = _reading(lambda: stream.readline(_LONGEST), unanswered=unanswered)
    if not found.endswith(b"\n"):
        if len(found) < _LONGEST:
            early = unanswered and not found
            raise Broken("the connection ended before an answer", sent=True, unanswered=early)
        raise NotGit("a head with a line that does not end")
    return found.rstrip(b"\r\n")
