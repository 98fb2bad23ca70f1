"""What a registry says, in our words: one line, without secrets, as one of `gitops.errors`."""

from __future__ import annotations

import json
import threading

from gitops.adapters.gitrepo.command.process import Scrubber
from gitops.adapters.http.door import NoResponse, Response
from gitops.adapters.registry.docker_config import DockerConfig
from gitops.core.images.name import ImageName
from gitops.core.text.plain import one_line, timestamp
from gitops.errors import Denied, GitopsError, NotFound, TimedOut, Unavailable
from gitops.ports import Clock

_LONGEST = 64 << 10


class RegistryWords:
    """Makes errors of answers; knows every secret that was sent, so that none comes back."""

    def __init__(self, config: DockerConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self._secrets: set[str] = set()

    def __repr__(self) -> str:
        return "RegistryWords()"

    def hide(self, secret: str) -> None:
        """Show this to nobody."""
        with self._lock:
            self._secrets.add(secret)

    def error(self, name: ImageName, answer: Response, what: str) -> GitopsError:
        """Return the error for an answer that means nothing special to who asked for `what`."""
        said, host = self.said(answer), name.host
        if answer.status == 429 or answer.status >= 500:
            from gitops.adapters.forges.transport.calls import waiting_time  # most answer at once

            when = waiting_time(answer.headers, self._clock.now())
            why = "takes no more requests for now" if answer.status == 429 else "is unavailable"
            hint = "try again later" if when is None else f"try again at {timestamp(when)}"
            return Unavailable(f"{host} {why} ({answer.status}): {said}", hint=hint)
        if answer.status == 401:
            return self._unknown(name, said)
        if answer.status == 403:
            return Denied(
                f"{host} does not allow {what}: {said}",
                hint=f"docker login {host}, as somebody who may do this",
            )
        if answer.status == 404:
            return NotFound(f"{host} has no {what}: {said}")
        if 300 <= answer.status < 400:
            return Unavailable(f"{host} sends elsewhere for {what}: HTTP {answer.status}")
        return Denied(f"{host} refuses {what} ({answer.status}): {said}")

    def malformed(self, name: ImageName, why: object) -> Unavailable:
        """Return the error for an answer that is none."""
        return Unavailable(
            f"{name.host} answers, but not as a registry does: {self.words(str(why))}",
            hint="is there a proxy or a login page before it?",
        )

    def codes(self, answer: Response) -> tuple[str, ...]:
        """Return the error codes in an answer; () where it has none."""
        return tuple(code for code, _ in _errors(answer.body))

    def words(self, text: str) -> str:
        """Return what a server said, fit for a message."""
        with self._lock:
            secrets = tuple(self._secrets)
        return one_line(Scrubber(secrets)(text), 300) or "no reason given"

    def said(self, answer: Response) -> str:
        """Return its errors in one line."""
        told = "; ".join(f"{code}: {text}" if text else code for code, text in _errors(answer.body))
        return self.words(told or f"HTTP {answer.status}")

    def silence(self, name: ImageName, error: NoResponse) -> GitopsError:
        """Return the error for no answer."""
        words = self.words(error.words)
        if error.late:
            return TimedOut(f"{name.host} did not answer in time: {words}", hint="try again")
        return Unavailable(f"{name.host} cannot be asked: {words}")

    def _unknown(self, name: ImageName, said: str) -> Denied:
        found = self._config.credential(name.host)
        if found is None:
            return Denied(
                f"{name.host} wants to know who asks: {said}",
                hint=f"docker login {name.host}, or set DOCKER_AUTH_CONFIG",
            )
        return Denied(
            f"{name.host} does not accept the credentials of {found.source}: {said}",
            hint=f"they may have expired, or lack the right: docker login {name.host}",
        )


def _errors(body: bytes) -> list[tuple[str, str]]:
    """Return code and message of each error in a body, as the specification has them."""
    try:
        told = json.loads(body[:_LONGEST])
        return [
            (str(one.get("code") or ""), str(one.get("message") or ""))
            for one in told["errors"][:5]
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []
