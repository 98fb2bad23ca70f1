"""The writer held to a model, beside another writer, and killed in the middle."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gitops.server.writer.order import CallOrder
from gitops.server.writer.writer import Writer
from gitops.wiring.kept import open_door
from gitrepos import Repo
from server_calls import deploying, holding, new_id, path_of, resuming
from servers.git_http import GitServer

APPS = 8


class Model:
    """What the branch must hold, and what each call must be told."""

    def __init__(self) -> None:
        self.tags = dict.fromkeys((f"a{number}" for number in range(APPS)), "1")
        self.held: set[str] = set()

    def expect(self, verb: str, app: str, tag: str) -> str:
        """Do it, and return its outcome."""
        if verb == "hold":
            if app in self.held:
                return "refused"
            self.held.add(app)
            return "committed"
        if verb == "resume":
            if app not in self.held:
                return "unchanged"
            self.held.remove(app)
            return "committed"
        if self.tags[app] == tag:
            return "unchanged"
        if app in self.held:
            return "refused"
        self.tags[app] = tag
        return "committed"


def drawn(chance: random.Random) -> tuple[str, str, str, CallOrder]:
    """Draw a call."""
    app, tag = f"a{chance.randrange(APPS)}", str(chance.randrange(1, 4))
    verb = chance.choice(["deploy", "deploy", "hold", "resume"])
    made = {"hold": holding, "resume": resuming}
    order = made[verb](app) if verb in made else deploying(f"shop/{app}:{tag}")
    return verb, app, tag, order


@pytest.mark.parametrize("seed", range(3))
def test_a_batch_does_what_the_calls_would_one_by_one(repo: Repo, seed: int) -> None:
    """Holds before deploys, then first come first served; each answer is the model's."""
    chance, model = random.Random(seed), Model()
    with open_door(str(repo.path)) as door:
        writer = Writer(door, most_at_once=chance.choice([2, 5, 128]))
        for _ in range(3):
            asked = [drawn(chance) for _ in range(chance.randrange(1, 9))]
            with writer.stopped():
                calls = [writer.submit(order) for *_, order in asked]
            ranked = sorted(zip(calls, asked, strict=True), key=lambda pair: pair[0].place)
            for call, (verb, app, tag, _) in ranked:
                outcome = call.wait(20)
                assert outcome is not None
                told = outcome.report.outcome if outcome.report else outcome.error.code
                assert model.expect(verb, app, tag) == told, (verb, app, tag)
        assert writer.drain(10)

    for app, tag in model.tags.items():
        assert f"newTag: '{tag}'".encode() in (repo.show(path_of(app)) or b"")
    there = {app for app in model.tags if repo.show(f".gitops/holds/{app}/dev.yaml") is not None}
    assert model.held == there


def test_two_writers_lose_nothing_and_do_nothing_twice(repo: Repo) -> None:
    """Two replicas, the same calls sent to both: one commit for each, whoever makes it."""
    orders = [deploying(f"shop/a{number % APPS}:{number + 2}") for number in range(12)]
    with GitServer(repo.path.parent) as server:
        url = f"{server.url}/m.git"
        with open_door(url) as one, open_door(url) as two:
            writers = [Writer(one), Writer(two)]
            calls = []
            for order in orders:
                calls += [writer.submit(order) for writer in writers]
            outcomes = [call.wait(30) for call in calls]
            assert all(writer.drain(10) for writer in writers)

    reports = [outcome.report for outcome in outcomes]
    assert all(report.outcome in ("committed", "unchanged") for report in reports)
    ids = repo.git("log", "--format=%(trailers:key=Gitops-Id,valueonly)").split()
    assert len(set(ids)) == len(ids)
    assert {order.id for order in orders} >= set(ids)
    for number in range(8, 12):  # the last word on each app stands
        assert f"newTag: '{number + 2}'".encode() in repo.show(path_of(f"a{number % APPS}"))


def test_what_another_replica_did_is_not_done_again(repo: Repo) -> None:
    """A call that loses its push to another replica, which did the very same and then something
    newer, has landed: planned again it would take the newer back."""
    first, newer = deploying("shop/a0:2"), deploying("shop/a0:10")
    with open_door(str(repo.path)) as one, open_door(str(repo.path)) as two:
        ahead, late = Writer(one), Writer(two)
        push = two.repository.push

        def overtaken(updates: object) -> object:
            two.repository.push = push
            for order in (first, newer):
                assert ahead.submit(order).wait(20).report.outcome == "committed"
            return push(updates)

        two.repository.push = overtaken
        outcome = late.submit(first).wait(20)
        assert all(writer.drain(10) for writer in (ahead, late))

    ids = repo.git("log", "--format=%(trailers:key=Gitops-Id,valueonly)").split()
    assert [newer.id, first.id] == ids
    assert (True, "committed") == (outcome.again, outcome.report.outcome)
    assert b"newTag: '10'" in repo.show(path_of("a0"))


PROCESS = """
import sys
from server_calls import deploying
from gitops.server.writer.writer import Writer
from gitops.wiring.kept import open_door

with open_door(sys.argv[1]) as door:
    writer = Writer(door)
    print("ready", flush=True)
    for line in sys.stdin:
        image, name = line.split()
        call = writer.submit(deploying(image, name))
        tell = lambda call=call: print(call.order.id, bool(call.outcome.report), flush=True)
        call.when_done(tell)
    writer.drain()
"""


class Replica:
    """A writer in a process of its own."""

    def __init__(self, url: str) -> None:
        here = Path(__file__).parents[1]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(here)])}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )
        assert "ready\n" == self.process.stdout.readline()
        self.answered: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            if line.endswith("True\n"):
                self.answered.append(line.split()[0])

    def send(self, calls: list[tuple[str, str]]) -> None:
        """Send calls: image and id."""
        self.process.stdin.write("".join(f"{image} {name}\n" for image, name in calls))
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it as a machine ends that loses power."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()

    def end(self) -> None:
        """Let it do what it was sent, and end."""
        self.process.stdin.close()
        assert 0 == self.process.wait(30)
        self._reader.join()


def test_a_killed_writer_loses_nothing_that_it_answered(repo: Repo) -> None:
    """Killed while pushes are taken; whoever sends the same again gets each done once."""
    chance = random.Random(7)
    with GitServer(repo.path.parent) as server:
        url = f"{server.url}/m.git"
        sent = [(f"shop/a{number % APPS}:{number + 2}", new_id()) for number in range(10)]
        replica = Replica(url)
        came = threading.Event()
        server.behaviour.after_push = came.set  # the push was taken, and is not answered yet
        replica.send(sent)
        assert came.wait(20)
        came.wait(chance.random() / 50)
        replica.kill()
        server.behaviour.after_push = None
        answered = list(replica.answered)
        again = Replica(url)
        again.send(sent)
        again.end()

    ids = repo.git("log", "--format=%(trailers:key=Gitops-Id,valueonly)").split()
    assert len(set(ids)) == len(ids)
    assert set(answered) <= set(ids)
    assert {name for _, name in sent} == set(ids)
    assert {name for _, name in sent} == set(again.answered)
