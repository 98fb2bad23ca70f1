"""Alerts: each guard has a story in which it says no, and with none of them it goes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from argo_world import CONFIG, LEDGER, ArgoWorld
from gitops.actions.alerts import AlertMemory, JudgedAlert, act_on, judge_alerts, would_act
from gitops.actions.context.named import Named
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.hold import hold
from gitops.actions.rollback import RollbackRequest, rollback
from gitops.core.alerts.alert import Alert, AlertBatch
from gitops.core.alerts.verification import ALERT_EMAIL
from gitops.core.git.commit import Identity
from gitops.errors import Unavailable
from gitops.ports import NewCommit

ALERTS = """\
alerts:
  - {name: errors, match: {alertname: Errors}, environment: {label: env}, within: 30m, limit: 1}
"""
ALONE = CONFIG.replace("{name: dev, ", "{name: dev, onAlert: rollback, ") + ALERTS
APPS = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/dev", onAlert: rollback}
alerts:
  - name: errors
    match: {alertname: Errors}
    environment: {label: env}
    app: {label: app}
    limit: 1
"""


class Story:
    """dev runs 1.1 since a moment, after 1.0, which was stable; an alert fires.

    Attributes:
        begins: seconds from the release until the alert began.
    """

    def __init__(self) -> None:
        self.world = ArgoWorld(ALONE)
        self.memory = AlertMemory()
        self.begins, self.truncated, self.firing = 60.0, 0, True
        first = self.world.repository.branches["main"]
        self.stable(first, "dev", "shop/api", "1.0")
        self.world.clock.passed += 7200
        self.bad = self.release("1.1")
        self.world.apply("dev", self.bad, "Healthy", since=self.world.clock.passed)

    def stable(self, commit: str, name: str, image: str, tag: str) -> None:
        """Note that a release was seen stable."""
        pins = [{"image": image, "name": None, "tag": tag, "digest": None}]
        line = {"commit": commit, "verdict": "stable", "time": "2026-01-01T00:00:00Z"}
        whole = json.dumps({**line, "by": "wait", "machine": True, "images": pins}) + "\n"
        self.world.repository.commit({f"{name}.jsonl": whole.encode()}, "stable\n", branch=LEDGER)

    def release(self, tag: str, path: str = "overlays/dev", image: str = "shop/api") -> str:
        """Commit a tag, now."""
        git = self.world.repository
        text = f"images:\n  - name: {image}\n    newTag: {tag!r}\n"
        files = {f"{path}/kustomization.yaml": text.encode()}
        new = NewCommit((git.branches["main"],), files, f"{path} {tag}\n", self.now())
        git.branches["main"] = git.create(new)
        return git.branches["main"]

    def now(self) -> datetime:
        """The time of the story."""
        return self.world.clock.now()

    def judged(self, **labels: str) -> JudgedAlert:
        """What is to be done, once the rollback itself was asked as well."""
        begun = self.now() + timedelta(seconds=self.begins)
        self.world.clock.passed += max(self.begins, 0.0) + 30
        told = {"alertname": "Errors", "env": "dev", **labels}
        alert = Alert("c1", self.firing, told, begun)
        session = self.world.session(intent="look")
        batch = AlertBatch((alert,), self.truncated)
        _, (found,) = judge_alerts(session, batch, self.memory)
        return would_act(self.world.session(intent="would"), found)


def test_it_goes_back() -> None:
    """With every guard content the stable release would come back."""
    found = Story().judged()

    assert ("rollback", "", "dev") == (found.action, found.why, found.label)


def ended(story: Story) -> None:
    story.firing = False


def older(story: Story) -> None:
    story.begins = -600.0


def late(story: Story) -> None:
    story.begins = 31 * 60.0


def cut_off(story: Story) -> None:
    story.truncated = 2


def many(story: Story) -> None:
    story.memory.wanting = dict.fromkeys(("a/prod", "b/prod"), story.now())
    story.begins = 1.0


def elsewhere(story: Story) -> None:
    story.memory.fired = [("Errors", "prod", story.now())]
    story.begins = 1.0


def away(story: Story) -> None:
    story.world.cluster.trouble = Unavailable("fake is away")


def unknown(story: Story) -> None:
    story.world.apply("dev", story.bad, "Unknown", since=story.world.clock.passed)


