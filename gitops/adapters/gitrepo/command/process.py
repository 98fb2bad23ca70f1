"""Runs `git`: a clean environment, a time limit for the whole process group, no secrets in texts.

Secrets and carried configuration reach Git through `GIT_CONFIG_PARAMETERS`, where `git -c` keeps
its own: arguments are visible to every user of the machine, and Git 2.30 does not know the newer
`GIT_CONFIG_COUNT`. A caller's `GIT_CONFIG_COUNT` entries are moved there too, so that one order
holds: the checkout's settings, the caller's, ours.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from gitops import interrupts
from gitops.adapters.gitrepo.command.pipes import Pipes
from gitops.errors import Denied, NotFound, TimedOut

Setting = tuple[str, str]

# Whatever names a repository, an index or a name space must not leak in from a hook that runs us
# (`git rev-parse --local-env-vars`, GIT_QUARANTINE_PATH, GIT_NAMESPACE, pathspec and diff
# variables); so only what is known to be about the user and the network is kept.
_KEPT = re.compile(
    r"GIT_((AUTHOR|COMMITTER)_(NAME|EMAIL|DATE)|SSH(_COMMAND|_VARIANT)?|ASKPASS|SSL_\w+|HTTP_\w+"
    r"|PROXY_\w+|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|PARAMETERS|COUNT|KEY_\d+|VALUE_\d+)|EXEC_PATH"
    r"|ALLOW_PROTOCOL|PROTOCOL_FROM_USER|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM"
    r"|TRACE\w*|CURL_\w+|REDIRECT_\w+)"
)
OFFLINE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
"""For commands that read a repository on this machine with its own configuration.

