"""The connection of one call to its remote: branches listed, commits fetched, branches moved.

What goes wrong here is not explained here. Whoever gets NotGit or a Broken that the server cannot
have seen asks git to do the same, and git's words are told.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.command.settings import SettingLine
from gitops.adapters.gitrepo.wire.http import Broken, HttpAnswer, HttpConnection
from gitops.adapters.gitrepo.wire.pkt import NotGit
from gitops.adapters.gitrepo.wire.terms import Terms, find_terms

AGENT = "git/gitops"
"""What servers are told; forges look for the first four letters."""

UPLOAD, RECEIVE = "git-upload-pack", "git-receive-pack"


class Unauthorised(NotGit):
    """The server wants to know who asks."""


class BadStatus(NotGit):
    """An answer with another status than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Wire:
    """One remote, spoken to over one connection; from one thread at a time.

    Attributes:
        off: something unexpected happened, and git does the rest.
        requests: how many were sent.
        is_page: the server answered with a page, for people.
    """

    def __init__(self, git: Git, url: str, lines: Callable[[], Sequence[SettingLine]]) -> None:
        """`lines`: asked for Git's configuration when something is asked first."""
        self._git = git
        self._url = url
        self._lines = lines
        self._terms: Terms | None = None
        self._connection: HttpConnection | None = None
        self._credentials: Mapping[str, str] | None = None
        self._taken = False
        self.off = False
        self.requests = 0
        self.is_page = False

    def connect(self) -> None:
        """Make the connection before anything is asked. Raises NotGit, Broken."""
        self._open().connect(self._git.timeout)

    def _open(self) -> HttpConnection:
        if self.off:
            raise NotGit("git speaks here")
        if self._connection is None:
            terms = find_terms(self._url, self._lines(), self._git.environ)
            if terms is None:
                self.off = True
                raise NotGit("git speaks here")
            self._terms = terms
            self._connection = HttpConnection(terms.server)
        return self._connection

    def get(self, service: str, *, version: int) -> HttpAnswer:
        """Return what a service says of itself. Raises NotGit, Broken."""
        path = f"/info/refs?service={service}"
        protocol = "Git-Protocol: version=2\r\n" if version == 2 else ""
        return self._ask("GET", path, protocol, b"", f"application/x-{service}-advertisement")

    def post(self, service: str, body: bytes) -> HttpAnswer:
        """Return the answer of a service. Raises NotGit, Broken."""
        protocol = "Git-Protocol: version=2\r\n" if service == UPLOAD else ""
        kind = f"Content-Type: application/x-{service}-request\r\n{protocol}"
        return self._ask("POST", f"/{service}", kind, body, f"application/x-{service}-result")

    def _ask(self, verb: str, path: str, extra: str, body: bytes, accepts: str) -> HttpAnswer:
        connection, terms = self._open(), self._terms
        if terms is None:
            raise NotGit("git speaks here")
        own = [*terms.headers]
        if self._credentials is not None:
            own.append(_basic(self._credentials))
        head = (
            f"{verb} {terms.base}{path} HTTP/1.1\r\nHost: {terms.host}\r\n"
            f"User-Agent: {AGENT}\r\nAccept: {accepts}\r\n{extra}"
            + "".join(f"{line}\r\n" for line in own)
            + (f"Content-Length: {len(body)}\r\n" if verb == "POST" else "")
            + "\r\n"
        )
        self.requests += 1
        answer = connection.ask(head, body, self._git.timeout)
        if answer.status == 401:
            if self._log_in(answer, terms):
                return self._ask(verb, path, extra, body, accepts)
            raise Unauthorised("who asks?")
        self._taken = self._credentials is not None
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        self.is_page = kind == "text/html"
        if answer.status != 200:
            raise BadStatus(answer.status)
        if kind != accepts:
            raise NotGit("no answer of Git")
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise NotGit("an encoded answer")
        return answer

    def _log_in(self, answer: HttpAnswer, terms: Terms) -> bool:
        """Ask Git's credential helpers, as git itself would; only once."""
        if terms.authorised or "basic" not in answer.headers.get("www-authenticate", "").lower():
            return False
        from gitops.adapters.gitrepo.command.credentials import fill, judge

        if self._credentials is not None:
            judge(self._git, self._credentials, good=False)
            return False
        environ = self._git.environ
        origin, path = terms.origin, terms.base.lstrip("/")
        self._credentials = fill(self._git, environ, origin, path, quiet=True)
        return self._credentials is not None

    def stop(self) -> None:
        """End it for good, also while another thread waits."""
        self.off = True
        if self._connection is not None:
            self._connection.stop()

    def close(self) -> None:
        """End the connection; helpers hear that the server took what they said."""
        self.off = True
        if self._connection is not None:
            self._connection.close()
        if self._taken and self._credentials is not None:
            from gitops.adapters.gitrepo.command.credentials import judge

            self._taken = False
            judge(self._git, self._credentials, good=True)


def _basic(found: Mapping[str, str]) -> str:
    import base64

    pair = f"{found.get('username', '')}:{found['password']}"
    return f"Authorization: Basic {base64.b64encode(os.fsencode(pair)).decode()}"


class Listing(Struct, frozen=True):
    """Where branches are.

    Attributes:
        refs: full name -> id.
        head: the branch that HEAD names, short; None where it was not asked for, or names none.
    """

    refs: Mapping[str, str]
    head: str | None = None


__all__ = ["AGENT", "RECEIVE", "UPLOAD", "BadStatus", "Broken", "Listing", "NotGit", "Wire"]
