"""How git is run: its environment, its time limit, and what must never be seen."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from gitops.adapters.gitrepo.command.address import address, is_url
from gitops.adapters.gitrepo.command.process import Git, Scrubber, clean_environment
from gitops.adapters.gitrepo.objects.store import Store
from gitops.adapters.gitrepo.objects.temporary import sweep
from gitops.errors import NotFound, TimedOut, UsageError
from gitrepos import ENVIRON

LOCAL = subprocess.run(
    ["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True
).stdout.split()
CONFIGURATION = {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}


def test_repository_variables_do_not_leak() -> None:
    """Nothing that names a repository, an index or a name space reaches git."""
    names = {*LOCAL, "GIT_NAMESPACE", "GIT_QUARANTINE_PATH", "GIT_LITERAL_PATHSPECS"}
    names -= CONFIGURATION

    cleaned = clean_environment(dict.fromkeys(names, "x"))

    assert set() == names & cleaned.keys()


@pytest.mark.parametrize(
    "name",
    [
        "GIT_AUTHOR_NAME",
        "GIT_COMMITTER_EMAIL",
        "GIT_SSH_COMMAND",
        "GIT_SSH",
        "GIT_ASKPASS",
        "SSH_ASKPASS",
        "SSH_AUTH_SOCK",
        "GIT_SSL_CAINFO",
        "GIT_HTTP_USER_AGENT",
        "https_proxy",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
    ],
)
def test_user_variables_stay(name: str) -> None:
    """Identity, ssh, askpass, TLS, proxy and configuration of the caller stay."""
    assert clean_environment({name: "mine"})[name] == "mine"


def test_settings_keep_their_order(tmp_path: Path) -> None:
    """The checkout's settings yield to the caller's, and these to ours; quotes survive."""
    environ = ENVIRON | {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "the caller's",
        "GIT_CONFIG_KEY_1": "user.email",
        "GIT_CONFIG_VALUE_1": "caller@example.com",
        "GIT_CONFIG_PARAMETERS": "'user.signingkey=from -c'",
    }
    git = Git(
        environ,
        folder=tmp_path,
        before=[("user.name", "checkout"), ("a.b", "checkout"), ("url.x=y.insteadof", "it's")],
        after=[("user.email", "ours@example.com")],
    )

    def value(key: str) -> str:
        return git.run(["config", "--get", key]).text

    assert ("the caller's", "checkout") == (value("user.name"), value("a.b"))
    assert ("ours@example.com", "from -c") == (value("user.email"), value("user.signingkey"))
    assert value("url.x=y.insteadof") == "it's"


def test_git_never_asks() -> None:
    """No terminal prompt, and messages in the language that we can read."""
    cleaned = clean_environment({"LC_ALL": "ko_KR.UTF-8", "GIT_TERMINAL_PROMPT": "1"})

    assert ("C", "0") == (cleaned["LC_ALL"], cleaned["GIT_TERMINAL_PROMPT"])


@pytest.mark.parametrize(
    ("environ", "setting", "expected"),
    [
        ({}, None, "ssh -o BatchMode=yes"),
        ({}, "ssh -i key", None),
        ({"GIT_SSH_COMMAND": "ssh -v"}, None, "ssh -v"),
        ({"GIT_SSH": "plink"}, None, None),
    ],
)
def test_ssh_asks_nothing(
    environ: dict[str, str], setting: str | None, expected: str | None
) -> None:
    """Ssh runs in batch mode unless the user chose a command of their own."""
    git = Git(environ)

    git.never_ask(setting)

    assert git._environ.get("GIT_SSH_COMMAND") == expected


def test_time_limit_ends_the_whole_group(tmp_path: Path) -> None:
    """After the time limit neither git nor what it started is alive."""
    note = tmp_path / "pid"
    script = f"!sleep 60 & echo $! > {note}; wait"
    git = Git(ENVIRON, folder=tmp_path, after=[("alias.hang", script)], timeout=0.5)

    with pytest.raises(TimedOut, match="no answer within"):
        git.run(["hang"])

    assert _gone(int(note.read_text()))


def _gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists():
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "Z":  # dead; nobody has collected it yet
                return True
        time.sleep(0.01)
    return False


def test_progress_only_after_a_second(tmp_path: Path) -> None:
    """A waiting person is told once, and not before a second has passed."""
    told: list[str] = []
    git = Git(ENVIRON, folder=tmp_path, after=[("alias.nap", "!sleep 1.3")], progress=told.append)

    git.run(["version"], doing="quick")
    git.run(["nap"], doing="waiting for the server")

    assert told == ["waiting for the server"]


def test_git_is_missing(tmp_path: Path) -> None:
    """Without git there is one clear sentence."""
    with pytest.raises(NotFound, match="git is not installed"):
        Git({"PATH": str(tmp_path)}).run(["version"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("to https://bob:hunter22@x/m.git", "to https://x/m.git"),
        ("to https://ghp_abc@x/m.git", "to https://x/m.git"),
        ("to ssh://bob:hunter22@x/m.git", "to ssh://bob@x/m.git"),
        ("to ssh://git@x/m.git", "to ssh://git@x/m.git"),
        ("Authorization: Basic Zm9v", "Authorization: Basic ***"),
        ("the token s3cret! is wrong", "the token *** is wrong"),
    ],
)
def test_scrubbing(text: str, expected: str) -> None:
    """Known secrets and what looks like one are taken out; the rest stays."""
    assert Scrubber(["s3cret!"])(text) == expected


@pytest.mark.parametrize(
    ("location", "url", "keys"),
    [
        ("https://x/m.git", "https://x/m.git", []),
        ("https://u:p%40ss@x:8443/m.git", "https://x:8443/m.git",
         ["http.https://x:8443/.extraHeader", "http.https://x:8443/.followRedirects"]),
        ("https://token@x/m.git", "https://x/m.git", ["credential.https://x/.username"]),
        ("ssh://git:pw@x/m.git", "ssh://git@x/m.git", []),
        ("git@x:m.git", "git@x:m.git", []),
        ("/srv/m.git", "/srv/m.git", []),
    ],
)  # fmt: skip
def test_address(location: str, url: str, keys: list[str]) -> None:
    """Secrets leave the URL, and reach git by its configuration."""
    found = address(location)

    assert (url, keys) == (found.url, [key for key, _ in found.settings])


@pytest.mark.parametrize(
    "location", ["-u", "--upload-pack=x", "ext::sh -c id", "fd::17", "foo::bar", "", "https://x\n"]
)
def test_harmful_addresses(location: str) -> None:
    """What git would take for an option or for a command is wrong usage."""
    with pytest.raises(UsageError):
        is_url(location)
    with pytest.raises(UsageError):
        address(location)


def test_dead_stores_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old store goes when nobody holds it; a held one and a fresh one stay."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    held = Store(Git(ENVIRON))
    dead, fresh = tmp_path / "gitops-store-dead", tmp_path / "gitops-store-fresh"
    dead.mkdir()
    fresh.mkdir()
    for old in (held.path, dead):
        os.utime(old, (0, 0))

    sweep()

    assert (True, False, True) == (held.path.exists(), dead.exists(), fresh.exists())
    held.close()
    assert not held.path.exists()


def test_interrupt_ends_git(tmp_path: Path) -> None:
    """Ctrl-C while waiting leaves no git behind."""
    git = Git(ENVIRON, folder=tmp_path, after=[("alias.hang", "!sleep 60")], timeout=30)
    running = git.start(["hang"])
    old = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            running.wait("waiting")
    finally:
        signal.signal(signal.SIGALRM, old)

    assert _gone(running._child.pid)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
