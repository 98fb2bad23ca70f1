"""What the libraries behind the forges do by themselves, and must not do here."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from fakes import FakeClock
from forges.json_server import Call, JsonServer, Reply
from gitops.adapters.forges.gitea import open_gitea
from gitops.adapters.forges.github import open_github
from gitops.adapters.forges.gitlab import open_gitlab
from gitops.adapters.forges.transport.calls import Calls
from gitops.core.environments.environment import ForgeKind
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.errors import GitopsError, NotFound, TimedOut, Unavailable
from gitops.ports import GatedForge, PullText
from servers.fault_proxy import Fault, FaultProxy

SECRET = "s3cret-token-91c0"
OPEN: dict[str, Callable[..., GatedForge]] = {
    "github": open_github,
    "gitlab": open_gitlab,
    "gitea": open_gitea,
}
KINDS: tuple[ForgeKind, ...] = ("github", "gitlab", "gitea")


class Host(JsonServer):
    """Answers everything alike, and keeps what came."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply
        self.seen: list[Call] = []

    def answer(self, call: Call) -> Reply:
        """Keep the request."""
        self.seen.append(call)
        return self.reply


@pytest.fixture
def elsewhere() -> Iterator[Host]:
    """Another server, to which nobody should be sent."""
    with Host(Reply(200, [])) as made:
        assert isinstance(made, Host)
        yield made


def forge(kind: ForgeKind, url: str, *, budget: float = 30.0, style: str = "token") -> GatedForge:
    """Open a forge of a kind at a URL; pauses between requests take no time."""
    token = ForgeToken(SECRET, "TOKEN", style, "ana")  # type: ignore[arg-type]
    return OPEN[kind](ForgeAddress(kind, url, "shop/m"), token, FakeClock(), budget, {})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_tokens_follow_no_redirect(kind: ForgeKind, status: int, elsewhere: Host) -> None:
    """A server that sends us to another host sends no token there, and no question."""
    styles = ["token", "job"] if kind == "gitlab" else ["token", "basic"]
    for style in styles:
        target = {"Location": f"{elsewhere.url}/x"}
        with Host(Reply(status, None, target)) as host:
            one = forge(kind, host.url, style=style)
            for call in (
                lambda one=one: one.find("gitops/prod", "main"),
                lambda one=one: one.comment(1, "hello"),
                lambda one=one: one.close(1),
            ):
                with pytest.raises(GitopsError) as caught:
                    call()
                assert SECRET not in caught.value.message + str(caught.value.hint)

    assert [] == elsewhere.seen


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_is_not_waited_for(kind: ForgeKind) -> None:
    """Libraries would sleep for as long as they are told: here it is the caller's to decide."""
    headers = {"Retry-After": "3600", "X-RateLimit-Reset": str(int(time.time()) + 3600)}
    with Host(Reply(429, {"message": "slow down"}, headers)) as host:
        assert isinstance(host, Host)
        begun = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            forge(kind, host.url).comment(1, "hello")

    assert time.monotonic() - begun < 10
    assert "try again at" in str(caught.value.hint)
    assert 1 == len(host.seen)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [409, 500, 503])