A partial clone may name a command that fetches what it lacks. Git 2.44 knows the second variable;
before, no protocol at all is allowed, whatever the configuration says.
"""

_SECRETS = ("GITOPS_COMBINE_KEY",)  # ours: no hook and no helper needs to see it
SSH = "ssh -o BatchMode=yes"
"""Starts ssh without questions."""
_PATIENCE = 1.0  # seconds before somebody is told whom we wait for
_ULIMIT_BLOCK = 512  # bytes, as POSIX says
_MOST_OUTPUT = 1 << 29  # bytes that one git may print: the history of a million commits
_GRACE = 2.0  # seconds that a stopped git gets for removing its lock files


def clean_environment(
    environ: Mapping[str, str], before: Sequence[Setting] = (), after: Sequence[Setting] = ()
) -> dict[str, str]:
    """Return the environment for git: the caller's without what belongs to a repository.

    `before` are settings that the caller's own `GIT_CONFIG_COUNT` entries override, `after` those
    that override them. The caller's configuration, identity, SSH, askpass, TLS and proxy stay.
    """
    kept = {
        key: value
        for key, value in environ.items()
        if (not key.startswith("GIT_") or _KEPT.fullmatch(key)) and key not in _SECRETS
    }
    own = _counted_settings(kept)
    for key in [key for key in kept if re.fullmatch(r"GIT_CONFIG_(COUNT|KEY_\d+|VALUE_\d+)", key)]:
        del kept[key]
    parameters = [
        *(_quoted(setting) for setting in (*before, *own)),
        kept.pop("GIT_CONFIG_PARAMETERS", ""),
        *(_quoted(setting) for setting in after),
    ]
    if any(parameters):
        kept["GIT_CONFIG_PARAMETERS"] = " ".join(filter(None, parameters))
    # A relative entry would find a `git`, or a helper of it, that the repository brings along.
    path = kept.get("PATH", os.defpath).split(os.pathsep)
    kept["PATH"] = os.pathsep.join(entry for entry in path if os.path.isabs(entry))
    kept["LC_ALL"] = "C"
    kept["GIT_TERMINAL_PROMPT"] = "0"
    return kept


def _quoted(setting: Setting) -> str:
    key, value = (part.replace("'", "'\\''") for part in setting)
    # The form without inner quotes is the one that Git 2.30 knows; it cannot hold such keys.
    return f"'{key}'='{value}'" if "=" in key else f"'{key}={value}'"


def _counted_settings(environ: Mapping[str, str]) -> list[Setting]:
    count = environ.get("GIT_CONFIG_COUNT", "")
    most = min(int(count), len(environ)) if re.fullmatch(r"[0-9]{1,9}", count) else 0
    return [
        (environ[f"GIT_CONFIG_KEY_{number}"], environ[f"GIT_CONFIG_VALUE_{number}"])
        for number in range(most)
        if f"GIT_CONFIG_KEY_{number}" in environ and f"GIT_CONFIG_VALUE_{number}" in environ
    ]


class Scrubber:
    """Takes secrets out of texts: the ones it knows, and whatever looks like one."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        told = {form for one in secrets for form in (one, repr(one)[1:-1]) if len(one) > 3}
        self._secrets = sorted(told, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return `text` with every secret replaced by `***`."""
        if not text:
            return text
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = re.sub(r"(?i)\b(https?://)[^/@\s'\"]*@", r"\1", text)
        text = re.sub(r"(?i)\b(\w+://[^/@:\s'\"]*):[^/@\s'\"]*@", r"\1@", text)
        return re.sub(r"(?i)(authorization:\s*\w+\s+)[^\s'\"]+", r"\1***", text)


class GitResult(Struct, frozen=True):
    """What a finished git said. `err` is scrubbed text, `out` the raw bytes."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text, without the last newline."""
        return self.out.decode("utf-8", "surrogateescape").rstrip("\n")


class RunningGit:
    """A git that was started and not yet waited for."""

    def __init__(self, child: subprocess.Popen[bytes], git: Git, feed: bytes | None) -> None:
        self._child = child
        self._git = git
        self._pipes = Pipes(child, feed, _MOST_OUTPUT)
        self._since = time.monotonic()

    def wait(self, doing: str, *, quiet: bool = False) -> GitResult:
        """Wait for the end; `doing` ("waiting for X") is told to whoever waits over a second.

        Nobody is told with `quiet`. Raises TimedOut, and Unavailable for one that prints without
        end, after stopping the whole process group.
        """
        try:
            wait_for(self._pipes.finish, self._git, self._since, doing, quiet=quiet)
        except BaseException:
            self.stop()
            raise
        out, err = self._pipes.heard()
        return GitResult(
            self._child.returncode, out, self._git.scrub(err.decode("utf-8", "replace"))
        )

    def stop(self) -> None:
        """End it and all that it started. Git gets a moment to remove its lock files."""
        if self._child.poll() is None:
            stop_group(self._child)
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


class Git:
    """How to run git for one repository.

    Attributes:
        timeout: seconds that one command may take.
        progress: told whom we wait for when a command takes over a second.
        scrub: takes secrets out of a text.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        folder: Path | None = None,
        before: Sequence[Setting] = (),
        after: Sequence[Setting] = (),
        secrets: Sequence[str] = (),
        timeout: float = 60.0,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self._environ = clean_environment(environ, before, after)
        self._folder = folder
        self.timeout = timeout
        self.progress = progress
        self.scrub = Scrubber(secrets)

    @property
    def environ(self) -> Mapping[str, str]:
        """What git is run with."""
        return self._environ

    def never_ask(self, ssh_command: str | None, command: str = SSH) -> None:
        """Keep ssh from asking questions, unless the user set a command of their own."""
        if ssh_command is None and not {"GIT_SSH", "GIT_SSH_COMMAND"} & self._environ.keys():
            self._environ["GIT_SSH_COMMAND"] = command

    def popen(
        self,
        args: Sequence[str],
        *,
        extra: Mapping[str, str] | None = None,
        quiet: bool = False,
        largest: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start `git ARGS` in a process group of its own, with pipes; `quiet` drops its stderr.

        No file that it writes may grow over `largest` bytes.
        """
        words = ["git", *args]
        if largest is not None:
            words = ["sh", "-c", f'ulimit -f {largest // _ULIMIT_BLOCK}; exec "$@"', "sh", *words]
        try:
            with interrupts.held():  # or it would run, and nobody would know of it
                child = subprocess.Popen(
                    words,
                    cwd=self._folder,
                    env={**self._environ, **(extra or {})},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL if quiet else subprocess.PIPE,
                    # Its own session: no terminal that ssh could ask on, one group to stop.
                    start_new_session=True,
                )
                interrupts.started(child)
            return child
        except FileNotFoundError:
            if self._folder is not None and not self._folder.is_dir():
                raise NotFound(f"{self._folder}: no such folder") from None
            raise NotFound(
                "git is not installed, or not on PATH", hint="install Git 2.30 or newer"
            ) from None
        except OSError as error:
            raise Denied(f"git cannot be started: {error.strerror}") from None

    def start(
        self,
        args: Sequence[str],
        *,
        feed: bytes | None = None,
        extra: Mapping[str, str] | None = None,
        largest: int | None = None,
    ) -> RunningGit:
        """Start `git ARGS`; `feed` is its input. Wait for it with `RunningGit.wait`."""
        return RunningGit(self.popen(args, extra=extra, largest=largest), self, feed)

    def run(
        self,
        args: Sequence[str],
        *,
        doing: str = "waiting for git",
        feed: bytes | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> GitResult:
        """Run `git ARGS` to its end. Raises TimedOut."""
        return self.start(args, feed=feed, extra=extra).wait(doing)


def wait_for(
    ended: Callable[[float], bool], git: Git, since: float, doing: str, *, quiet: bool = False
) -> None:
    """Wait for what `git`, or something in its place, began at `since` (`time.monotonic`).

    `ended` waits for so many seconds and says whether it is over. `doing` is told to whoever waits
    over a second; nobody is told with `quiet`. Raises TimedOut.
    """
    told = False
    while True:
        passed = time.monotonic() - since
        limit = git.timeout if told else min(_PATIENCE, git.timeout)
        if ended(max(limit - passed, 0.01)):
            return
        if limit >= git.timeout:
            raise TimedOut(
                f"no answer within {git.timeout:.0f} s ({doing})",
                hint="try again; a server that is only slow gets more time with --push-timeout",
            )
        told = True
        if git.progress is not None and not quiet:
            git.progress(doing)


def stop_group(child: subprocess.Popen[bytes]) -> None:
    """Stop `child` and its whole process group: ask first, so that lock files are removed."""
    for signal_, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal_)
        with suppress(subprocess.TimeoutExpired):
            child.wait(patience)
            break
    # A helper may outlive its parent by ignoring the first signal.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
