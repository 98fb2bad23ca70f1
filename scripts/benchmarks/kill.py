"""Two servers on one repository, killed at random moments while callers write.

Real processes of `gitops serve` on real Git over HTTP. Callers send all verbs, each with an id; one
whose server dies sends the same call to the other one. In the end Git is asked: what was answered
is there, and nothing is there twice.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any

from measure import Wire
from msgspec import Struct
from page_server import PageProcess
from repositories import data, fast_import, git
from single import say

_APPS = 6
_CALLERS = 12
_CALLS = 3  # of each caller in a round
_ROUND = 0.8  # seconds in which somebody is killed; after that some callers are done
_LONGEST = 120.0  # seconds after which a caller gives up
_AGAIN = (408, 429, 502, 503, 504)
_NOBODY = ("hook-declined", "denied", "protected", "usage", "config", "unsafe-edit", "conflict")
_BRANCHES = ("main", "gitops/ledger")
# Between the moment when a push is in and the one when its sender hears of it.
_HOOK = """\
#!/bin/sh
[ "$1" != committed ] || sleep 0.04
"""
_CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/overlays/dev", accepts: [main]}
  - {name: stage, overlay: "apps/{app}/overlays/stage", after: [dev]}
  - name: prod
    overlay: apps/{app}/overlays/prod
    after: [dev]
    change: pull-request
    rollback: commit
    approvals: {self: true}
"""
_VERBS = {
    "deploy": 6,
    "promote": 3,
    "rollback": 3,
    "undo": 2,
    "hold": 1,
    "resume": 3,
    "approve": 2,
    "close": 1,
    "qa": 2,
}
"""Verb -> how often it is drawn."""


class Told(Struct):
    """One call, and what its caller was told.

    Attributes:
        tries: requests that it took.
        status: HTTP status of the answer; 0: there was none.
    """

    id: str
    verb: str
    path: str
    body: dict[str, Any]
    tries: int = 0
    status: int = 0
    answer: dict[str, Any] = {}

    @property
    def outcome(self) -> str:
        """The word for what came of it."""
        if self.status == 200:
            return str(self.answer.get("outcome"))
        code = self.answer.get("error", {}).get("code")
        return str(code or f"HTTP {self.status}")


def measure_kill(root: Path, gitops: Sequence[str], rounds: int, seed: int = 1) -> dict[str, Any]:
    """Kill servers so many times, and return what was seen."""
    repository = built(root / "killed.git")
    chance = random.Random(seed)
    told: list[Told] = []
    begun = time.monotonic()
    with Wire(root) as wire:
        pair = _Pair(root, gitops, f"{wire.url}/{repository.name}")
        try:
            for number in range(rounds):
                told += _round(pair, chance, number, repository)
                if (number + 1) % 10 == 0:
                    say(f"kill: {number + 1} of {rounds} rounds, {len(told)} calls")
        finally:
            pair.stop()
    found = _judged(repository, told)
    return found | {"rounds": rounds, "kills": pair.kills, "wall": time.monotonic() - begun}


def built(path: Path) -> Path:
    files = {"gitops.yaml": _CONFIG}
    for number in range(_APPS):
        for environment in ("dev", "stage", "prod"):
            place = f"apps/a{number}/overlays/{environment}/kustomization.yaml"
            files[place] = f"images:\n  - name: shop/a{number}\n    newTag: '1'\n"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
    for key, value in (
        ("http.receivepack", "true"),
        ("uploadpack.allowFilter", "true"),
        ("uploadpack.allowAnySHA1InWant", "true"),
    ):
        git(path, "config", key, value)
    hook = path / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    head = f"commit refs/heads/main\ncommitter B <b@example.com> {int(time.time()) - 60} +0000\n"
    parts = [head.encode(), data("begin")]
    for place, text in files.items():
        parts += [f"M 100644 inline {place}\n".encode(), data(text)]
    fast_import(path, parts)
    hook.write_text(_HOOK)
    hook.chmod(0o755)
    return path


