"""Ctrl-C and SIGTERM: wherever they come, the call ends soon, tidily, and tells the truth."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from manifests import Manifests
from servers.git_http import Behaviour, GitServer
from servers.hostile import SLOW, Hostile

DEPLOY = ("deploy", "shop/api:2", "--to", "dev")
HOLD = ("hold", "dev", "--reason", "INC-42")
SOON = 8.0
"""Seconds: far more than a busy machine needs, far less than any wait that is interrupted."""
STORM = float(os.environ.get("GITOPS_TEST_STORM", "3"))
"""Seconds of signals at random moments; a long storm is for who changes what is tested here."""

# Runs gitops behind some lines of Python, in which `hit()` sends a signal to the process itself.
PROGRAM = """
import os, signal, sys
number = int(sys.argv.pop(1))
def hit():
    os.kill(os.getpid(), number)
{lines}
from gitops.__main__ import main
main()
"""

# The signal is taken by a thread that does nothing, so that no system call of the main thread ends:
# just what happens to one that comes between the last bytecode and the call itself.
BESIDE_A_WAIT = """
import threading, time
def idle():
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    while True:
        time.sleep(1)
signal.pthread_sigmask(signal.SIG_BLOCK, {number})
threading.Thread(target=idle, daemon=True).start()
"""

IN_A_CALLBACK = """
import gitops.wiring
class Loud:
    def __del__(self):
        hit()
def say(text, told=[]):
    if not told:
        told.append(Loud())
        told[0] = None
    print("…", text, file=sys.stderr, flush=True)
gitops.wiring.say = say
"""

SWALLOWED = """
import gitops.wiring
def say(text, told=[]):
    if not told:
        told.append(text)
        try:
            hit()
            while True:
                pass
        except BaseException:
            pass
    print("…", text, file=sys.stderr, flush=True)
gitops.wiring.say = say
"""

WHILE_LOADING = """
class Finder:
    left = int(sys.argv.pop(1))
    def find_spec(self, name, path=None, target=None):
        Finder.left -= 1
        if Finder.left == 0:
            hit()
from gitops.__main__ import main
sys.meta_path.insert(0, Finder())
"""

# Tells when it has begun to listen, so that whatever comes then is ours to answer.
LISTENING = """
import gitops.__main__
def run(arguments, run=gitops.__main__.run):
    os.write(1, b"!")
    return run(arguments)
gitops.__main__.run = run
"""


@pytest.fixture
def scratch(manifests: Manifests) -> Path:
    """Where the calls of the test have their temporary files."""
    folder = manifests.elsewhere / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def environ(server: GitServer, scratch: Path) -> dict[str, str]:
    """What the calls of the test are told."""
    return {
        **os.environ,
        "GITOPS_REPO": server.repo,
        "TMPDIR": str(scratch),
    }


def start(
    arguments: tuple[str, ...],
    environ: Mapping[str, str],
    number: int = signal.SIGINT,
    lines: str | None = None,
) -> subprocess.Popen[str]:
    """Start gitops, behind some `lines` of Python or as it is."""
    words = ["-m", "gitops"] if lines is None else ["-c", program(lines), str(int(number))]

    def deaf_to_nothing() -> None:
        # A shell that puts the tests into the background has them ignore SIGINT.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(
        [sys.executable, *words, *arguments],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=deaf_to_nothing,
    )


def program(lines: str) -> str:
    """The program that runs `lines` and then gitops."""
    return PROGRAM.replace("{lines}", lines)


def first_line(process: subprocess.Popen[str]) -> str:
    """Read what it says first, and no byte of what comes at once behind that: `finish` waits."""
    assert process.stderr is not None
    said = b""
    while not said.endswith(b"\n") and (byte := os.read(process.stderr.fileno(), 1)):
        said += byte
    return said.decode()


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Return what it said; it must end soon."""
    try:
        return process.communicate(timeout=SOON)
    finally:
        process.kill()


