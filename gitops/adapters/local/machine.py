"""`ports.Machine`: this machine, as `gitops doctor` looks at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from urllib.parse import urlsplit

_SECONDS = 10.0


class LocalMachine:
    """What there is here, for a caller with `environ`.

    `login` says where the credential for a registry stands, None where there is none.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        now: Callable[[], float] = time.time,
        login: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._environ = environ
        self._login = login
        self._now = now

    def python(self) -> tuple[int, int, int]:
        """Return the version of Python; see `ports.Machine`."""
        return sys.version_info[:3]

    def git(self) -> str | None:
        """Return what `git version` says; see `ports.Machine`."""
        program = self.program("git")
        if program is None:
            return None
        try:
            done = subprocess.run(
                [program, "version"],
                env={"PATH": self._path(), "LC_ALL": "C"},
                capture_output=True,
                timeout=_SECONDS,
                text=True,
                errors="replace",
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def has_library(self, name: str) -> bool:
        """Say whether a module can be imported, without importing it."""
        try:
            return find_spec(name) is not None
        except (ImportError, ValueError):
            return False

    def program(self, *names: str) -> str | None:
        """Return the first program that is there; see `ports.Machine`."""
        return next(filter(None, (shutil.which(one, path=self._path()) for one in names)), None)

    def _path(self) -> str:
        """Return PATH without what is relative: a repository could bring a program along."""
        entries = self._environ.get("PATH", os.defpath).split(os.pathsep)
        return os.pathsep.join(entry for entry in entries if os.path.isabs(entry))

    def kubeconfig(self) -> str | None:
        """Return where a Kubernetes client finds its cluster; see `ports.Machine`."""
        if named := self._environ.get("KUBECONFIG"):
            there = [one for one in named.split(os.pathsep) if one and os.path.exists(one)]
            return os.pathsep.join(there) or None
        home = os.path.join(os.path.expanduser("~"), ".kube", "config")
        if os.path.exists(home):
            return home
        return "this pod's account" if self._environ.get("KUBERNETES_SERVICE_HOST") else None

    def cache(self) -> tuple[str | None, str | None]:
        """Return the folder of the cache, and its trouble; see `ports.Machine`."""
        from gitops.adapters.gitrepo.cache.files import Cache, place_of_cache
        from gitops.adapters.gitrepo.cache.index import is_off

        if is_off(self._environ):
            return None, None
        root, named = place_of_cache(self._environ)
        if root is None:
            return None, "there is no home of this user to keep it in"
        try:
            Cache(root, parents=named)
        except OSError as error:
            return str(root), error.strerror or str(error)
        return str(root), None

    def registry_login(self, host: str) -> str | None:
        """Return where the credential for a registry stands; see `ports.Machine`."""
        return self._login(host)

    def clock_ahead(self, url: str) -> float | None:
        """Compare with the Date of the server's answer; nothing but its front page is asked."""
        from email.utils import parsedate_to_datetime
        from urllib.error import HTTPError
        from urllib.request import Request

        from gitops.adapters.http.opener import bounded_opener

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return None
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        try:
            place = f"{host}:{parts.port}" if parts.port else host
            request = Request(f"{parts.scheme}://{place}/", method="HEAD")  # noqa: S310
            before = self._now()
            try:
                headers = bounded_opener().open(request, timeout=_SECONDS).headers
            except HTTPError as answer:
                headers = answer.headers
            told = parsedate_to_datetime(headers.get("Date", "")).timestamp()
        except Exception:  # noqa: BLE001 - whatever it is: then nobody tells
            return None
        # The Date has whole seconds, and the answer took a while.
        return (before + self._now()) / 2 - (told + 0.5)
