"""A Git server over HTTP for measuring: `git http-backend` behind Python's own HTTP server.

`python server.py ROOT` prints its port. It counts what goes over the wire; `GET /-/counts` tells
and forgets. Its listen queue is long, so that a crowd measures Git and not the network stack.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO
from urllib.parse import urlsplit

_BLOCK = 65536


class Counts:
    """Requests, connections and bytes of bodies; of pushes: adverts (each `git push` reads one,
    also when it then sees that it has lost), posts, and those that only touch refs/gitops/.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: dict[str, int] = {}

    def add(self, **numbers: int) -> None:
        """Add to the counters of these names."""
        with self._lock:
            for name, number in numbers.items():
                self._now[name] = self._now.get(name, 0) + number

    def take(self) -> dict[str, int]:
        """Return the counters, and begin again at nothing."""
        with self._lock:
            now, self._now = self._now, {}
        return now


class Handler(BaseHTTPRequestHandler):
    """One connection, kept open as git likes it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = _BLOCK
    counts = Counts()
    root = ""
    backend = ""

    def setup(self) -> None:
        """Take one connection; that of whoever asks for the counters counts for nothing."""
        super().setup()
        self._counted = False

    def do_GET(self) -> None:
        """Answer a read, or tell the counters."""
        if self.path == "/-/counts":
            body = json.dumps(self.counts.take()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.counts.add(adverts=int(self.path.endswith("service=git-receive-pack")))
        self._answer(b"")

    def do_POST(self) -> None:
        """Answer a fetch or a push."""
        body = self._body()
        if self.path.endswith("/git-receive-pack"):
            commands = body.partition(b"PACK")[0]
            own = b" refs/gitops/" in commands and b" refs/heads/" not in commands
            self.counts.add(posts=1, intents=int(own))
        self._answer(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, body: bytes) -> None:
        self.counts.add(requests=1, up=len(body), connections=int(not self._counted))
        self._counted = True
        url = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROJECT_ROOT": self.root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        process = subprocess.Popen(
            [self.backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        feeder = threading.Thread(target=_feed, args=(process.stdin, body))
        feeder.start()
        self._relay(process.stdout)
        feeder.join()
        process.stdout.close()
        process.wait()

    def _relay(self, output: IO[bytes]) -> None:
        status, headers = 200, []
        while line := output.readline().strip():
            name, _, value = line.decode().partition(":")
            if name == "Status":
                status = int(value.split()[0])
            else:
                headers.append((name, value.strip()))
        self.send_response(status)
        for name, text in headers:
            self.send_header(name, text)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while block := output.read1(_BLOCK):  # type: ignore[attr-defined]
            self.counts.add(down=len(block))
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet: printing would be measured too."""


def _feed(pipe: IO[bytes], body: bytes) -> None:
    try:
        with pipe:
            pipe.write(body)
    except BrokenPipeError:
        pass  # the backend had read enough


class Server(ThreadingHTTPServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is its own matter."""


def main() -> None:
    """Serve ROOT on a free port of the loopback until standard input closes."""
    run = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True)
    Handler.root = sys.argv[1]
    Handler.backend = os.path.join(run.stdout.strip(), "git-http-backend")
    if not os.access(Handler.backend, os.X_OK):
        raise SystemExit("git has no http-backend here")
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