def running_in(folder: Path) -> list[str]:
    """Return the command lines of processes that work in a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


@pytest.mark.parametrize(
    ("command", "number"),
    [(DEPLOY, signal.SIGINT), (DEPLOY, signal.SIGTERM), (HOLD, signal.SIGINT)],
    ids=["plain", "plain-term", "typer"],
)
@pytest.mark.parametrize(
    "lines", [BESIDE_A_WAIT, IN_A_CALLBACK, SWALLOWED], ids=["wait", "callback", "swallowed"]
)
def test_none_gets_lost(
    server: GitServer,
    environ: dict[str, str],
    scratch: Path,
    lines: str,
    command: tuple[str, ...],
    number: int,
) -> None:
    """Beside a wait, in a callback, in a handler that drops it: the call ends all the same."""
    server.behaviour = Behaviour(hang=True)
    process = start(command, environ, number, lines)
    assert first_line(process).startswith("… waiting for")
    if lines is BESIDE_A_WAIT:
        process.send_signal(number)
    _, err = finish(process)

    assert (130, "error: interrupted\n") == (process.returncode, err)
    assert [] == list(scratch.iterdir())


@pytest.mark.parametrize("at", [1, 20, 45, 70, 90])  # before the push begins
def test_while_modules_load(environ: dict[str, str], scratch: Path, at: int) -> None:
    """No half-loaded module is in the way of the message."""
    process = start((str(at), *DEPLOY), environ, signal.SIGINT, WHILE_LOADING)
    _, err = finish(process)

    assert (130, "error: interrupted\n") == (process.returncode, err)
    assert [] == list(scratch.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_while_an_answer_does_not_end(environ: dict[str, str], number: int) -> None:
    """Reading what Argo CD says a byte at a time is ended like everything else."""
    with Hostile.slow(SLOW["in its headers"]) as argocd:
        told = {"ARGOCD_SERVER": argocd.url, "ARGOCD_AUTH_TOKEN": "x"}
        process = start(("wait", "dev"), {**environ, **told})
        assert argocd.asked.wait(SOON)
        process.send_signal(number)
        _, err = finish(process)

    assert (130, "error: interrupted\n") == (process.returncode, err)


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize(
    ("command", "number"), [(DEPLOY, signal.SIGTERM), (HOLD, signal.SIGINT)], ids=["plain", "typer"]
)
@pytest.mark.parametrize("lands", [True, False])
def test_while_a_push_is_on_its_way(
    manifests: Manifests,
    server: GitServer,
    environ: dict[str, str],
    command: tuple[str, ...],
    output: str,
    number: int,
    lands: bool,
) -> None:
    """It may have landed: the message says so, and the id that is told finds the commit."""
    there, over = threading.Event(), threading.Event()

    def wait() -> None:
        there.set()
        over.wait(SOON)

    server.behaviour = Behaviour(after_push=wait) if lands else Behaviour(before_push=wait)
    process = start((*command, "-o", output), environ)
    assert there.wait(SOON)
    process.send_signal(number)
    try:
        out, err = finish(process)
    finally:
        over.set()
    commit = manifests.git("rev-parse", "main").strip()

    assert 130 == process.returncode
    assert "error: interrupted while a push was on its way: " in err
    assert "on main may have landed" in err
    if output == "json":
        document = json.loads(out)
        error = document["error"]
        assert ("interrupted", document["id"]) == (error["code"], error["id"])
        (push,) = error["pushes"]
        assert ("main", None) == (push["branch"], push["landed"])
        assert error["hint"] is not None
        assert document["id"] in error["hint"]
        if lands:
            assert commit == push["commit"]
            assert f"Gitops-Id: {document['id']}" in manifests.git(
                "log", "-1", "--format=%B", "main"
            )


def test_a_second_one_ends_it_at_once(manifests: Manifests, environ: dict[str, str]) -> None:
    """Whoever asks twice does not wait for what tidies up, and no git is left behind."""
    git = manifests.elsewhere / "bin" / "git"
    git.parent.mkdir()
    git.write_text("#!/bin/sh\ntrap '' TERM\necho here >&2\nwhile :; do sleep 0.1; done\n")
    git.chmod(0o755)
    environ |= {"PATH": f"{git.parent}:{environ['PATH']}"}
    process = start(DEPLOY, environ)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("… ")
    process.send_signal(signal.SIGINT)
    time.sleep(0.6)  # what comes sooner is the same key press, passed on by a wrapper
    alive = process.poll() is None and bool(running_in(git))
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, err = finish(process)

    assert alive
    assert (130, "error: interrupted, at once\n") == (process.returncode, err)
    assert time.monotonic() - asked < 1.0
    while running_in(git):  # it was killed, and may still be on its way out
        assert time.monotonic() - asked < SOON


def test_the_same_key_press_twice(
    server: GitServer, environ: dict[str, str], scratch: Path
) -> None:
    """A wrapper that passes Ctrl-C on to a process which got it already spoils nothing."""
    server.behaviour = Behaviour(hang=True)
    process = start(DEPLOY, environ)
    assert process.stderr is not None
    process.stderr.readline()
    for _ in range(5):
        process.send_signal(signal.SIGINT)
    _, err = finish(process)

    assert (130, "error: interrupted\n") == (process.returncode, err)
    assert [] == list(scratch.iterdir())


def test_what_is_ignored_stays_ignored(server: GitServer, environ: dict[str, str]) -> None:
    """A job in the background is not ended by the Ctrl-C of somebody else; SIGTERM ends it."""
    server.behaviour = Behaviour(hang=True)
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    process = start(DEPLOY, environ, lines=deaf)
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    _, err = finish(process)

    assert (130, "error: interrupted\n") == (process.returncode, err)


STORMS = {
    "plain": (DEPLOY, Behaviour(), 0.6),
    "json": ((*DEPLOY, "-o", "json"), Behaviour(), 0.6),
    "typer": (HOLD, Behaviour(), 0.8),
    "reading": (("status",), Behaviour(), 0.8),
    "pausing": (DEPLOY, Behaviour(status=503), 1.5),
    "pushing": (DEPLOY, Behaviour(hang=True, only_push=True), 1.5),
}


@pytest.mark.parametrize("kind", STORMS)
def test_at_any_moment(
    manifests: Manifests, server: GitServer, environ: dict[str, str], scratch: Path, kind: str
) -> None:
    """Whenever it comes the call ends soon, with a code and words that fit what is in Git."""
    command, server.behaviour, longest = STORMS[kind]
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    start_of_all, first = time.monotonic(), manifests.git("rev-parse", "main").strip()
    while time.monotonic() - start_of_all < STORM / len(STORMS):
        while server.taking:  # what the last call sent may land although that call has ended
            time.sleep(0.01)
        manifests.git("update-ref", "refs/heads/main", first)
        number = chance.choice([signal.SIGINT, signal.SIGTERM])
        process = start(command, environ, lines=LISTENING)
        assert process.stdout is not None
        process.stdout.read(1)
        moment = chance.uniform(0.0, longest)
        time.sleep(moment)
        process.send_signal(number)
        out, err = finish(process)
        ended = time.monotonic()
        moved = manifests.git("rev-parse", "main").strip() != first

        about = f"seed {seed}, {number.name} after {moment:.4f} s: {process.returncode} {out} {err}"
        assert process.returncode in (0, 130), about
        assert "Traceback" not in err, about
        assert "Exception" not in err, about
        assert [] == list(scratch.iterdir()), about
        while found := running_in(scratch):
            assert time.monotonic() - ended < SOON, f"{about} {found}"
        if process.returncode == 130:
            assert ("landed" in err) or not moved, about
            assert moved or "had landed" not in err, about
        if "json" in command:
            assert (process.returncode == 130) == ("error" in json.loads(out)), about
