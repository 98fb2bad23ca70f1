"""How Git talks to a source repository: with the caller's credentials, or with none.

Which of them is decided by `core.forges.named_hosts`. Without credentials means: no askpass, no
credential helper, no netrc, no header that every server gets, no ticket of a sign-on; proxies,
certificates and protocols hold as they are set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from gitops.adapters.gitrepo.command.address import Address, address
from gitops.adapters.gitrepo.command.process import SSH, Git, Setting
from gitops.adapters.gitrepo.command.settings import LIST, SettingLine, parse_settings
from gitops.core.forges.address import WebOrigin
from gitops.core.forges.named_hosts import (
    VARIABLE,
    NamedHost,
    how_to_name,
    is_here,
    is_named,
    is_plain,
    may_be_here,
    parse_named_hosts,
)
from gitops.core.git.remote_url import find_remote_url
from gitops.errors import Denied, GitopsError, NotFound

_CARRIED = re.compile(r"(http|url|protocol|ssh)\..+|core\.(gitproxy|sshcommand)", re.DOTALL)
_PATHS = re.compile(r"http\.(.+\.)?(ssl\w+|cookiefile|proxyssl\w+|pinnedpubkey)")
_NOWHERE = "/dev/null"  # no folder: nothing is found below it
_ANONYMOUS_SSH = f"{SSH} -o ForwardAgent=no"


class SourceAccess(Struct, frozen=True):
    """How one source repository is reached.

    Attributes:
        git: what runs the commands.
        url: without secrets.
        is_named: the caller named its server, so their credentials go there.
    """

    git: Git
    url: str
    is_named: bool

    def explained(self, error: GitopsError) -> GitopsError:
        """Return a refusal of the server, with the way to give it credentials."""
        if self.is_named or not isinstance(error, (Denied, NotFound)):
            return error
        return type(error)(
            error.message,
            hint=f"only gitops.yaml names this server, so no credentials go there; to allow it: "
            f"{how_to_name(self.url)}",
            reasons=error.reasons,
        )


class SourceAccesses:
    """Decides for each source repository how it is reached; reads the caller's settings once.

    Args:
        home: where the manifests are; asked for only when it matters.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        home: Callable[[], str | None],
        *,
        timeout: float,
        progress: Callable[[str], None] | None,
    ) -> None:
        self._environ = environ
        self._home = home
        self._timeout = timeout
        self._progress = progress
        self._lines: tuple[SettingLine, ...] | None = None

    def of(self, url: str, *, typed: bool = False) -> SourceAccess:
        """Return how `url` is reached; `typed`: the caller named it, and not only gitops.yaml.

        Raises UsageError for an address that is none and for a wrong `GITOPS_SOURCE_HOSTS`, Denied
        for one that would be read in the clear at a server that only gitops.yaml names, and for one
        on this machine that only gitops.yaml names.
        """
        where = address(url)
        if is_here(where.url) and not typed and not may_be_here(self._home(), self._hosts()):
            raise Denied(
                f"{where.url} is on this machine, and only gitops.yaml names it",
                hint=f"allow it: {VARIABLE}=localhost",
            )
        named = typed or self._is_named(where.url)
        if not named and is_plain(where.url):
            raise Denied(
                f"{where.url} would be read in the clear, from a server that only gitops.yaml "
                "names",
                hint=f"use https:// there, or allow it: {how_to_name(where.url)}",
            )
        git = self._own_git(where) if named else self._bare_git(where)
        return SourceAccess(git, where.url, named)

    def _is_named(self, url: str) -> bool:
        hosts = self._hosts()
        if is_named(url, None, hosts) or is_named(url, self._home(), ()):
            return True
        return is_named(url, None, (), [(line.key, line.value) for line in self._settings()])

    def _hosts(self) -> tuple[NamedHost, ...]:
        return parse_named_hosts(self._environ.get(VARIABLE, ""))

    def _settings(self) -> tuple[SettingLine, ...]:
        """The caller's own settings: not those of whatever checkout this runs in."""
        if self._lines is None:
            git = Git(self._environ, folder=Path("/"), timeout=self._timeout)
            lines = parse_settings(git.run([*LIST, "--includes"]).out)
            self._lines = tuple(one for one in lines if one.scope not in ("local", "worktree"))
        return self._lines

    def _own_git(self, where: Address) -> Git:
        git = Git(
            self._environ,
            after=where.settings,
            secrets=where.secrets,
            timeout=self._timeout,
            progress=self._progress,
        )
        if where.ssh:
            git.never_ask(None)
        return git

    def _bare_git(self, where: Address) -> Git:
        environ = {**self._environ, "GIT_ASKPASS": "", "SSH_ASKPASS": ""}
        environ.pop("NETRC", None)
        before: list[Setting] = []
        if self._may_be_http(where.url):
            # The netrc of the caller is not found there, nor their configuration: it goes along.
            environ |= {"HOME": _NOWHERE, "XDG_CONFIG_HOME": _NOWHERE}
            before = [self._expanded(line) for line in self._settings() if _is_carried(line)]
        git = Git(
            environ,
            before=before,
            after=(*_no_credentials(where.url), *where.settings),
            secrets=where.secrets,
            timeout=self._timeout,
            progress=self._progress,
        )
        git.never_ask(None, _ANONYMOUS_SSH)
        return git

    def _may_be_http(self, url: str) -> bool:
        """Will libcurl ask it, as it stands or as a setting rewrites it?"""
        rewritten = (
            line.value for line in self._settings() if line.key.lower().endswith(".insteadof")
        )
        return url.startswith(("http:", "https:")) or any(map(url.startswith, rewritten))

    def _expanded(self, line: SettingLine) -> Setting:
        if _PATHS.fullmatch(line.key) and line.value.startswith("~/"):
            home = self._environ.get("HOME") or os.path.expanduser("~")
            return line.key, home + line.value[1:]
        return line.key, line.value


def _is_carried(line: SettingLine) -> bool:
    headers = line.key.startswith("http.") and line.key.endswith("extraheader")
    return line.scope == "global" and bool(_CARRIED.fullmatch(line.key)) and not headers


def _no_credentials(url: str) -> tuple[Setting, ...]:
    """Return the settings that keep credentials of the caller's to themselves.

    An empty value clears a list; the one for the very server also clears what a pattern set.
    """
    found: list[Setting] = [
        ("credential.helper", ""),
        ("core.askPass", ""),
        ("http.extraHeader", ""),
        ("http.emptyAuth", "false"),
    ]
    remote = find_remote_url(url)
    if remote is not None and remote.scheme in ("http", "https"):
        origin = WebOrigin(
            "https" if remote.scheme == "https" else "http", remote.host, remote.port or 0
        )
        found += [(f"credential.{origin}/.helper", ""), (f"http.{origin}/.extraHeader", "")]
    return tuple(found)
