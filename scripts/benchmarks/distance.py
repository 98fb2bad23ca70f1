"""A longer way to the server: a proxy that holds everything back, as a network would.

`python distance.py URL SECONDS` prints its port and serves until standard input closes. It needs no
privileges and no kernel module. What it imitates of TCP: a new connection costs one round trip
before the first byte, each byte is half a round trip on its way, and a connection starts slowly:
what fits into ten packets in the first round trip, twice as much in each one after it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

_FIRST = 14_600  # bytes of a first round trip: ten packets (RFC 6928)
_BLOCK = 65536


class Way:
    """One direction of one connection. Times are seconds, of any clock."""

    def __init__(self, round_trip: float, ready: float) -> None:
        """`ready`: when the connection stands, and the first byte may leave."""
        self._round_trip = round_trip
        self._window = _FIRST
        self._left = _FIRST
        self._round = ready
        self._last = 0.0

    def arrival(self, now: float, size: int) -> float:
        """Return when the last of `size` bytes that are sent at `now` arrives."""
        if now >= self._round + self._round_trip:
            self._round, self._left = now, self._window
        while size > self._left:
            size -= self._left
            self._round += self._round_trip
            self._window *= 2
            self._left = self._window
        self._left -= size
        self._last = max(self._last, max(self._round, now) + self._round_trip / 2)
        return self._last


class _Proxy:
    def __init__(self, host: str, port: int, round_trip: float) -> None:
        self._upstream = (host, port)
        self._round_trip = round_trip

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        ready = asyncio.get_running_loop().time() + self._round_trip
        there, here = await asyncio.open_connection(*self._upstream)
        await asyncio.gather(self._carry(reader, here, ready), self._carry(there, writer, ready))

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, ready: float
    ) -> None:
        loop = asyncio.get_running_loop()
        way = Way(self._round_trip, ready)
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                when, block = await late.get()
                await asyncio.sleep(max(when - loop.time(), 0))
                if not block:
                    break
                sink.write(block)
                await sink.drain()
            sink.close()

        delivering = asyncio.create_task(deliver())
        with suppress(ConnectionError):
            while block := await source.read(_BLOCK):
                late.put_nowait((way.arrival(loop.time(), len(block)), block))
        late.put_nowait((way.arrival(loop.time(), 0), b""))
        with suppress(ConnectionError):
            await delivering


class Distance:
    """The proxy in a process of its own. A context manager.

    Attributes:
        url: what stands for the URL of the server behind it.
    """

    def __init__(self, url: str, round_trip: float) -> None:
        command = [sys.executable, str(Path(__file__)), url, str(round_trip)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            raise SystemExit("the proxy did not start")
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> Distance:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


async def _main(url: str, round_trip: float) -> None:
    parts = urlsplit(url)
    proxy = _Proxy(parts.hostname or "127.0.0.1", parts.port or 80, round_trip)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], float(sys.argv[2])))
