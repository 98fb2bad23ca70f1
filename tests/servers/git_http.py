"""A real smart-HTTP Git server around `git http-backend`, which can be told to misbehave."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from servers.loopback import Handler, Loopback

PAGE = b"<html>\n<head><title>Please log in to the proxy first</title></head>\n</html>\n"


@dataclass(frozen=True)
class Request:
    """One request that was answered."""

    method: str
    path: str
    status: int
    received: int
    sent: int

    @property
    def push(self) -> bool:
        """True when it belongs to a push."""
        return "git-receive-pack" in self.path


@dataclass
class Behaviour:
    """What the server does instead of its work. `only_push` leaves fetches alone.

    Attributes:
        credentials: user and password without which it answers 401.
        status: answered to everything.
        page: answer 200 with a page that is not Git.
        hang: never answer (until the server stops).
        cut_push: take the push, then close the connection without a word.
        cut_once: the same, for the next push only.
        redirect: URL of another server, to which everything is redirected.
        before_push: called before a push is taken, to make it lose a race.
        before_advert: called before a push is told where the branches are.
        after_push: called when a push was taken, before it is answered.
    """

    credentials: tuple[str, str] | None = None
    status: int | None = None
    page: bool = False
    hang: bool = False
    cut_push: bool = False
    cut_once: bool = False
    redirect: str | None = None
    only_push: bool = False
    before_push: Callable[[], None] | None = None
    fault: Callable[[bool], float | Literal["drop", "cut"]] | None = None
    before_advert: Callable[[], None] | None = None
    after_push: Callable[[], None] | None = None
    headers: dict[str, str] = field(default_factory=dict)


class GitServer(Loopback):
    """Serves every repository below `root`; a context manager.

    Attributes:
        behaviour: may be changed at any time.
        requests: what was answered so far, oldest first.
        authorizations: the Authorization headers that came.
        taking: pushes that are being dealt with, also of clients that have gone.
    """

    def __init__(
        self,
        root: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(_handler(self), host=host, port=port, tls=tls)
        self.root = root
        self.behaviour = Behaviour()
        self.requests: list[Request] = []
        self.authorizations: list[str] = []
        self.taking = 0
        self.counting = threading.Lock()

    @property
    def repo(self) -> str:
        """Where the repository of a test is (`tests/manifests.py`)."""
        return f"{self.url}/manifests.git"

    def count(self, *, push: bool | None = None) -> int:
        """Return how many requests came (`push` True or False: only of that kind)."""
        return sum(1 for one in self.requests if push is None or one.push == push)


def _handler(server: GitServer) -> type[Handler]:
    class Answering(Handler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            takes = self.command == "POST" and "git-receive-pack" in self.path
            takes = takes and not server.behaviour.hang  # nothing comes of those
            with server.counting:
                server.taking += takes
            try:
                self._deal()
            finally:
                with server.counting:
                    server.taking -= takes

        def _deal(self) -> None:
            self._body = self.read_body()
            behaviour = server.behaviour
            push = "git-receive-pack" in self.path
            sent = self.headers.get("Authorization")
            if sent is not None:
                server.authorizations.append(sent)
            if behaviour.credentials is not None:
                pair = ":".join(behaviour.credentials).encode()
                if sent != "Basic " + base64.b64encode(pair).decode():
                    self._say(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"who are you?\n")
                    return
            if push or not behaviour.only_push:
                if behaviour.hang:
                    server.stopping.wait()
                    self.close_connection = True
                    return
                if behaviour.status is not None:
                    self._say(behaviour.status, behaviour.headers, b"no\n")
                    return
                if behaviour.page:
                    self._say(200, {"Content-Type": "text/html"}, PAGE)
                    return
                if behaviour.redirect is not None:
                    self._say(302, {"Location": behaviour.redirect + self.path}, b"")
                    return
            if push and self.command == "POST" and behaviour.before_push is not None:
                behaviour.before_push()
            if push and self.command == "GET" and behaviour.before_advert is not None:
                behaviour.before_advert()
            status, headers, body = self._backend()
            if push and self.command == "POST" and behaviour.after_push is not None:
                behaviour.after_push()
            if push and self.command == "POST" and (behaviour.cut_push or behaviour.cut_once):
                behaviour.cut_once = False
                self._note(0, 0)
                self.close_connection = True
                return
            self._say(status, headers, body)

        def _backend(self) -> tuple[int, dict[str, str], bytes]:
            path, _, query = self.path.partition("?")
            environ = {
                "PATH": os.environ["PATH"],
                "HOME": "/nonexistent",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "GIT_PROJECT_ROOT": str(server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "REMOTE_USER": "tester",
                "REMOTE_ADDR": "127.0.0.1",
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(self._body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            answer = subprocess.run(
                ["git", "http-backend"], env=environ, input=self._body, capture_output=True
            )
            head, _, body = answer.stdout.partition(b"\r\n\r\n")
            headers = dict(
                line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line
            )
            return int(headers.pop("Status", "200").split()[0]), headers, body

        def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self._note(status, len(body))
            self.say(status, headers.items(), body)

        def _note(self, status: int, sent: int) -> None:
            received = len(self._body)
            server.requests.append(Request(self.command, self.path, status, received, sent))

    return Answering


def main(root: str, port: str) -> None:
    """Serve the repositories below a folder until somebody ends us."""
    with GitServer(Path(root), port=int(port)) as server:
        server.stopping.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