class _Pair:
    """The two servers. Who is killed comes back at once, on another port."""

    def __init__(self, root: Path, gitops: Sequence[str], url: str) -> None:
        self._make = lambda: PageProcess(root, list(gitops), url)
        self.kills = 0
        self._both = [self._make(), self._make()]
        for one in self._both:
            one.__enter__()

    def ask(self, number: int, told: Told) -> tuple[int, dict[str, Any]]:
        """Send a call to one of the two. Raises OSError and HTTPException where it dies."""
        return self._both[number % 2].call(told.path, told.body, told.id, 30.0)

    def kill(self, number: int) -> None:
        """Kill one, and start another one in its place."""
        dead, new = self._both[number], self._make()
        dead.kill()
        self.kills += 1
        new.listen()  # who asks meanwhile is refused by the old port
        self._both[number] = new

    def stop(self) -> None:
        """Stop both."""
        for one in self._both:
            one.end()


def _round(pair: _Pair, chance: random.Random, number: int, repository: Path) -> list[Told]:
    """Let callers write, kill a server among it, and wait for all answers."""
    heads = releases(repository)
    asked = [
        [drawn(chance, heads, f"{number + 2}.{caller}.{turn}") for turn in range(_CALLS)]
        for caller in range(_CALLERS)
    ]
    first = [chance.randrange(2) for _ in asked]
    victims = [0, 1] if chance.random() < 0.15 else [chance.randrange(2)]
    pauses = [chance.uniform(0.0, _ROUND) for _ in victims]

    def strike(victim: int, pause: float) -> None:
        time.sleep(pause)
        pair.kill(victim)

    killers = [
        threading.Thread(target=strike, args=both) for both in zip(victims, pauses, strict=True)
    ]
    with ThreadPoolExecutor(_CALLERS) as pool:
        for one in killers:
            one.start()
        works = [
            pool.submit(_call_all, pair, calls, begin)
            for calls, begin in zip(asked, first, strict=True)
        ]
        for work in works:
            work.result()
    for one in killers:
        one.join()
    return [told for calls in asked for told in calls]


def releases(repository: Path) -> list[str]:
    """Return the newest commits of the branch, newest first."""
    return git(repository, "rev-list", "--first-parent", "-n", "20", "refs/heads/main").split()


def drawn(chance: random.Random, heads: Sequence[str], tag: str) -> Told:
    """Draw a call."""
    verb = chance.choices(list(_VERBS), list(_VERBS.values()))[0]
    app, body = f"a{chance.randrange(_APPS)}", dict[str, Any]()
    place = f"{app}/{chance.choice(['dev', 'dev', 'stage'])}"
    if verb == "deploy":
        shared = f"{tag.partition('.')[0]}.{chance.randrange(4)}"  # some ask for the same
        place, body = "dev", {"images": [f"shop/{app}:{shared}"]}
    elif verb == "promote":
        place, body = f"{app}/{chance.choice(['stage', 'prod', 'prod'])}", {"refresh": True}
    elif verb == "rollback":
        body = {"reason": "it is slow", "hold": chance.random() < 0.3}
    elif verb == "hold":
        body = {"reason": "INC-1"}
    elif verb in ("approve", "close"):
        place = f"{app}/prod"
    elif verb == "qa":
        verdict = chance.choice(["pass", "fail"])
        body = {"verdict": verdict, "release": chance.choice(heads), "note": tag}
    return Told(new_id(), verb, f"/v1/environments/{place}/{verb}", body)


def new_id() -> str:
    return f"{int(time.time() * 1000):012x}{os.urandom(10).hex()}"


def _call_all(pair: _Pair, calls: Sequence[Told], begin: int) -> None:
    for told in calls:
        _call(pair, told, begin)


def _call(pair: _Pair, told: Told, begin: int) -> None:
    """Send one call until it is answered, each time to the other server."""
    end = time.monotonic() + _LONGEST
    while time.monotonic() < end:
        told.tries += 1
        try:
            status, answer = pair.ask(begin + told.tries, told)
        except (OSError, HTTPException):
            time.sleep(0.02)
            continue
        if status not in (202, *_AGAIN):
            told.status, told.answer = status, answer
            return
        time.sleep(0.1)


