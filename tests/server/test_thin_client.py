"""`GITOPS_SERVER`: the command line sends its verbs there, with the same words and exit codes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from gitops.adapters.server.client import ServerClient
from gitops.cli.remote import seen
from gitops.errors import Denied, NotFound, Refused, TimedOut, Unavailable, UsageError
from gitops.server.app import create_app
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings
from gitrepos import Repo
from server_calls import new_id, path_of
from servers.loopback import Handler, Loopback


class Quiet(uvicorn.Server):
    """A server in a thread of the test."""

    def __init__(self, repo: Repo) -> None:
        settings = ServerSettings(str(repo.path), Listen("127.0.0.1", 8080))
        app = create_app(Service(settings))
        config = uvicorn.Config(app, port=0, log_config=None, lifespan="on", ws="none")
        super().__init__(config)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self.should_exit = True
        self.thread.join(20)


@pytest.fixture
def address(repo: Repo) -> Iterator[str]:
    """The address of a server on the repository."""
    with Quiet(repo) as found:
        yield found


class Called:
    """What a call of the command line left."""

    def __init__(self, address: str, words: tuple[str, ...], folder: Path) -> None:
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "GITOPS_SERVER": address}
        done = subprocess.run(
            [sys.executable, "-m", "gitops", *words],
            env=environ,
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


def test_the_same_words_and_exit_codes(address: str, repo: Repo, tmp_path: Path) -> None:
    """Nothing of the repository is needed here; what is printed is what a call on it prints."""

    def call(*words: str) -> Called:
        return Called(address, words, tmp_path)

    done = call("deploy", "shop/a1:2", "--to", "dev")
    assert 0 == done.code, done.err
    assert "shop/a1  1 -> 2" in " ".join(done.out.split("\t")).replace("   ", "  "), done.out
    assert f"committed {repo.head()[:7]} to main of {repo.path}" in done.out
    again = call("deploy", "shop/a1:2", "--to", "dev", "-o", "json")
    assert "unchanged" == json.loads(again.out)["outcome"]
    back = call("rollback", "a1/dev", "--reason", "INC-3", "--yes")
    assert 0 == back.code, back.err
    assert b"newTag: '1'" in repo.show(path_of("a1"))
    assert "hint: `gitops resume dev --app a1` lifts the hold" in back.err
    assert 0 == call("resume", "a1/dev").code
    planned = call("hold", "a2/dev", "--reason", "x", "--dry-run")
    assert "planned only" in planned.out
    refused = call("deploy", "shop/a1:9", "--to", "prod", "-o", "json")
    assert (1, "refused") == (refused.code, json.loads(refused.out)["error"]["code"])
    nowhere = call("hold", "moon", "--reason", "x")
    assert 3 == nowhere.code
    assert "error: " in nowhere.err
    assert 2 == call("deploy", "shop/a1:2", "--to", "dev", "--wait").code
    assert 2 == call("deploy", "shop/a1:2", "--to", "dev", "--repo", str(repo.path)).code


class Script(Loopback):
    """Answers as it is told: (status, document) each; a status of 0 hangs up."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = [*answers]
        self.asked: list[tuple[str, str, str | None]] = []
        outer = self

        class Scripted(Handler):
            def do_GET(self) -> None:
                self._next()

            def do_POST(self) -> None:
                self.read_body()
                self._next()

            def _next(self) -> None:
                outer.asked.append((self.command, self.path, self.headers.get("Authorization")))
                last = len(outer.answers) == 1
                status, document = outer.answers[0] if last else outer.answers.pop(0)
                if status == 0:
                    self.close_connection = True
                    self.connection.close()
                    return
                away = (("Location", "http://127.0.0.1:1/elsewhere"),) if status == 302 else ()
                self.say(status, away, json.dumps(document).encode())

        super().__init__(Scripted)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sleeps between two tries."""
    monkeypatch.setattr("gitops.adapters.server.client._PAUSES", (0.001, 0.01))


NAME = new_id()
DONE = {"id": NAME, "action": "deploy", "outcome": "committed"}
UNKNOWN = {"error": {"code": "not-found", "message": f"nobody knows a call {NAME}"}}


def sent(script: Script, seconds: float = 10.0) -> object:
    """Send a call to a server that answers by the script."""
    with script, ServerClient(script.url, lambda *_: "s3cret", {}) as client:
        return client.send("/v1/deploy", {}, NAME, seconds)


def methods(script: Script) -> list[str]:
    """The requests that came."""
    return [method for method, *_ in script.asked]


def test_one_request_where_nothing_goes_wrong() -> None:
    """A deploy is one POST, with the credential."""
    script = Script((200, DONE))
    assert DONE == sent(script)
    assert [("POST", "/v1/deploy", "Bearer s3cret")] == script.asked


def test_a_lost_answer_is_asked_for() -> None:
    """It may have been done: the id tells, and nothing is pushed from here."""
    script = Script((0, None), (202, {"id": NAME, "state": "running"}), (200, DONE))
    assert DONE == sent(script)
    assert ["POST", "GET", "GET"] == methods(script)


def test_a_call_that_never_arrived_is_sent_again() -> None:
    """The server knows nothing of it: the same id, once more."""
    script = Script(
        (0, None), (404, UNKNOWN), (503, {"error": {"code": "unavailable"}}), (200, DONE)
    )
    assert DONE == sent(script)
    assert ["POST", "GET", "POST", "POST"] == methods(script)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(409, "refused", Refused), (404, "not-found", NotFound), (503, "unavailable", Unavailable)],
)
def test_errors_of_the_call_are_told(status: int, code: str, kind: type[Exception]) -> None:
    """With the words, hint and reasons of the server."""
    told = {"code": code, "message": "no", "hint": "wait", "reasons": ["held"]}
    with pytest.raises(kind, match="no") as caught:
        sent(Script((status, {"id": NAME, "error": told})))
    assert ("wait", ("held",)) == (caught.value.hint, caught.value.reasons)


def test_a_redirect_gets_no_credential() -> None:
    """Whoever answers for the server cannot send the token elsewhere."""
    with pytest.raises(Denied, match="elsewhere"):
        sent(Script((302, {})))


def test_what_is_no_answer() -> None:
    """A page of a proxy is no answer, and one that goes on for too long is told with the id."""
    with pytest.raises(Unavailable, match="no gitops server"):
        sent(Script((200, "welcome")))
    with pytest.raises(TimedOut, match="still at it") as caught:
        sent(Script((202, {"id": NAME, "state": "queued"})), seconds=0.2)
    assert NAME in caught.value.hint


def test_a_server_that_is_away() -> None:
    """Where nothing was sent that is said, at once and at the end, with the way without it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = "http://{}:{}".format(*taken.getsockname())
    told: list[str] = []
    client = ServerClient(url, lambda *_: None, {}, told.append)
    with client, pytest.raises(Unavailable, match=r"refused; nothing was sent$") as caught:
        client.send("/v1/deploy", {}, NAME, 0.2)

    assert "unset GITOPS_SERVER" in (caught.value.hint or "")
    assert 1 == len(told)
    assert "refused; trying for 0 s more, nothing was sent" in told[0]


