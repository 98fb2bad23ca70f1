"""Git's configuration as a list, and what of a checkout's own goes along into a private store."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec import Struct

from gitops.adapters.gitrepo.command.process import Git, RunningGit, Setting

_NOWHERE = "--git-dir=/dev/null"
LIST = ("config", "--list", "-z", "--show-scope")
# Identity, signing, credentials, transport. Never `core.worktree`, `remote.*` or the like.
_CARRIED = (  # compiled for a checkout alone, as the next
    r"(user|author|committer|commit|gpg|credential|http|url|ssh|protocol)\..+"
    r"|core\.(sshcommand|askpass|gitproxy)"
)
# Of a repository that is not the caller's: names, places, and headers that a CI job put there.
_HARMLESS = (
    r"(?s)"
    r"(user|author|committer)\.(name|email)|remote\..+\.(url|pushurl|fetch|partialclonefilter)"
    r"|branch\..+\.(remote|merge)|http\..*extraheader|commit\.gpgsign|core\.(bare|worktree)"
)
_ITS_OWN = ("local", "worktree")
_TRUE = ("true", "yes", "on", "1")


class SettingLine(Struct, frozen=True):
    """One entry of the configuration, with the scope that it comes from."""

    scope: str
    key: str
    value: str


def parse_settings(out: bytes) -> tuple[SettingLine, ...]:
    """Parse the output of `git config --list -z --show-scope`, in order of precedence."""
    fields = out.decode("utf-8", "surrogateescape").split("\0")
    lines = []
    for scope, entry in zip(fields[::2], fields[1::2], strict=False):
        key, newline, value = entry.partition("\n")
        lines.append(SettingLine(scope, key, value if newline else "true"))
    return tuple(lines)


def last(lines: Sequence[SettingLine], key: str) -> str | None:
    """Return the value that counts for `key`, None when it is nowhere set."""
    return next((line.value for line in reversed(lines) if line.key == key), None)


def is_true(value: str | None) -> bool:
    """Return what Git takes `value` for, as a boolean."""
    return value is not None and value.lower() in _TRUE


def carried(lines: Sequence[SettingLine], *, credentials: bool = True) -> tuple[Setting, ...]:
    """Return the settings of a checkout that hold in a private store too, lowest first.

    The store's git reads system and user files by itself, but not those parts of them that apply
    to the checkout's place only (`includeIf`): so they are passed along. That does no harm to a
    single value; headers would be sent twice, so only the checkout's own go along, and none that
    authorise when the URL had credentials (`credentials` False).
    """
    found = []
    for line in lines:
        if line.scope == "command" or not re.fullmatch(_CARRIED, line.key):
            continue
        if line.key.startswith("http.") and line.key.endswith("extraheader"):
            authorises = line.value.lower().startswith("authorization:")
            if line.scope not in _ITS_OWN or (authorises and not credentials):
                continue
        found.append((line.key, line.value))
    return tuple(found)


def without_programs(lines: Sequence[SettingLine]) -> tuple[SettingLine, ...]:
    """Return settings without those of the repository itself that could start a program."""
    return tuple(
        line for line in lines if line.scope not in _ITS_OWN or re.fullmatch(_HARMLESS, line.key)
    )


def is_safe(lines: Sequence[SettingLine], places: Sequence[Path]) -> bool:
    """Say whether the caller's own `safe.directory` lists one of `places`.

    Git itself looks at it since 2.35.2 (and its fixes of older versions), more strictly than this.
    """
    listed: list[str] = []
    for line in lines:
        if line.key == "safe.directory" and line.scope not in _ITS_OWN:
            listed = [*listed, line.value] if line.value else []
    wanted = {str(place) for place in places}
    return any(
        one == "*"
        or os.path.expanduser(one.rstrip("/")) in wanted
        or (one.endswith("/*") and any(place.startswith(one[:-1]) for place in wanted))
        or one.startswith("%(")
        for one in listed
    )


def remotes(lines: Sequence[SettingLine]) -> dict[str, str]:
    """Return name -> URL of every remote."""
    found: dict[str, str] = {}
    for line in lines:
        name = re.fullmatch(r"remote\.(.+)\.url", line.key, re.DOTALL)
        if name:
            found.setdefault(name[1], line.value)
    return found


def lacks_folders(lines: Sequence[SettingLine]) -> bool:
    """Say whether a clone was made without the folders of its commits (`--filter=tree:0`).

    One without contents (`blob:none`, `blob:limit=…`) has them.
    """
    return any(
        re.fullmatch(r"remote\..+\.partialclonefilter", line.key, re.DOTALL) is not None
        and not re.fullmatch(r"blob:(none|limit=\w+)", line.value)
        for line in lines
    )


def choose_remote(
    lines: Sequence[SettingLine], branch: str | None, known: Mapping[str, str]
) -> str | None:
    """Return the remote that a checkout's changes go to; None when nothing names one of several.

    The upstream of the checked-out `branch`, else `origin`, else the only one.
    """
    upstream = last(lines, f"branch.{branch}.remote") if branch else None
    if upstream in known:
        return upstream
    if "origin" in known:
        return "origin"
    return next(iter(known)) if len(known) == 1 else None


class KnownSettings:
    """Settings that are read once, in the background; asked for from any thread.

    Args:
        place: makes a repository where the stores are, and yields what points git at it: some
            settings hold for places. Without any such setting none is made. None: they are given.
        given: the settings, where they are known already (a checkout).

    Attributes:
        readable: git understood them, as far as they were read.
    """

    def __init__(
        self,
        git: Git,
        place: Callable[[], AbstractContextManager[Sequence[str]]] | None,
        given: tuple[SettingLine, ...] | None,
    ) -> None:
        self._git = git
        self._place = place
        self.readable = True
        self._lines = given
        self._reading: RunningGit | None = None
        self._starting = threading.Lock()  # held for a moment, so that nobody waits for git here
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start to read, unless they are known or being read."""
        with self._starting:
            if self._lines is None and self._reading is None:
                self._reading = self._git.start([_NOWHERE, *LIST])

    def lines(self, *, quiet: bool = False) -> tuple[SettingLine, ...]:
        """Return all of them, in order of precedence; `quiet`: somebody else tells who waits."""
        with self._lock:
            self.begin()
            if self._lines is None and self._reading is not None:
                answer = self._reading.wait("reading settings", quiet=quiet)
                lines = parse_settings(answer.out)
                by_place = any(line.key.startswith("includeif.gitdir") for line in lines)
                if by_place and self._place is not None:
                    with self._place() as options:
                        answer = self._git.run([*options, *LIST], doing="reading settings")
                    lines = parse_settings(answer.out)
                self.readable = answer.code == 0
                self._lines = lines
            return self._lines or ()

    def last(self, key: str) -> str | None:
        """Return the value of a key that takes a single one (in lower case)."""
        return last(self.lines(), key)

    def are_on(self, key: str) -> bool:
        """Say whether a key that takes a boolean is set, and true."""
        return is_true(self.last(key))

    def rewrite_urls(self) -> bool:
        """Say whether there are rules that put another address in the place of one."""
        return any(line.key.startswith("url.") for line in self.lines())

    def stop(self) -> None:
        """Stop what reads."""
        if self._reading is not None:
            self._reading.stop()
