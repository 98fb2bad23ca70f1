"""Crowds of real processes that share a key, over real HTTP, while everything goes wrong.

What must hold is read from the history afterwards: who reported success stands there exactly once,
who did not at most once, Git finds the repository sound, and no ref is left.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

import warm
from gitops.core.batch.intents import REF_PREFIX, Intent, sign
from gitops.core.git.commit import Identity, timed_id
from gitops.core.git.remote_url import normalised_repository
from manifests import Manifests
from servers.git_http import Behaviour, GitServer
from servers.gitea import GiteaServer

DEV = "overlays/dev/kustomization.yaml"
KEY = "a-key-that-the-jobs-share-0001"
FORGER = b"a key that somebody made up"
PLACES = 12  # services in dev, each with a writer of its own at most


@dataclass
class Job:
    """One deploy that was started: service NUMBER to `v-NUMBER`."""

    number: int
    process: subprocess.Popen[bytes]
    err: str = ""
    out: str = ""

    def end(self) -> int:
        """Wait for it, and return its exit code."""
        if self.process.returncode is None or not self.out + self.err:
            out, err = self.process.communicate()
            self.out, self.err = out.decode(), err.decode()
        assert "Traceback" not in self.err
        return self.process.returncode


@dataclass
class Crowd:
    """A repository on a server, and the jobs on it."""

    manifests: Manifests
    url: str
    jobs: list[Job] = field(default_factory=list)

    def start(
        self, numbers: Sequence[int], *, key: str = KEY, budget: str = "100s", path: str = ""
    ) -> list[Job]:
        """Start a job for each number, all at once."""
        environ = warm.uncovered(os.environ)
        environ |= {"GITOPS_REPO": self.url, "GITOPS_COMBINE_KEY": key}
        environ |= {"GITOPS_AUTHOR": "Job <job@example.com>"}
        if path:  # another copy of gitops
            environ["PYTHONPATH"] = path
        started = [
            Job(
                number,
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", "gitops", "deploy", f"shop/s{number}:v-{number}"),
                        *("--to", "dev", "--push-timeout", budget, "-v"),
                    ],
                    cwd=self.manifests.elsewhere,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                ),
            )
            for number in numbers
        ]
        self.jobs += started
        return started

    def end(self) -> list[int]:
        """Wait for all jobs, and check what they said against the history."""
        codes = [job.end() for job in self.jobs]
        landed = Counter(
            subject.split(" -> ")[1]
            for subject in self.manifests.git("log", "--format=%s", "main").splitlines()
            if " -> v-" in subject
        )
        text = self.manifests.file(DEV)
        for job, code in zip(self.jobs, codes, strict=True):
            times = landed.pop(f"v-{job.number}", 0)
            stands = f"name: shop/s{job.number}\n    newTag: v-{job.number}\n" in text
            assert stands == bool(times), (job.number, job.out, job.err)
            assert times == 1 if code == 0 else times <= 1, (job.number, job.out, job.err)
        assert Counter() == landed, "somebody else's change landed"
        self.manifests.git("fsck", "--strict")
        return codes

    def refs(self) -> list[str]:
        """The intents that lie there."""
        return self.manifests.git("for-each-ref", "--format=%(refname)", REF_PREFIX).split()

    def intent(self, number: int, **changes: object) -> Intent:
        """What a job with the key may publish now: service NUMBER to `x-NUMBER`."""
        now = datetime.now(UTC).replace(microsecond=0)
        return replace(
            Intent(
                id=timed_id(time.time(), os.urandom(10)),
                repository=normalised_repository(self.url),
                branch="main",
                base=self.manifests.git("rev-parse", "main").strip(),
                author=Identity("Dead", "dead@example.com"),
                images=(f"shop/s{number}:x-{number}",),
                created=now,
                expires=now + timedelta(minutes=5),
                to=("dev",),
            ),
            **changes,  # type: ignore[arg-type]
        )

    def put(self, ref: str, blob: bytes) -> str:
        """Put a blob under a ref, as anybody may who can push anything."""
        done = subprocess.run(
            ["git", "-C", str(self.manifests.path), "hash-object", "-w", "--stdin"],
            input=blob,
            capture_output=True,
            check=True,
        )
        self.manifests.git("update-ref", ref, done.stdout.decode().strip())
        return ref

    def publish(self, intent: Intent, key: bytes = KEY.encode()) -> str:
        """Publish an intent whose owner is gone."""
        return self.put(intent.ref_name, sign(intent, key))

    def race(self, server: GitServer, times: int = 2) -> None:
        """Let the next pushes to the branch lose."""
        rest = iter(range(times))

        def rival() -> None:
            if next(rest, None) is not None:
                self.manifests.commit(f"by hand {time.time()}", {"other": str(time.time())})

        server.behaviour = Behaviour(before_push=rival)


@pytest.fixture
def server(manifests: Manifests) -> Iterator[GitServer]:
    """The repository of the test, served over HTTP, with a dozen services in dev."""
    rows = "".join(f"  - name: shop/s{number}\n    newTag: old\n" for number in range(PLACES))
    manifests.commit("a dozen services", {DEV: f"images:\n{rows}"})
    manifests.git("config", "http.receivepack", "true")
    with GitServer(manifests.path.parent) as running:
        yield running


@pytest.fixture
def crowd(manifests: Manifests, server: GitServer) -> Crowd:
    """Nobody yet."""
    return Crowd(manifests, server.repo)


@pytest.mark.slow
def test_a_dozen_at_once(crowd: Crowd) -> None:
    """All land, each once, with author and id of their own; no ref is left, nobody is warned."""
    crowd.start(range(PLACES))

    assert [0] * PLACES == crowd.end()
    ids = crowd.manifests.git("log", "--format=%(trailers:key=Gitops-Id,valueonly)").split()
    authors = crowd.manifests.git("log", f"-{PLACES}", "--format=%an").split("\n")
    assert PLACES == len(set(ids)) == len(ids)
    assert {"Job"} == {name for name in authors if name}
    assert [] == crowd.refs()
    assert not any("warning" in job.err for job in crowd.jobs)


def test_one_push_carries_what_waits(crowd: Crowd, server: GitServer) -> None:
    """Dead writers' intents land with the push of a job that lost twice, in seven pushes' time."""
    dead = [crowd.intent(number) for number in (1, 2, 3)]
    for intent in dead:
        crowd.publish(intent)
    crowd.race(server)
    (job,) = crowd.start([0])
    job.end()

    log = crowd.manifests.git(
        *("log", "-4", "--reverse", "--format=%an|%cn|%(trailers:key=Gitops-Id,valueonly)"), "main"
    )
    lines = [line for line in log.splitlines() if line]
    assert [f"Dead|Job|{intent.id}" for intent in dead] == lines[:3]
    assert lines[3].startswith("Job|Job|")
    assert 3 == crowd.manifests.git("log", "-4", "main").count("Gitops-Combined-By: Job <job@")
    assert [] == crowd.refs()
    assert (0, 3) == (job.process.returncode, crowd.manifests.file(DEV).count("newTag: x-"))
    assert "4 changes went with one push" in job.err


@pytest.mark.slow
def test_killed_at_random_points(crowd: Crowd, server: GitServer) -> None:
    """Half of them die without warning; what they published lands once, or goes."""
    dice = random.Random(7)
    jobs = crowd.start(range(PLACES), budget="8s")
    for job in dice.sample(jobs, PLACES // 2):
        time.sleep(dice.uniform(0.1, 0.6))
        job.process.send_signal(signal.SIGKILL)

    codes = crowd.end()
    assert set(codes) <= {0, 75, -signal.SIGKILL}
    assert 0 in codes
    time.sleep(max(0.0, _oldest_end(crowd) - time.time()))
    crowd.race(server, 1)
    crowd.jobs = []
    crowd.start([0], budget="30s")
    assert [0] == [job.end() for job in crowd.jobs]
    assert [] == crowd.refs()
    crowd.manifests.git("fsck", "--strict")


def _oldest_end(crowd: Crowd) -> float:
    """When the last of the intents that lie there has expired, in seconds since 1970."""
    names = [ref.removeprefix(REF_PREFIX) for ref in crowd.refs()]
    return max((int(name[:12], 16) / 1000 + 9.0 for name in names), default=0.0)


@pytest.mark.slow
def test_a_server_that_cuts_connections(crowd: Crowd, server: GitServer) -> None:
    """Answers get lost before and after the work: nobody is lost, nobody lands twice."""
    dice, lock = random.Random(1), threading.Lock()

    def fault(push: bool) -> float | Literal["drop", "cut"]:
        with lock:
            number = dice.random()
        return "drop" if number < 0.05 else "cut" if number < (0.15 if push else 0.08) else 0.0

    server.behaviour = Behaviour(fault=fault)
    crowd.start(range(8))

    assert set(crowd.end()) <= {0, 75}
    assert [] == [ref for ref in crowd.refs() if not _may_wait(ref)]


def _may_wait(ref: str) -> bool:
    """True for an intent that has not expired: its owner could not withdraw it."""
    return int(ref.removeprefix(REF_PREFIX)[:12], 16) / 1000 + 101.0 > time.time()


@pytest.mark.slow
def test_a_slow_server(crowd: Crowd, server: GitServer) -> None:
    """Every request takes its time, some longer than others: all land."""
    dice = random.Random(3)
    server.behaviour = Behaviour(fault=lambda _: dice.uniform(0.02, 0.2))
    crowd.start(range(8))

    assert [0] * 8 == crowd.end()
    assert [] == crowd.refs()


NO_REFS = 'case "$1" in refs/gitops/*) echo "no such refs here" >&2; exit 1;; esac'
NO_DELETES = 'case "$1 $3" in refs/gitops/*" 000"*) echo "no deletions" >&2; exit 1;; esac'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (("hook", NO_REFS), "no such refs here"),
        (("hook", NO_DELETES), "no deletions"),
        (("receive.hideRefs", "refs/gitops"), "hidden ref"),
        (("receive.advertiseAtomic", "false"), "cannot move several branches at once"),
        (("uploadpack.hideRefs", "refs/gitops"), "took the intent away"),
    ],
)
def test_a_server_that_does_not_play_along(
    crowd: Crowd, server: GitServer, setting: tuple[str, str], words: str
) -> None:
    """Refs that may not be made, seen or deleted, no atomic push: alone then, and it is said."""
    if setting[0] == "hook":
        hook = crowd.manifests.path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{setting[1]}\n")
        hook.chmod(0o755)
    else:
        crowd.manifests.git("config", *setting)
    crowd.race(server)
    (first,) = crowd.start([0])
    first.end()
    server.behaviour = Behaviour()
    crowd.start(range(1, 4))

    assert [0] * 4 == crowd.end(), first.err
    assert "going on alone: " in first.err
    assert words in first.err
    if setting[1] != NO_DELETES:
        assert [] == crowd.refs()


@pytest.mark.slow
def test_what_nobody_with_the_key_made_does_not_land(crowd: Crowd) -> None:
    """Forged, altered, expired, replayed, huge, all the time, and a job without the key."""
    landed = crowd.intent(10)
    crowd.publish(landed)
    crowd.manifests.git("update-ref", "-d", landed.ref_name)
    now = datetime.now(UTC).replace(microsecond=0)
    crowd.manifests.commit(f"landed and taken back\n\nGitops-Id: {landed.id}", {"other": "x"})
    altered = crowd.intent(11)
    forged = [
        (crowd.intent(10), lambda intent: sign(intent, FORGER)),
        (altered, lambda intent: sign(intent, KEY.encode()).replace(b"x-11", b"x-66")),
        (
            crowd.intent(11, created=now - timedelta(minutes=9), expires=now),
            lambda intent: sign(intent, KEY.encode()),
        ),
        (landed, lambda intent: sign(intent, KEY.encode())),
        (crowd.intent(9), lambda intent: b"x" * 70_000),
        (crowd.intent(9), lambda intent: sign(crowd.intent(9, branch="other"), KEY.encode())),
    ]
    jobs = crowd.start(range(7)) + crowd.start([8], key="")
    while any(job.process.poll() is None for job in jobs):
        for intent, blob in forged:
            crowd.put(intent.ref_name, blob(intent))
        time.sleep(0.05)

    assert [0] * 8 == crowd.end()
    text = crowd.manifests.file(DEV)
    assert ("newTag: x-" in text, text.count("newTag: old")) == (False, PLACES - 8)


def test_junk_is_reported_and_swept(crowd: Crowd, server: GitServer) -> None:
    """A job that looks says what it found there and takes it away; its own change lands."""
    ref = crowd.publish(crowd.intent(5), FORGER)
    crowd.race(server)
    (job,) = crowd.start([0])
    job.end()

    name = ref.removeprefix(REF_PREFIX)
    assert 0 == job.process.returncode, job.err
    assert f"warning: intent {name}: not sealed with this key, or altered" in job.err
    assert ([], False) == (crowd.refs(), "x-5" in crowd.manifests.file(DEV))


def test_what_expired_is_swept_by_whoever_comes(crowd: Crowd) -> None:
    """A deploy that meets nobody hears of an old ref at its push, and removes it."""
    now = datetime.now(UTC).replace(microsecond=0)
    old = crowd.intent(
        5,
        id=timed_id(time.time() - 90, os.urandom(10)),
        created=now - timedelta(seconds=90),
        expires=now - timedelta(seconds=30),
    )
    crowd.publish(old)
    (job,) = crowd.start([0])
    job.end()

    assert 0 == job.process.returncode, job.err
    assert ([], False) == (crowd.refs(), "x-5" in crowd.manifests.file(DEV))
    assert "expired: not applied, and removed" in job.err


@pytest.mark.slow
def test_another_version_on_the_same_branch(crowd: Crowd, tmp_path: Path) -> None:
    """Two versions whose intents the other does not understand: all land, nobody complains."""
    import gitops

    newer = tmp_path / "newer"
    shutil.copytree(Path(gitops.__file__).parent, newer / "gitops")
    module = newer / "gitops" / "core" / "batch" / "intents.py"
    text = module.read_text()
    assert 'b"gitops-intent/1 "' in text
    module.write_text(text.replace('b"gitops-intent/1 "', 'b"gitops-intent/2 "'))

    crowd.start(range(0, 10, 2))
    crowd.start(range(1, 10, 2), path=str(newer))

    assert [0] * 10 == crowd.end()
    assert [] == crowd.refs()
    assert not any("warning" in job.err for job in crowd.jobs)


def test_a_hold_that_lands_while_an_intent_waits(crowd: Crowd, server: GitServer) -> None:
    """It is asked for on the tip that the intent lands on: refused, and recorded in the commit."""
    dead = crowd.intent(3, images=("shop/web:x-3",), to=("test",))
    crowd.publish(dead)
    crowd.manifests.gitops("hold", "test", "--reason", "INC-9")
    crowd.race(server)
    (job,) = crowd.start([0])
    job.end()

    last = crowd.manifests.git("log", "-1", "--format=%B", "main")
    assert f"Gitops-Not-Applied: {dead.id} of Dead, shop/web:x-3 to test: test: held by" in last
    assert "not carried" in job.err
    assert (0, []) == (job.process.returncode, crowd.refs())


def test_two_addresses_of_one_repository(crowd: Crowd, server: GitServer) -> None:
    """By default they are two; a name in gitops.yaml makes them one."""
    other = crowd.intent(3, repository="git.example.com/mirror")
    crowd.publish(other)
    crowd.race(server)
    crowd.start([0])[0].end()
    assert "x-3" not in crowd.manifests.file(DEV)

    config = (crowd.manifests.checkout / "gitops.yaml").read_text()
    crowd.manifests.commit("name", {"gitops.yaml": config + "repository: shop/manifests\n"})
    crowd.publish(crowd.intent(4, repository="shop/manifests"))
    crowd.race(server)
    crowd.start([1])[0].end()
    assert "x-4" in crowd.manifests.file(DEV)


def test_a_key_that_is_none(crowd: Crowd) -> None:
    """Too short: said at once, without the key; an empty one is no key."""
    short = crowd.start([0], key="hunter2")[0]
    empty = crowd.start([1], key="")[0]

    assert (2, 0) == (short.end(), empty.end())
    assert "GITOPS_COMBINE_KEY is shorter than 16 bytes" in short.err
    assert "hunter2" not in short.err + short.out


@pytest.mark.slow
def test_on_a_path(manifests: Manifests, server: GitServer) -> None:
    """Jobs on one machine share a bare repository by its path: the same rule."""
    crowd = Crowd(manifests, str(manifests.path))
    crowd.start(range(8))

    assert [0] * 8 == crowd.end()
    assert [] == crowd.refs()


@pytest.mark.slow
def test_a_real_forge(gitea: GiteaServer, manifests: Manifests, server: GitServer) -> None:
    """Who may not push to the protected branch can publish there, and is carried only with the key.

    A Gitea takes blobs as refs beside the branches, and an atomic push that moves and deletes.
    """
    repository = gitea.new_repository("ana", writers=("ben", "ci"))
    manifests.git("push", "-q", gitea.clone_url(repository, user="ci"), "main")
    gitea.settle(repository)
    gitea.protect(repository)
    url = gitea.clone_url(repository, user="ci")
    crowd = Crowd(manifests, url)
    by_ben = gitea.clone_url(repository, user="ben")
    forged, sealed = crowd.intent(8), crowd.intent(9)
    for intent, key in ((forged, FORGER), (sealed, KEY.encode())):
        crowd.publish(intent, key)
        manifests.git("push", "-q", by_ben, f"{intent.ref_name}:{intent.ref_name}")
    jobs = crowd.start(range(5))
    codes = [job.end() for job in jobs]
    both = ("+refs/heads/main:refs/heads/main", "+refs/gitops/*:refs/new/*")
    manifests.git("fetch", "-q", url, *both)

    assert [0] * 5 == codes, [job.err for job in jobs]
    text = manifests.file(DEV)
    assert [f"v-{number}" for number in range(5)] == [
        line.split()[1] for line in text.splitlines() if "newTag: v-" in line
    ]
    left = manifests.git("for-each-ref", "--format=%(refname)", "refs/new").split()
    assert (False, True, []) == ("x-8" in text, "x-9" in text, left), [job.err for job in jobs]