def test_a_token_never_goes_in_the_clear() -> None:
    """Beyond this machine only by https; and an address has to be one."""
    client = ServerClient("http://gitops.example.com", lambda *_: "s3cret", {})
    with client, pytest.raises(UsageError, match="in the clear"):
        client.send("/v1/deploy", {}, NAME, 1)
    for odd in ("gitops.example.com", "ftp://x", "https://u:p@x", "https://x?y"):
        with pytest.raises(UsageError):
            ServerClient(odd, lambda *_: None, {})


def test_an_approval_is_of_the_head_that_was_shown() -> None:
    """What moves while somebody reads the question is not approved by their yes."""
    proposal = {"environment": "prod", "branch": "gitops/prod", "commit": "a" * 40}
    planned = {"outcome": "planned", "action": "approve", "proposals": [proposal]}
    assert {"head": "a" * 40} == seen("approve", {}, planned)
    assert {} == seen("approve", {"head": "b" * 40}, planned) == seen("promote", {}, planned)
    two = {**planned, "proposals": [proposal, {**proposal, "branch": "gitops/stage"}]}
    assert {} == seen("approve", {}, two)


@pytest.mark.parametrize("verb", ["rollback", "undo", "approve"])
def test_a_yes_is_to_what_was_shown(verb: str) -> None:
    """The call that follows the question carries the mark of what stood above it."""
    planned = {"outcome": "planned", "action": verb, "proposals": [], "mark": "0" * 32}
    assert {"seen": "0" * 32} == seen(verb, {}, planned)