def _judged(repository: Path, told: Sequence[Told]) -> dict[str, Any]:
    """Compare what callers were told with what stands in Git."""
    there: dict[str, list[str]] = {}
    commits: set[str] = set()
    for branch, commit, name in _landed(repository):
        commits.add(commit)
        if name:
            there.setdefault(f"{branch} {name}", []).append(commit)
    deployed = _deployed(repository)
    faults: list[str] = []
    doubled = lost = wrong = unanswered = 0
    for key, found in there.items():
        if len(found) > 1:
            doubled += 1
            faults.append(f"twice: {key}: {' '.join(found)}")
    for one in told:
        # An approval may be noted, and somebody else's let the proposal in.
        branches = _BRANCHES[:1] if one.verb == "approve" else _BRANCHES
        landed = any(f"{branch} {one.id}" in there for branch in branches)
        what = f"{one.verb} {one.path} {one.id} after {one.tries}: {one.outcome}"
        if one.status == 0 or one.status >= 500:
            unanswered += 1
            faults.append(f"no answer: {what} {one.answer}")
        elif one.outcome == "committed" and not _stands(repository, one, commits):
            lost += 1
            faults.append(f"lost: {what} {one.answer}")
        elif one.outcome == "unchanged" and one.verb == "deploy" and _image(one) not in deployed:
            lost += 1
            faults.append(f"said to be there, and never was: {what}")
        elif one.outcome in _NOBODY:
            wrong += 1
            faults.append(f"nobody did that: {what} {one.answer}")
        elif landed and one.outcome not in ("committed", "proposed"):
            wrong += 1
            faults.append(f"there, and told otherwise: {what} {one.answer}")
    checked = subprocess.run(
        ["git", "-C", str(repository), "fsck", "--no-dangling"], capture_output=True, check=False
    )
    return {
        "calls": len(told),
        "answers": dict(Counter(f"{one.verb} {one.outcome}" for one in told)),
        "again": sum(one.tries > 1 for one in told),
        "found": sum(_found_before(one) for one in told),
        "doubled": doubled,
        "lost": lost,
        "wrong": wrong,
        "unanswered": unanswered,
        "sound": checked.returncode == 0,
        "faults": faults,
    }


def _landed(repository: Path) -> Iterator[tuple[str, str, str]]:
    """Yield branch, commit and id of every commit."""
    words = "%H %(trailers:key=Gitops-Id,valueonly,separator=%x2C)"
    for branch in _BRANCHES:
        ref = f"refs/heads/{branch}"
        if not git(repository, "for-each-ref", ref):
            continue
        for line in git(repository, "log", f"--format={words}", ref).splitlines():
            commit, _, name = line.partition(" ")
            yield branch, commit, name.strip()


def _stands(repository: Path, told: Told, commits: set[str]) -> bool:
    """Say whether the commit that an answer names is there, and does what was asked for."""
    commit = str(told.answer.get("commit"))
    if commit not in commits:
        return False
    if told.verb == "approve":  # that it is noted is not enough: one approval lets it in
        return told.answer.get("branch") == "main"
    if told.verb != "deploy":
        return True
    app, tag = _image(told)
    place = f"apps/{app}/overlays/dev/kustomization.yaml"
    return f"newTag: '{tag}'" in git(repository, "show", f"{commit}:{place}")


def _image(told: Told) -> tuple[str, str]:
    """Return app and tag of a deploy."""
    image, _, tag = str(told.body["images"][0]).partition(":")
    return image.rpartition("/")[2], tag


def _deployed(repository: Path) -> set[tuple[str, str]]:
    """Return app and tag of all that ever was in dev."""
    found, app = set[tuple[str, str]](), ""
    for line in git(
        repository, "log", "-p", "-U0", "--format=", "main", "--", "apps/*/overlays/dev/*"
    ).splitlines():
        if line.startswith("+++ b/apps/"):
            app = line.split("/")[2]
        elif line.startswith("+") and "newTag: " in line:
            found.add((app, line.partition("newTag: ")[2].strip("'")))
    return found


def _found_before(told: Told) -> bool:
    return "it has landed before" in json.dumps(told.answer.get("notes", []))


def kill_text(found: dict[str, Any]) -> str:
    """Return what was seen, in words."""
    bad = [f"{found[one]} {one}" for one in ("lost", "doubled", "wrong", "unanswered")]
    lines = [
        f"kill -9, {found['rounds']} rounds, {found['kills']} servers killed, {found['calls']} "
        f"calls of all verbs ({found['wall']:.0f} s): {', '.join(bad)}; {found['again']} were sent "
        f"again, {found['found']} of them had landed; the repository is "
        f"{'sound' if found['sound'] else 'NOT sound'}.",
        "",
        *(f"- {count} {word}" for word, count in sorted(found["answers"].items())),
        *found["faults"],
    ]
    return "\n".join(lines)


def is_well(found: dict[str, Any]) -> bool:
    """Say whether nothing was lost, and nothing was done twice."""
    return bool(found["sound"]) and not found["faults"]
