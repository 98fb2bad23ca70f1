"""Requests to registries with the credentials that each one is to get, and no other.

A registry is asked without a token first; its 401 says where tokens are (challenge.py). Each
challenge is answered once. Tokens are kept for a repository and what is to be done there, until
shortly before they expire; they go to the registry's own origin and nowhere else: a redirect to a
store elsewhere is followed without.
"""

from __future__ import annotations

from collections.abc import Mapping
from socket import socket
from urllib.parse import urljoin, urlsplit

from gitops.adapters.http.door import Deadline, HttpDoor, NoResponse, Response
from gitops.adapters.registry.challenge import read_challenge
from gitops.adapters.registry.docker_config import DockerConfig
from gitops.adapters.registry.tokens import Tokens
from gitops.adapters.registry.words import RegistryWords
from gitops.core.images.manifest import MANIFESTS
from gitops.core.images.name import ImageName, root_of
from gitops.core.text.hosts import is_loopback
from gitops.errors import Unavailable
from gitops.ports import Clock

_TRIES = 3
_LONGEST_WORDS = 64 << 10
LONGEST_MANIFEST = 4 << 20
"""Bytes of a manifest: what the specification has registries take at least."""

ACCEPT = ", ".join(MANIFESTS)
"""All that a tag may name."""

_HOPS = 3
_REDIRECTS = (301, 302, 303, 307, 308)


class RegistryAccess:
    """Who asks registries.

    Args:
        within: seconds that one call of the port may take, with all its requests.

    Attributes:
        words: makes errors of what is answered.
        door: where requests go out; closed with this.
    """

    def __init__(self, environ: Mapping[str, str], clock: Clock, within: float) -> None:
        self.door = HttpDoor(environ)
        config = DockerConfig(environ)
        self._clock = clock
        self._within = within
        self.words = RegistryWords(config, clock)
        self._tokens = Tokens(config, self.door, self.words, clock)
        self._told: dict[tuple[str, str], Response] = {}

    def __repr__(self) -> str:
        return "RegistryAccess()"

    def close(self) -> None:
        """Hang up."""
        self.door.close()

    def deadline(self) -> Deadline:
        """Return when a call that begins now must be over."""
        return Deadline(self._within)

    def take_over(self, name: ImageName, path: str, line: socket | None, answer: Response) -> None:
        """Go on where somebody else has sent a HEAD without a token, and got this answer.

        `line`: the connection to the registry that it came on, None where that is over.
        """
        if line is not None:
            self.door.adopt(root_of(name.host), line)
        self._told["HEAD", self._url(name, path)] = answer

    def read(
        self,
        method: str,
        name: ImageName,
        path: str,
        deadline: Deadline,
        *,
        accept: str = "*/*",
        most: int = _LONGEST_WORDS,
    ) -> Response:
        """GET or HEAD `path` (below `/v2/NAME/`, or a URL of the same registry).

        Asked again after a fault of the network or the server, and when the registry says when.
        """
        for number in range(1, _TRIES + 1):
            last = number == _TRIES
            try:
                answer = self._follow(method, name, path, deadline, accept, most)
            except NoResponse as error:
                if last or error.late:
                    raise self.words.silence(name, error) from None
                self._clock.pause(min(0.2 * number, max(deadline.left, 0.0)))
                continue
            pause = None if last else self._pause(answer, number, deadline)
            if pause is None:
                return answer
            self._clock.pause(pause, pause)
        raise AssertionError("the last try returns or raises")

    def manifest(self, name: ImageName, reference: str, deadline: Deadline) -> Response:
        """GET what a tag or digest names, whatever it is."""
        path = f"manifests/{reference}"
        return self.read("GET", name, path, deadline, accept=ACCEPT, most=LONGEST_MANIFEST)

    def write(
        self,
        method: str,
        name: ImageName,
        path: str,
        deadline: Deadline,
        *,
        body: bytes | None = None,
        kind: str = "application/octet-stream",
    ) -> Response:
        """Do it once; where the connection broke nobody knows whether it was done."""
        headers = {"Content-Type": kind} if body is not None else {}
        actions = "delete" if method == "DELETE" else "pull,push"
        url = self._url(name, path)
        try:
            answer = self._ask(method, name, url, actions, headers, body, _LONGEST_WORDS, deadline)
        except NoResponse as error:
            raise self.words.silence(name, error) from None
        if answer.status in _REDIRECTS:
            raise Unavailable(f"{name.host} sends a write elsewhere, and it is not carried there")
        return answer

    def _pause(self, answer: Response, number: int, deadline: Deadline) -> float | None:
        """Return the seconds until a read is tried again, None when its answer stands."""
        if answer.status != 429 and answer.status not in (500, 502, 503, 504):
            return None
        from gitops.adapters.forges.transport.calls import waiting_time  # most are never slow

        when = waiting_time(answer.headers, self._clock.now())
        if when is not None:
            seconds = (when - self._clock.now()).total_seconds()
            return max(seconds, 0.0) if seconds < deadline.left else None
        if answer.status == 429:
            return None
        return min(0.2 * number, max(deadline.left, 0.0))

    def _follow(
        self,
        method: str,
        name: ImageName,
        path: str,
        deadline: Deadline,
        accept: str,
        most: int,
    ) -> Response:
        """Ask, and go where the answer sends, without credentials where that is elsewhere."""
        url, headers = self._url(name, path), {"Accept": accept}
        home = _origin(url)
        for _ in range(_HOPS + 1):
            if _origin(url) == home:
                answer = self._ask(method, name, url, "pull", headers, None, most, deadline)
            else:
                answer = self.door.ask(method, url, headers, None, most=most, deadline=deadline)
            if answer.status not in _REDIRECTS or "location" not in answer.headers:
                return answer
            url = _next(url, answer.headers["location"])
        raise NoResponse(f"it sends elsewhere more than {_HOPS} times")

    def _url(self, name: ImageName, path: str) -> str:
        root = root_of(name.host)
        if "://" in path:
            if _origin(path) != _origin(root):
                raise self.words.malformed(name, "it names another server for its own content")
            return path
        return f"{root}{path}" if path.startswith("/") else f"{root}/v2/{name.path}/{path}"

    def _ask(
        self,
        method: str,
        name: ImageName,
        url: str,
        actions: str,
        headers: Mapping[str, str],
        body: bytes | None,
        most: int,
        deadline: Deadline,
    ) -> Response:
        """Send a request, and once more with what the registry then asks for."""
        key = (name.host, name.path, actions)
        sent = self._tokens.authorization(key)
        told = self._told.pop((method, url), None)
        for last in (False, False, True):
            given = {**headers, **({"Authorization": sent} if sent else {})}
            answer = told or self.door.ask(method, url, given, body, most=most, deadline=deadline)
            told = None
            if answer.status != 401 or last:
                return answer
            challenge = read_challenge(answer.headers.get("www-authenticate", ""))
            if challenge is None:
                return answer
            found = self._tokens.answer(key, name, challenge, sent, deadline)
            if found is None or found == sent:
                return answer
            sent = found
        raise AssertionError("the last try returns")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _next(url: str, location: str) -> str:
    """Return where a redirect leads. Raises NoResponse for where nothing may be fetched from."""
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
        _ = parts.port
    except ValueError:
        raise NoResponse("it sends to what is no URL") from None
    here = is_loopback(urlsplit(url).netloc)
    plain = parts.scheme == "http" and here and is_loopback(parts.netloc)
    if not parts.hostname or parts.username is not None or not (parts.scheme == "https" or plain):
        raise NoResponse("it sends to where no TLS is")
    return target
