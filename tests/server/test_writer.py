"""The one writer: a crowd in one push, each call with its own commit and its own answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from gitops.actions.context.named import Named
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.hold import hold
from gitops.core.report import WriteReport
from gitops.errors import GitopsError, Refused, Unavailable
from gitops.ports import Lost, RefUpdate
from gitops.server.writer import round as rounds
from gitops.server.writer.landed import _MOST, _BranchIds
from gitops.server.writer.order import Call, KeyReused
from gitops.server.writer.outside import OutsidePort
from gitops.server.writer.writer import Writer
from gitops.wiring.kept import open_door
from gitrepos import Repo
from server_calls import (
    CONFIG,
    approving,
    crowd,
    deploying,
    going_back,
    holding,
    judging,
    new_id,
    order,
    path_of,
    promoting,
    resuming,
)
from servers.git_http import GitServer

Push = Callable[[Sequence[RefUpdate]], Lost | None]


@pytest.fixture
def writer(server: GitServer) -> Iterator[Writer]:
    """A writer of it."""
    with open_door(f"{server.url}/m.git") as door:
        made = Writer(door)
        yield made
        assert made.drain(10)


def told(call: Call) -> str:
    """Wait for a call, and return its outcome or the code of its error."""
    outcome = call.wait(20)
    assert outcome is not None
    return outcome.report.outcome if outcome.report else outcome.error.code


def sent_elsewhere(server: GitServer, name: str) -> Call:
    """Send a call that has landed to another process, which says so."""
    with open_door(f"{server.url}/m.git") as door:
        other = Writer(door)
        again = other.submit(deploying("shop/a0:2", name))
        assert "committed" == told(again)
        assert other.drain(10)
    return again


class Gate:
    """Holds a push until the test says so: meanwhile calls queue."""

    def __init__(self, server: GitServer) -> None:
        import threading

        self.came, self.open = threading.Event(), threading.Event()
        server.behaviour.before_push = self._wait
        self._server = server

    def _wait(self) -> None:
        self._server.behaviour.before_push = None
        self.came.set()
        assert self.open.wait(20)


def test_what_queued_during_a_push_goes_in_with_the_next(
    repo: Repo, server: GitServer, writer: Writer
) -> None:
    """One commit for each call, with its author, id and word; one push for all of them."""
    gate = Gate(server)
    first = writer.submit(deploying("shop/a0:2"))
    assert gate.came.wait(20)
    calls = [writer.submit(deploying(f"shop/a{number}:2")) for number in range(1, 7)]
    gate.open.set()
    assert ["committed"] * 7 == [told(call) for call in [first, *calls]]

    assert (2, 7) == (writer.figures.pushes, writer.figures.carried)
    assert "Ana, Gitops" == repo.git("log", "-1", "--format=%an, %cn").strip()
    ids = repo.git(
        "log", "-7", "--reverse", "--format=%(trailers:key=Gitops-Id,valueonly,separator=)"
    )
    assert [call.order.id for call in [first, *calls]] == ids.split()
    assert "Gitops-Actor: user:ana@example.com" in repo.git("log", "-1", "--format=%B")
    assert calls[-1].outcome.report.commit == repo.head()


def test_a_bad_call_fails_alone_and_the_way_back_goes_first(
    repo: Repo, server: GitServer, writer: Writer
) -> None:
    """A hold that queued later is planned before the deploys, and stops the one it is about."""
    assert "committed" == told(writer.submit(deploying("shop/a2:2")))
    gate = Gate(server)
    first = writer.submit(deploying("shop/a0:2"))
    assert gate.came.wait(20)
    fine = writer.submit(deploying("shop/a1:2"))
    none = writer.submit(deploying("shop/nothing:2"))
    held = writer.submit(deploying("shop/a3:2"))
    late = writer.submit(deploying("shop/a2:3"))
    hold = writer.submit(holding("a3"))
    back = writer.submit(going_back("a2"))
    gate.open.set()
    assert ["committed", "committed", "not-found", "refused"] == [
        told(call) for call in (first, fine, none, held)
    ]
    assert ["committed", "committed", "refused"] == [told(call) for call in (hold, back, late)]
    assert isinstance(held.outcome.error, Refused)
    subjects = repo.git("log", "-3", "--reverse", "--format=%s").splitlines()
    assert subjects[0].startswith("a2/dev: roll back")
    assert "INC-1" in subjects[1]
    assert 3 == writer.figures.pushes


def test_the_same_id_is_one_call(repo: Repo, server: GitServer, writer: Writer) -> None:
    """While it runs, after it was answered, and in another process: done once. Else refused."""
    name = new_id()
    first = writer.submit(deploying("shop/a0:2", name))
    assert writer.submit(deploying("shop/a0:2", name)) is first
    assert "committed" == told(first)
    assert writer.submit(deploying("shop/a0:2", name)) is first
    with pytest.raises(KeyReused):
        writer.submit(deploying("shop/a0:3", name))
    told(writer.submit(deploying("shop/a0:4")))
    again = sent_elsewhere(server, name)

    assert again.outcome.again
    assert again.outcome.report.commit == first.outcome.report.commit
    assert b"newTag: '4'" in repo.show(path_of("a0"))


def test_an_id_is_looked_for_however_many_landed_lately(
    repo: Repo, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a call made now only what landed since matters: what others did before it is no matter."""
    monkeypatch.setattr("gitops.server.writer.landed._MOST", 3)
    monkeypatch.setattr("gitrepos.START", int(time.time()) - 600)
    repo.commits([({"README.md": str(number).encode()}, "others\n") for number in range(5)])
    with open_door(f"{server.url}/m.git") as door:
        one = Writer(door)
        name = new_id()
        assert "committed" == told(one.submit(deploying("shop/a0:2", name)))
        assert one.drain(10)
    again = sent_elsewhere(server, name)
    assert again.outcome.again