def test_writes_are_not_repeated_by_libraries(kind: ForgeKind, status: int) -> None:
    """A comment is said once, whatever is answered."""
    with Host(Reply(status, {"message": "no"})) as host:
        assert isinstance(host, Host)
        with pytest.raises(GitopsError):
            forge(kind, host.url).comment(1, "hello")

    assert 1 == [call.verb for call in host.seen].count("POST")


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_server_costs_only_the_time(kind: ForgeKind) -> None:
    """A server that never answers is given up after the time of the call."""
    with Host(Reply(200, [])) as host, FaultProxy(host.url) as proxy:
        proxy.faults.append(Fault(lambda *_: True, hang=True, times=9))
        begun = time.monotonic()
        with pytest.raises(TimedOut):
            forge(kind, proxy.url, budget=1.0).find("gitops/prod", "main")

    assert time.monotonic() - begun < 15


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_no_answer(kind: ForgeKind) -> None:
    """A login page, or a document of something else, is a server in trouble, not a crash."""
    for body in ("<html>sign in</html>", {"hello": "world"}, [], None, [{"number": "x"}]):
        with Host(Reply(200, body)) as host:
            one = forge(kind, host.url)
            for call in (
                lambda one=one: one.readiness(1),
                lambda one=one: one.update(1, PullText("t", "b")),
                lambda one=one: one.merge(1, "0" * 40, "merge", "t", "m"),
            ):
                with pytest.raises(GitopsError) as caught:
                    call()
                assert isinstance(caught.value, Unavailable), (body, caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_no_log_has_a_token(
    kind: ForgeKind, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """With every logger told to say everything, the token is in none of it."""
    caplog.set_level(logging.DEBUG)
    with Host(Reply(422, {"message": f"bad {SECRET}"})) as host:
        one = forge(kind, host.url)
        with pytest.raises(GitopsError) as caught:
            one.comment(1, "hello")

    printed = capfd.readouterr()
    assert SECRET not in caplog.text + printed.out + printed.err
    assert SECRET not in caught.value.message + str(caught.value.hint)


@pytest.mark.parametrize("kind", KINDS)
def test_the_users_own_password_file_is_left_alone(
    kind: ForgeKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """~/.netrc, which some libraries prefer, does not take the place of the token."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login eve password netrc-secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with Host(Reply(404, {"message": "no"})) as host:
        assert isinstance(host, Host)
        with pytest.raises(NotFound):
            forge(kind, host.url).comment(1, "hello")

    (sent,) = {call.headers["authorization"] for call in host.seen}
    assert SECRET in sent


IMPORTS = """
import os, sys
from gitops.adapters.forges.{kind} import open_{kind}
from gitops.adapters.local.clock import SystemClock
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
for name in {hidden!r}:
    sys.modules[name] = None
before = dict(os.environ)
address = ForgeAddress("{kind}", "https://git.example.com", "shop/m")
try:
    open_{kind}(address, ForgeToken("x", "y"), SystemClock(), 5.0, {{}})
except Exception as error:
    print(type(error).__name__, error, error.hint)
print(before == dict(os.environ))
"""


def run(kind: str, hidden: list[str], folder: Path) -> str:
    """Open a forge in a process of its own, with libraries hidden; return what it prints."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS.format(kind=kind, hidden=hidden)],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_library_says_what_to_install(kind: str, tmp_path: Path) -> None:
    """Without the extra there is one sentence, with the command."""
    library = {"gitea": "pyforgejo"}.get(kind, kind)
    said = run(kind, [library], tmp_path)

    assert said.startswith("NotFound ")
    assert library in said
    assert f"with its extra [{kind}]" in said


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_lies_about_changes_nothing(kind: str, tmp_path: Path) -> None:
    """No library fills our environment from a file that it finds above itself or here."""
    (tmp_path / ".env").write_text("GITOPS_AUTHOR=Eve <eve@example.com>\nBASE_URL=https://e\n")
    assert "True\n" == run(kind, [], tmp_path)


def test_no_env_file_is_read_by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyforgejo fills the environment from a file when it is imported: that is taken back."""
    import dotenv

    from gitops.adapters.forges.gitea.api import make_client

    def load(*_: object, **__: object) -> bool:
        os.environ["GITOPS_PLANTED"] = "yes"
        return True

    monkeypatch.setattr(dotenv, "load_dotenv", load)
    for name in [name for name in sys.modules if name.split(".")[0] == "pyforgejo"]:
        monkeypatch.delitem(sys.modules, name)
    token, address = ForgeToken("x", "y"), ForgeAddress("gitea", "https://x.example", "a/b")
    make_client(Calls(address, token, nullcontext, FakeClock(), 5.0), token, {})

    assert "GITOPS_PLANTED" not in os.environ


def test_time_is_the_clocks() -> None:
    """Retries wait by the clock that was handed in, so tests need not."""
    with Host(Reply(502, {"message": "bad gateway"})) as host:
        assert isinstance(host, Host)
        address = ForgeAddress("gitea", host.url, "shop/m")
        clock = FakeClock()
        with pytest.raises(Unavailable):
            open_gitea(address, ForgeToken(SECRET, "TOKEN"), clock, 30.0, {}).find(
                "gitops/prod", "main"
            )

    assert 3 == len(host.seen)
    assert clock.passed > 1
