"""`gitops serve` as a process that is measured, and whoever looks at its page or acts there.

CPU and memory are the kernel's own words on that process.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from peers import base_environment

_TICK = os.sysconf("SC_CLK_TCK")
_LONGEST = 300.0  # seconds that a start may take
_KINDS = {"Accept-Encoding": "gzip"}
_BROWSER = {"Sec-Fetch-Site": "same-origin"}


class PageProcess:
    """`gitops serve` on one repository; a context manager that waits for its first board.

    Attributes:
        port: where it listens, on the loopback.
        ready: seconds from its start until it said that it is ready.
    """

    def __init__(
        self,
        root: Path,
        gitops: list[str],
        url: str,
        more: Mapping[str, str] | None = None,
        *words: str,
    ) -> None:
        environment = base_environment(root) | {"GITOPS_CACHE": "off", **(more or {})}
        self._begun = time.monotonic()
        self.process = subprocess.Popen(
            [*gitops, "serve", "--repo", url, "--listen", "127.0.0.1:0", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def listen(self) -> None:
        """Wait until it says where it listens."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r" at http://127\.0\.0\.1:(\d+)", line)
        assert found is not None, line
        self.port = int(found[1])

    def __enter__(self) -> PageProcess:
        self.listen()
        while self.get("/readyz")[0] != 200:
            assert time.monotonic() - self._begun < _LONGEST
            time.sleep(0.05)
        self.ready = time.monotonic() - self._begun
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def end(self) -> None:
        """Tell it to stop, and wait until it has."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        finally:
            self.process.kill()

    def get(self, path: str, headers: Mapping[str, str] = _KINDS) -> tuple[int, bytes]:
        """Return status and body, as they came."""
        status, _, body = self._ask("GET", path, None, headers)
        return status, body

    def page(self, path: str, headers: Mapping[str, str] | None = None) -> str:
        """Return a page as text. Raises AssertionError for anything but 200."""
        status, body = self.get(path, headers or {})
        assert status == 200, f"{path}: {status}: {body[-2000:]!r}"
        return body.decode()

    def press(
        self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, float]:
        """Send a form; return the status, where it leads to (else the page), and the seconds."""
        begun = time.perf_counter()
        told = {**_BROWSER, "Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        status, where, body = self._ask("POST", path, urlencode(form), told)
        return status, where or body.decode("utf-8", "replace"), time.perf_counter() - begun

    def act(self, path: str, **fields: str) -> tuple[str, float]:
        """Look at the page of an act and press its button; return the page that follows it, and
        the seconds of the press."""
        status, where, seconds = self.press(path, {**form_of(self.page(path)), **fields})
        assert status == 303, f"{path}: {status}: {where[-3000:]}"
        return where, seconds

    def used(self) -> float:
        """Return CPU seconds of the process and of what it ran and waited for."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8")
        fields = text.rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICK

    def memory(self, name: str = "VmRSS") -> float:
        """Return bytes: `VmRSS` now, `VmHWM` the most so far."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024.0

    def held(self) -> dict[str, int]:
        """Return how many file handles, threads, and processes below it there are."""
        place = Path(f"/proc/{self.process.pid}")
        tasks = [one.name for one in (place / "task").iterdir()]
        below: list[str] = []
        for task in tasks:
            with suppress(OSError):  # that thread has ended
                below += (place / "task" / task / "children").read_text().split()
        handles = len(list((place / "fd").iterdir()))
        return {"handles": handles, "threads": len(tasks), "processes": len(below)}

    def call(
        self, path: str, body: object, name: str, timeout: float = 120.0
    ) -> tuple[int, dict[str, Any]]:
        """Send a verb under an id; return the status and the document.

        Raises OSError and HTTPException where nobody answers.
        """
        kinds = {"Content-Type": "application/json", "Idempotency-Key": name}
        status, _, answer = self._ask("POST", path, json.dumps(body), kinds, timeout)
        try:
            told = json.loads(answer)
        except ValueError:
            told = None
        return status, told if isinstance(told, dict) else {}

    def hook(self, path: str, body: object, secret: str) -> tuple[int, bytes]:
        """Send what a monitoring sends; return status and body."""
        kinds = {"Content-Type": "application/json", "Authorization": f"Bearer {secret}"}
        status, _, answer = self._ask("POST", path, json.dumps(body), kinds)
        return status, answer

    def requests(self, prefix: str) -> float:
        """Return how many requests were answered so far whose route begins so."""
        found = re.findall(
            rf'^gitops_http_requests_total{{[^}}]*route="{prefix}[^}}]*}} (\S+)',
            self.page("/metrics"),
            re.MULTILINE,
        )
        return sum(map(float, found))

    def kill(self) -> None:
        """End it as a machine ends that loses power."""
        self.process.kill()
        self.process.wait()

    def _ask(
        self,
        method: str,
        path: str,
        body: str | None,
        headers: Mapping[str, str],
        timeout: float = 120.0,
    ) -> tuple[int, str, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Location", ""), answer.read()
        finally:
            connection.close()


def form_of(page: str) -> dict[str, str]:
    """Return the fields of the form that posts, as a browser would send them."""
    form = re.search(r'<form[^>]*method="post".*?</form>', page, re.DOTALL)
    assert form, page[-3000:]
    found = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        given = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        if given.get("type") != "radio" or " checked" in tag:
            found[given["name"]] = unescape(given.get("value", ""))
    return found


@contextmanager
def opened_streams(port: int, number: int, headers: str = "") -> Iterator[list[socket.socket]]:
    """Open streams of events, as slowly as one caller may; each has had its first event."""
    opened: list[socket.socket] = []
    try:
        while len(opened) < number:
            one = socket.create_connection(("127.0.0.1", port), timeout=30)
            asked = f"GET /events?mark=x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n"
            one.sendall(asked.encode())
            head = b""
            while b"event: board" not in head and b" 503 " not in head and b" 429 " not in head:
                told = one.recv(65_536)
                assert told, head
                head += told
            if b" 200 " in head.split(b"\r\n", 1)[0]:
                opened.append(one)
            else:
                one.close()
                time.sleep(1)
        yield opened
    finally:
        for one in opened:
            one.close()


def arrivals(opened: list[socket.socket], since: float) -> list[float]:
    """Return when the next event of the board came on each stream, in order."""
    waiting, arrived = set(opened), []
    while waiting and time.monotonic() - since < 60:
        for one in select.select(list(waiting), [], [], 1.0)[0]:
            if b"event: board" in one.recv(65_536):
                waiting.discard(one)
                arrived.append(time.monotonic())
    assert not waiting, f"{len(waiting)} streams were told nothing"
    return arrived