def behind(story: Story) -> None:
    first = next(iter(story.world.repository.commits))
    story.world.apply("dev", first, "Healthy", since=50)


def held(story: Story) -> None:
    hold(story.world.session(intent="hold-1"), Named(("dev",)), reason="INC-1")


def was_back(story: Story) -> None:
    rollback(story.world.session(intent="back-1"), RollbackRequest(Named(("dev",)), hold=False))
    story.world.apply("dev", story.world.repository.branches["main"], "Healthy", since=0)


def lately_back(story: Story) -> None:
    was_back(story)
    head = story.release("1.2")
    story.world.apply("dev", head, "Healthy", since=story.world.clock.passed)


def put_back(story: Story) -> None:
    was_back(story)
    story.world.clock.passed += 7200
    head = story.release("1.1")
    story.world.apply("dev", head, "Healthy", since=story.world.clock.passed)


def never_stable(story: Story) -> None:
    del story.world.repository.branches[LEDGER]


def breaking(story: Story) -> None:
    request = DeployRequest(images=("shop/api:2.0",), to=("dev",), schema="breaking")
    done = deploy(story.world.session(intent="deploy-1"), request)
    assert done.commit is not None
    story.world.apply("dev", done.commit, "Healthy", since=story.world.clock.passed)


def asked_off(story: Story) -> None:
    _says(story, "off")


def asked_to_tell(story: Story) -> None:
    _says(story, "tell")


def asked_to_propose(story: Story) -> None:
    _says(story, "propose")


def _says(story: Story, word: str) -> None:
    text = ALONE.replace("onAlert: rollback", f"onAlert: {word}")
    story.world.repository.commit({"gitops.yaml": text.encode()}, "policy\n")


@pytest.mark.parametrize(
    ("before", "action", "why"),
    [
        (ended, "none", "it has ended"),
        (older, "tell", "older trouble is seldom its doing"),
        (late, "tell", "`within` is 30m"),
        (cut_off, "tell", "its sender left out 2"),
        (many, "tell", "3 overlays went bad within 5m"),
        (elsewhere, "tell", "the same alert fires in prod"),
        (away, "tell", "the cluster cannot be read: fake is away"),
        (unknown, "tell", "is Unknown: the cluster itself may be in trouble"),
        (behind, "tell", "does not run"),
        (held, "tell", "is held by Ana: INC-1"),
        (was_back, "tell", "is a rollback itself"),
        (lately_back, "tell", "within the hour"),
        (put_back, "tell", "somebody put them back on purpose"),
        (never_stable, "tell", "seen stable"),
        (breaking, "tell", "breaking"),
        (asked_off, "none", "onAlert is off there"),
        (asked_to_tell, "tell", "onAlert is tell there"),
        (asked_to_propose, "propose", "onAlert is propose there"),
    ],
)
def test_each_guard_says_no(before: Callable[[Story], None], action: str, why: str) -> None:
    """The first one that does is the reason, and nothing is written."""
    story = Story()
    before(story)
    heads = dict(story.world.repository.branches)
    found = story.judged()

    assert action == found.action, found.why
    assert why in found.why
    assert heads == story.world.repository.branches


def test_the_limit_of_a_day() -> None:
    """One app went back by itself; the next one of the environment is proposed."""
    world = ArgoWorld(APPS)
    story = Story.__new__(Story)
    story.world, story.memory = world, AlertMemory()
    story.begins, story.truncated, story.firing = 60.0, 0, True
    for tag in ("1.0", "1.1"):
        for app in ("a", "b"):
            commit = story.release(tag, f"apps/{app}/dev", f"shop/{app}")
            if tag == "1.0":
                story.stable(commit, f"{app}/dev", f"shop/{app}", tag)
        world.clock.passed += 7200 if tag == "1.0" else 0
    first = story.judged(app="a")
    assert ("rollback", "a/dev") == (first.action, first.label)
    world.repository.author = Identity("gitops on behalf of Errors", ALERT_EMAIL)
    done = act_on(world.session(intent="alert-1"), first)
    second = story.judged(app="b")

    assert "committed" == done.outcome
    assert "propose" == second.action, second.why
    assert "1 automatic rollback of it in 24 hours: `limit` is 1" == second.why
