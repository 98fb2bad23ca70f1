"""The question that a deploy asks, on a line of its own: which digest does this tag name?

It needs neither the client nor the credentials that everything else here needs, and loading those
takes longer than the answer. So it is sent as it stands, over the plain line that Git is spoken on;
whatever comes back but a digest is left to the whole adapter, which goes on on the same line with
what was answered. A proxy of the environment is asked by that one alone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from gitops.adapters.gitrepo.wire.http import Broken, HttpConnection, HttpServer
from gitops.adapters.gitrepo.wire.pkt import NotGit
from gitops.core.images.manifest import MANIFESTS
from gitops.core.images.name import ImageName, is_digest, is_tag, root_of
from gitops.core.text.hosts import is_loopback
from gitops.ports import Clock

if TYPE_CHECKING:
    import ssl

    from gitops.adapters.registry.registry import OciRegistry

_LONGEST_SILENCE = 15.0
_PORTS = {"http": 80, "https": 443}


class _Answer(Struct, frozen=True):
    """What came of a question.

    Attributes:
        digest: None where there is more to it.
        status: of the answer, 0 where none came.
        line: what it came on, for whoever goes on.
    """

    digest: str | None = None
    status: int = 0
    headers: Mapping[str, str] = {}
    line: HttpConnection | None = None


class FirstLook:
    """`ports.Registry`: `resolve` in the shortest way, all else by `OciRegistry`.

    Args:
        within: seconds that one call may take.
    """

    def __init__(self, environ: Mapping[str, str], clock: Clock, within: float) -> None:
        self._environ = environ
        self._clock = clock
        self._within = within
        self._proxied = any(name.lower().endswith("_proxy") for name in environ)
        self._lock = threading.Lock()
        self._begun: dict[tuple[ImageName, str], tuple[threading.Thread, list[_Answer]]] = {}
        self._idle: dict[str, list[HttpConnection]] = {}
        self._wary: set[str] = set()  # hosts that ask who it is
        self._made: OciRegistry | None = None
        self._trust: ssl.SSLContext | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole(), name)

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            lines = [line for idle in self._idle.values() for line in idle]
            self._idle.clear()
        for line in lines:
            line.close()
        if self._made is not None:
            self._made.close()

    def begin(self, name: ImageName, reference: str) -> None:
        """Begin to ask, before anybody wants to know."""
        answers: list[_Answer] = []
        ask = partial(self._begin, answers, name, reference)
        thread = threading.Thread(target=ask, daemon=True)
        self._begun[name, reference] = thread, answers
        thread.start()

    def _begin(self, answers: list[_Answer], name: ImageName, reference: str) -> None:
        with suppress(Exception):  # then nothing was asked
            answers.append(self._ask(name, reference))

    def resolve(self, name: ImageName, reference: str) -> str:
        """See `ports.Registry`."""
        with self._lock:
            begun = self._begun.pop((name, reference), None)
        answer = _Answer()
        if begun is not None:
            begun[0].join()
            answer = next(iter(begun[1]), answer)
        elif self._is_plain(name, reference):
            answer = self._ask(name, reference)
        if answer.digest is not None:
            return answer.digest
        if answer.line is None:
            return self._whole().resolve(name, reference)
        line = answer.line.hand_over()
        return self._whole().resolve_on(name, reference, line, answer.status, answer.headers)

    def _is_plain(self, name: ImageName, reference: str) -> bool:
        spared = not self._proxied or is_loopback(name.host)
        return (
            spared and name.host not in self._wary and (is_digest(reference) or is_tag(reference))
        )

    def _ask(self, name: ImageName, reference: str) -> _Answer:
        """Send the question once; nothing where no answer came."""
        if not self._is_plain(name, reference):
            return _Answer()
        with self._lock:
            kept = self._idle.get(name.host)
            line = kept.pop() if kept else None
        line = line or self._line(name)
        parts = urlsplit(root_of(name.host))
        head = (
            f"HEAD /v2/{name.path}/manifests/{reference} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"User-Agent: gitops\r\nAccept: {', '.join(MANIFESTS)}\r\n"
            "Accept-Encoding: identity\r\n\r\n"
        )
        try:
            answer = line.ask(head, b"", min(self._within, _LONGEST_SILENCE))
        except (Broken, NotGit):
            line.close()
            return _Answer()
        digest = answer.headers.get("docker-content-digest", "")
        same = digest == reference or not is_digest(reference)
        if answer.status == 200 and is_digest(digest) and same:
            with self._lock:
                self._idle.setdefault(name.host, []).append(line)
            return _Answer(digest)
        if answer.status == 401:
            self._wary.add(name.host)  # the other questions need its token, too
        return _Answer(None, answer.status, answer.headers, line)

    def _line(self, name: ImageName) -> HttpConnection:
        parts = urlsplit(root_of(name.host))
        tls = self._context if parts.scheme == "https" else None
        server = HttpServer(parts.hostname or "", parts.port or _PORTS[parts.scheme], tls)
        return HttpConnection(server)

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._trust is None:
                import ssl  # a server on this machine needs none

                from gitops.adapters.http.tls import ca_file

                self._trust = ssl.create_default_context(cafile=ca_file(self._environ))
            return self._trust

    def _whole(self) -> OciRegistry:
        with self._lock:
            if self._made is None:
                from gitops.adapters.registry.registry import OciRegistry

                self._made = OciRegistry(self._environ, self._clock, self._within)
            return self._made