def test_an_answer_holds_nothing_of_its_call(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    """It is kept for minutes: no frames with sessions. What stumbled stands in the log."""
    refused, stumbled = deploying("shop/nothing:2"), order("deploy", lambda _session: 1 // 0)
    calls = [writer.submit(refused), writer.submit(stumbled)]
    assert ["not-found", "bug"] == [told(call) for call in calls]
    for call in calls:
        error: BaseException | None = call.outcome.error
        while error is not None:
            assert error.__traceback__ is None
            error = error.__cause__ or error.__context__
    assert "ZeroDivisionError" in caplog.text


def test_ids_that_landed_are_remembered_within_bounds() -> None:
    """A replica that writes alone never reads them again, and would have all of its life."""
    known = _BranchIds()
    for number in range(3):
        one = deploying("shop/a0:2")
        made = {f"{at:040}": replace(one, id=f"{number}-{at}") for at in range(_MOST)}
        known.learn("a" * 40, made)
    assert len(known.ids) <= 2 * _MOST


def test_a_lost_race_is_planned_again(repo: Repo, server: GitServer, writer: Writer) -> None:
    """Somebody else's commit comes between: all calls of the batch land on top of it."""
    gate = Gate(server)
    first = writer.submit(deploying("shop/a0:2"))
    assert gate.came.wait(20)
    calls = [writer.submit(deploying(f"shop/a{number}:2")) for number in range(1, 4)]
    repo.commit({"README.md": b"hello"})
    gate.open.set()
    assert ["committed"] * 4 == [told(call) for call in [first, *calls]]
    assert b"hello" == repo.show("README.md")
    assert "6" == repo.git("rev-list", "--count", "main").strip()


def test_an_answer_that_got_lost(repo: Repo, server: GitServer, writer: Writer) -> None:
    """The push landed and nobody said so: each call finds its own commit, and none acts twice."""
    told(writer.submit(deploying("shop/a7:2")))
    gate = Gate(server)
    first = writer.submit(deploying("shop/a0:2"))
    assert gate.came.wait(20)
    calls = [writer.submit(deploying(f"shop/a{number}:2")) for number in range(1, 4)]
    server.behaviour.cut_once = True
    gate.open.set()
    assert ["committed"] * 4 == [told(call) for call in [first, *calls]]
    assert "6" == repo.git("rev-list", "--count", "main").strip()


def test_a_batch_that_a_hook_declines_is_halved(
    repo: Repo, server: GitServer, writer: Writer
) -> None:
    """One commit that the server does not want does not keep the others out."""
    repo.hook(
        "pre-receive",
        'while read old new ref; do git log --format=%s "$old..$new" | grep -q a3 && '
        '{ echo "no a3 today"; exit 1; }; done; exit 0',
    )
    gate = Gate(server)
    first = writer.submit(deploying("shop/a0:2"))
    assert gate.came.wait(20)
    calls = [writer.submit(deploying(f"shop/a{number}:2")) for number in range(1, 6)]
    gate.open.set()
    outcomes = [told(call) for call in [first, *calls]]
    assert ["committed"] * 3 + ["hook-declined"] + ["committed"] * 2 == outcomes


def test_no_answer_rests_on_what_is_only_about_to_be_pushed(repo: Repo, writer: Writer) -> None:
    """Two ask for the same that the server does not want: the second is not told that it is there
    already; nor is a deploy refused for a hold that never came to be."""
    decline = '{ echo "not today"; exit 1; }'
    repo.hook(
        "pre-receive",
        'while read old new ref; do git log --format=%s "$old..$new" | '
        f"grep -q -e a3 -e hold && {decline}; done; exit 0",
    )
    with writer.stopped():
        calls = [writer.submit(deploying("shop/a3:2")) for _ in range(2)]
        calls += [writer.submit(holding("a1")), writer.submit(deploying("shop/a1:2"))]
    declined = ["hook-declined"] * 3
    assert [*declined, "committed"] == [told(call) for call in calls]


def test_the_first_words_of_a_ledger_go_in_together(repo: Repo, writer: Writer) -> None:
    """Nobody has judged anything yet, and several do at once: each has its line."""
    assert "committed" == told(writer.submit(deploying("shop/a0:2")))
    release = repo.head()
    with writer.stopped():
        calls = [writer.submit(judging("a0", release, word)) for word in ("qa-passed", "qa-failed")]
    assert ["committed"] * 2 == [told(call) for call in calls]
    assert "2" == repo.git("rev-list", "--count", "gitops/ledger").strip()


class Dead(Exception):
    """The process has ended."""


def _dies(push: Push, updates: Sequence[RefUpdate]) -> Lost | None:
    """End before the branch moves."""
    if any(one.ref == "refs/heads/main" for one in updates):
        raise Dead
    return push(updates)


@contextmanager
def approval_that_died(repo: Repo, server: GitServer) -> Iterator[tuple[Writer, str]]:
    """Yield a writer, and the id of an approval that was killed after the line of the ledger."""
    text = CONFIG.replace(
        b'"release/*"], ', b"main], change: pull-request, approvals: {self: true}, "
    )
    repo.commit({"gitops.yaml": text})
    name = new_id()
    with open_door(f"{server.url}/m.git") as door:
        writer = Writer(door)
        assert "committed" == told(writer.submit(deploying("shop/a0:2")))
        assert "proposed" == told(writer.submit(promoting("a0", "prod")))
        push = door.repository.push
        door.repository.push = partial(_dies, push)
        assert "bug" == told(writer.submit(approving("a0", "prod", name)))
        door.repository.push = push
        yield writer, name
        assert writer.drain(10)


def test_an_approval_that_was_only_noted_goes_on(repo: Repo, server: GitServer) -> None:
    """Killed between the line of the ledger and the merge: the same call to another replica merges,
    and the approval stands in the ledger once."""
    with approval_that_died(repo, server) as (_, name):
        pass
    assert name in repo.git("log", "-1", "--format=%B", "gitops/ledger")
    with open_door(f"{server.url}/m.git") as door:
        other = Writer(door)
        assert "committed" == told(other.submit(approving("a0", "prod", name)))
        assert other.drain(10)

    assert b"newTag: '2'" in repo.show(path_of("a0", "prod"))
    assert name in repo.git("log", "-1", "--format=%B", "main")
    assert "1" == repo.git("rev-list", "--count", "gitops/ledger").strip()


def test_an_approval_is_of_what_was_there_when_it_was_given(repo: Repo, server: GitServer) -> None:
    """Killed after the line of the ledger, and the proposal made anew meanwhile: the same call lets
    nothing in that it has not approved; a new one does."""
    with approval_that_died(repo, server) as (writer, name):
        assert "committed" == told(writer.submit(deploying("shop/a0:3")))
        assert "proposed" == told(writer.submit(promoting("a0", "prod")))
    with open_door(f"{server.url}/m.git") as door:
        other = Writer(door)
        assert "refused" == told(other.submit(approving("a0", "prod", name)))
        assert b"newTag: '1'" in repo.show(path_of("a0", "prod"))
        assert "committed" == told(other.submit(approving("a0", "prod")))
        assert other.drain(10)
    assert b"newTag: '3'" in repo.show(path_of("a0", "prod"))


def test_a_full_queue_says_so(server: GitServer, repo: Repo) -> None:
    """More than the bound are refused at once; what was taken up is done, also when it drains."""
    with open_door(f"{server.url}/m.git") as door:
        writer = Writer(door, most_waiting=2)
        gate = Gate(server)
        calls = [writer.submit(deploying("shop/a0:2"))]
        assert gate.came.wait(20)
        calls += [writer.submit(deploying(f"shop/a{number}:2")) for number in (1, 2)]
        with pytest.raises(Unavailable):
            writer.submit(deploying("shop/a3:2"))
        gate.open.set()
        assert writer.drain(10)
        assert ["committed"] * 3 == [told(call) for call in calls]
        with pytest.raises(Unavailable, match="about to stop"):
            writer.submit(deploying("shop/a3:2"))


def test_a_server_that_is_away(repo: Repo, server: GitServer, writer: Writer) -> None:
    """It is tried again, and what it was away for is done when it is back."""
    told(writer.submit(resuming("a1")))
    server.behaviour.status = 503
    call = writer.submit(deploying("shop/a0:2"))
    assert call.wait(0.3) is None
    server.behaviour.status = None
    assert "committed" == told(call)
    assert isinstance(call.outcome.error, GitopsError | None)


def test_a_slow_answer_keeps_nobody_else_waiting(
    repo: Repo, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that says nothing holds up the call that asks it, which lands on top at last."""
    monkeypatch.setattr(rounds, "PATIENCE", 0.05)
    answers = threading.Event()
    asked = [0]

    def wait(_config: object, session: Session) -> None:
        asked[0] += 1
        if asked[0] == 1:
            session.aside(lambda: answers.wait(60))

    def run(session: Session) -> WriteReport:
        admit = partial(wait, session=session)
        return deploy(replace(session, admit=admit), DeployRequest(("shop/a1:2",), ("dev",)))

    slow = writer.submit(order("deploy", run))
    others = [writer.submit(one) for one in (holding("a2"), deploying("shop/a3:2"))]
    assert ["committed"] * 2 == [told(call) for call in others]
    assert slow.outcome is None
    answers.set()
    assert "committed" == told(slow)
    assert b"newTag: '2'" in (repo.show(path_of("a1")) or b"")
    assert 2 == asked[0]  # what it had planned on was not the newest any more


class SlowForge:
    """Merges on the server at once, and takes its time to say so."""

    def __init__(self, server: GitServer, answers: threading.Event) -> None:
        self._server = server
        self._answers = answers

    def merge(self, name: str) -> str:
        merged = sent_elsewhere(self._server, name).outcome
        assert self._answers.wait(60)
        return str(merged.report.commit)


def test_what_a_slow_forge_merged_is_the_calls_own(
    repo: Repo, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not land before the call came: the call goes on, and tells all of what it did."""
    monkeypatch.setattr(rounds, "PATIENCE", 0.05)
    answers = threading.Event()
    forge: Any = SlowForge(server, answers)

    def run(session: Session) -> WriteReport:
        merged = forge_of(session).merge(session.intent)
        open_tip(session)  # as whoever tidies up does
        return WriteReport("approve", "committed", "main", "r", merged, notes=("its own words",))

    def forge_of(session: Session) -> Any:
        return session.forge(open_tip(session).config)

    with open_door(f"{server.url}/m.git") as door:
        writer = Writer(
            replace(
                door, session=lambda opened: replace(door.session(opened), forge=lambda _: forge)
            )
        )
        call = writer.submit(order("approve", run))
        assert "committed" == told(writer.submit(deploying("shop/a3:2")))
        answers.set()
        assert "committed" == told(call)
        assert writer.drain(10)
    assert ("its own words",) == call.outcome.report.notes


def test_what_was_slow_to_answer_is_asked_once() -> None:
    """A call that is planned anew would be late again, and never come through."""
    calls: list[str] = []

    class Source:
        name = "x"

        def heads(self, url: str) -> str:
            calls.append(url)
            return f"heads of {url}"

    slow = {"u": True, "v": False}
    port = OutsidePort(Source(), lambda call: (call(), slow[calls[-1]]), {})
    assert ["heads of u"] * 2 + ["heads of v"] * 2 == [port.heads(one) for one in "uuvv"]
    assert (["u", "v", "v"], "x") == (calls, port.name)


def test_many_overlays_are_held(writer: Writer, repo: Repo) -> None:
    """What an environment of many apps runs is read of the index, as the command line does."""
    crowd(repo, 21)

    held = writer.submit(
        order("hold", lambda session: hold(session, Named(("dev",)), reason="INC-1"))
    )

    assert "committed" == told(held)
    assert b"INC-1" in repo.show(".gitops/holds/a20/dev.yaml")


def test_a_crowd_that_never_ceases_does_not_pile_up_what_was_read(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two batches what is not in use is forgotten, also while an earlier call goes on."""
    monkeypatch.setattr(rounds, "PATIENCE", 0.05)
    monkeypatch.setattr("gitops.adapters.gitrepo.objects.reader._KEPT_EACH", 10_000)
    answers, asks = threading.Event(), threading.Event()

    def run(session: Session) -> WriteReport:
        session.aside(lambda: (asks.set(), answers.wait(60)))
        return hold(session, Named(("dev",)), reason="INC-1")

    slow = writer.submit(order("hold", run))
    assert asks.wait(60)
    held: list[int] = []
    for number in range(12):
        assert "committed" == told(writer.submit(deploying(f"shop/a0:n{number}")))
        held.append(len(writer._door.repository._source.store.ahead._here))
    assert slow.outcome is None
    assert max(held[2:]) <= held[1] + 10
    answers.set()
    assert "committed" == told(slow)
