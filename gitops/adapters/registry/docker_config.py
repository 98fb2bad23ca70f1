"""Who we are at a registry: what `docker login`, podman, CI or a credential helper has left.

Read in this order, the first that knows the host counts: `DOCKER_AUTH_CONFIG` (its text, as
GitLab's runners have it), `REGISTRY_AUTH_FILE`, `$DOCKER_CONFIG/config.json` or
`~/.docker/config.json`, `$XDG_RUNTIME_DIR/containers/auth.json`. A Kubernetes secret of type
`kubernetes.io/dockerconfigjson` has the same form.
https://docs.docker.com/reference/cli/docker/login/#credential-stores
"""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from gitops import interrupts
from gitops.adapters.gitrepo.command.process import stop_group
from gitops.core.images.name import DOCKER_HUB
from gitops.core.unstructured import table
from gitops.errors import Denied

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_FILE = 4 << 20
_HELPER_SECONDS = 20.0
_IDENTITY = "<token>"  # the user name by which a helper says that its secret is a refresh token


class Credential(Struct, frozen=True):
    """A user and a secret that do not show themselves.

    Attributes:
        refresh: the secret is a refresh token, not a password.
        source: where it stands, for messages.
    """

    user: str
    secret: str
    source: str
    refresh: bool = False

    def __repr__(self) -> str:
        return f"Credential({self.source!r})"


class DockerConfig:
    """The credentials of this machine; files are read when somebody asks first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._read: list[tuple[str, Mapping[str, Any]]] | None = None

    def credential(self, host: str) -> Credential | None:
        """Return what this machine has for a registry, None when it has nothing.

        A helper is asked each time: what it gives may be good for minutes only. Raises Denied when
        one that is named for the host cannot be run, or answers what is no credential.
        """
        if self._read is None:
            self._read = list(self._files())
        for source, told in self._read:
            found = self._in_file(source, told, host)
            if found is not None:
                return found
        return None

    def _files(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        text = self._environ.get("DOCKER_AUTH_CONFIG", "").strip()
        if text:
            yield from _parsed("DOCKER_AUTH_CONFIG", text)
        for path in self._paths():
            try:
                with path.open("rb") as file:
                    content = file.read(_LONGEST_FILE)
            except OSError:
                continue
            yield from _parsed(str(path), content)

    def _paths(self) -> Iterator[Path]:
        environ = self._environ
        if named := environ.get("REGISTRY_AUTH_FILE", ""):
            yield Path(named)
        if folder := environ.get("DOCKER_CONFIG", ""):
            yield Path(folder, "config.json")
        elif home := environ.get("HOME", ""):
            yield Path(home, ".docker", "config.json")
        if runtime := environ.get("XDG_RUNTIME_DIR", ""):
            yield Path(runtime, "containers", "auth.json")

    def _in_file(self, source: str, told: Mapping[str, Any], host: str) -> Credential | None:
        helpers, auths = table(told, "credHelpers"), table(told, "auths")
        for key in _keys(host):
            if isinstance(helper := helpers.get(key), str) and helper:
                return self._ask(helper, key, source, named=True)
        store = told.get("credsStore")
        for key in _keys(host):
            entry = auths.get(key)
            found = _entry(entry, f"{source}, auths") if isinstance(entry, dict) else None
            if found is not None:
                return found
            if isinstance(store, str) and store and isinstance(entry, dict):
                found = self._ask(store, key, source, named=False)
                if found is not None:
                    return found
        return None

    def _ask(self, helper: str, key: str, source: str, *, named: bool) -> Credential | None:
        """Run a helper, as Docker does: the host on standard input, JSON on standard output."""
        program = f"docker-credential-{helper}"
        if not _HELPER.fullmatch(helper):
            raise Denied(f"{source} names a credential helper that can be none")
        told, why = self._run(program, key)
        if told is None:
            if not named:
                return None
            raise Denied(
                f"{program}, which {source} names for {key}, {why}",
                hint=f"echo {key} | {program} get",
            )
        user, secret = told.get("Username"), told.get("Secret")
        if not isinstance(user, str) or not isinstance(secret, str) or not secret:
            return None
        return Credential(user, secret, program, refresh=user == _IDENTITY)

    def _run(self, program: str, key: str) -> tuple[Mapping[str, Any] | None, str]:
        try:
            with interrupts.held():
                child = subprocess.Popen(
                    [program, "get"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=dict(self._environ),
                    start_new_session=True,
                )
                interrupts.started(child)
        except OSError as error:
            return None, f"cannot be started: {error.strerror}"
        try:
            out, _ = child.communicate(key.encode(), timeout=_HELPER_SECONDS)
        except BaseException as error:
            stop_group(child)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return None, f"took longer than {_HELPER_SECONDS:g} s"
        if child.returncode != 0:
            # What it says may hold anything, secrets too.
            return None, f"has nothing: it ended with {child.returncode}"
        try:
            told = json.loads(out[:_LONGEST_FILE])
        except (ValueError, RecursionError):
            told = None
        return (told, "") if isinstance(told, dict) else (None, "answers no JSON object")


def _keys(host: str) -> tuple[str, ...]:
    """Return how the entry of a registry may be spelled."""
    plain = (host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/")
    if host == DOCKER_HUB:
        return (_HUB_KEY, "index.docker.io", *plain)
    return (*plain, f"https://{host}/", f"http://{host}", f"http://{host}/")


def _parsed(source: str, text: str | bytes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise Denied(f"{source} is no JSON: it should hold the credentials of registries") from None
    if isinstance(told, dict):
        yield source, told


def _entry(entry: Mapping[str, Any], source: str) -> Credential | None:
    """Read one entry of `auths`."""
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Credential(_IDENTITY, token, source, refresh=True)
    user, secret = entry.get("username"), entry.get("password")
    if isinstance(entry.get("auth"), str) and entry["auth"]:
        try:
            text = b64decode(entry["auth"], validate=True).decode()
        except (NoBase64, ValueError):
            return None
        user, _, secret = text.partition(":")
        secret = secret.rstrip("\0")
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        return None
    return Credential(user, secret, source)
