"""Runs gitops in processes of their own that need not load Python, gitops and coverage anew.

One process (`python -m warm`) has loaded them and forks for every call: a tenth of a second of
work, not four. What a call sees is what it would see anyway: its own folder, environment, streams
and process. That the two say the same is tested (tests/test_warm.py); what is about starting, about
signals or about a terminal starts a Python.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

from builds import programs_of_the_machine, remember_builds
from servers.sharing import run_folder

TESTS = Path(__file__).parent
GITEA = "gitops.adapters.forges.gitea.api"
LIMIT = 1 << 20
ONCE = ("PYTHON", "LC_", "LANG", "COV")
"""Variables that Python reads when it starts: a call with others is not for us."""


class Running:
    """One call of gitops, as `subprocess.Popen` would show it, as far as tests look."""

    def __init__(self, line: socket.socket, out: IO[bytes], err: IO[bytes]) -> None:
        self._line = line
        self._out, self._err = out, err
        self.returncode: int | None = None

    def communicate(self) -> tuple[bytes, bytes]:
        """Wait for its end, and return what it printed."""
        with self._line, self._out, self._err:
            told = b""
            while piece := self._line.recv(64):
                told += piece
            # Who is killed says nothing.
            self.returncode = int(told) if told else -signal.SIGKILL
            return _content(self._out), _content(self._err)


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


class Calling(Protocol):
    """A call that was started."""

    @property
    def returncode(self) -> int | None:
        """Return its exit code, None before it was waited for."""

    def communicate(self) -> tuple[bytes, bytes]:
        """Wait for its end, and return what it printed."""


class Warm:
    """A process that has everything loaded, Gitea's client too where that will be wanted."""

    def __init__(self, environ: Mapping[str, str], *, gitea: bool) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._started = _fixed(environ)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "warm", str(theirs.fileno()), GITEA if gitea else ""],
                cwd="/",
                env={**environ, "PYTHONPATH": str(TESTS)},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._lock = threading.Lock()

    def fits(self, environ: Mapping[str, str]) -> bool:
        """Say whether a call with these variables would see what a new Python shows it."""
        return _fixed(environ) == self._started

    def start(self, arguments: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> Running:
        """Start `gitops ARGUMENTS` with nothing to read."""
        ours, theirs = socket.socketpair()
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - read later
        words = json.dumps([list(arguments), str(cwd), dict(environ)]).encode()
        assert len(words) < LIMIT
        with theirs, self._lock:
            handed = [theirs.fileno(), out.fileno(), err.fileno()]
            socket.send_fds(self._ours, [words], handed)
        return Running(ours, out, err)

    def end(self) -> None:
        """Let it write down what was covered, and go."""
        self._ours.close()
        self._process.wait()


_KEPT: dict[tuple[bool, bool], Warm] = {}


def start(arguments: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> Calling:
    """Start `gitops ARGUMENTS` with nothing to read, warm where that shows the same."""
    kind = ("GITEA_TOKEN" in environ, any(name.startswith("COV") for name in environ))
    # One that this call alone has must not be what later ones are measured by.
    is_usual = _fixed(environ).items() <= os.environ.items()
    if kind not in _KEPT and is_usual:
        _KEPT[kind] = Warm(environ, gitea=kind[0])
    if kind in _KEPT and _KEPT[kind].fits(environ):
        return _KEPT[kind].start(arguments, cwd, environ)
    return subprocess.Popen(
        [sys.executable, "-m", "gitops", *arguments],
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def uncovered(environ: Mapping[str, str]) -> dict[str, str]:
    """Return these variables without what has a process measured for coverage.

    For crowds, which do again and again what other tests have shown to be covered.
    """
    return {name: value for name, value in environ.items() if not name.startswith("COV")}


def end() -> None:
    """End the processes that `start` began."""
    while _KEPT:
        _KEPT.popitem()[1].end()


def _fixed(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(ONCE)}


def _serve(line: socket.socket, more: str) -> None:
    """Fork for every call that arrives, until the tests are gone."""
    for name in [*_common(), *filter(None, [more])]:
        importlib.import_module(name)
    remember_builds(run_folder().parent / "builds", programs_of_the_machine())
    gc.freeze()  # a fork looks through its own things only, and leaves the pages of these shared
    covered = sys.modules.get("coverage")
    measuring = covered.Coverage.current() if covered is not None else None
    if measuring is not None:
        measuring.save()  # what loading has covered: once, not with every call
        # Looks for files that were never run. Where coverage has no such method, it takes longer.
        measuring._post_save_work = lambda: None
    while True:
        words, handed, _, _ = socket.recv_fds(line, LIMIT, 3)
        if not words:
            return
        if os.fork() == 0:
            line.close()
            _call(json.loads(words), handed, measuring)
        for number in handed:
            os.close(number)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _common() -> Iterator[str]:
    """Name the modules that any command may load: all, but those of forges and of clusters."""
    import gitops

    for found in pkgutil.walk_packages(gitops.__path__, "gitops."):
        if not found.name.startswith(("gitops.adapters.forges", "gitops.adapters.argocd")):
            yield found.name


def _call(
    words: tuple[list[str], str, dict[str, str]], handed: list[int], measuring: Any
) -> NoReturn:
    """Be one call, from the command line to the exit code."""
    arguments, cwd, environ = words
    code = 1
    try:
        os.dup2(handed[1], 1)
        os.dup2(handed[2], 2)
        os.close(handed[1])
        os.close(handed[2])
        os.set_inheritable(handed[0], False)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environ)
        time.tzset()
        sys.argv[1:] = arguments
        from gitops.__main__ import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        if measuring is not None:
            measuring.stop()
            measuring.save()
        os.write(handed[0], str(code).encode())
        os._exit(code)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as told:
        _serve(told, sys.argv[2])
