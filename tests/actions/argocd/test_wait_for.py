"""`--wait`: what is waited for after a write, also where somebody else's push carried it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from argo_world import URL, ArgoWorld
from fakes import FakeIntents
from gitops.actions.context.session import Combining, Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.wait import WaitOptions, wait_for
from gitops.core.argocd.reports import WaitReport
from gitops.core.batch.intents import REF_PREFIX
from gitops.core.git.commit import Identity, timed_id
from gitops.core.git.message import trailers
from gitops.core.report import WriteReport
from gitops.ports import Lost, RefUpdate

DEV = "overlays/dev/kustomization.yaml"
TWO = """\
images:
  - name: shop/api
    newTag: "1.0"
  - name: shop/web
    newTag: "2.0"
"""


class Crowded(ArgoWorld):
    """An overlay with two images, and jobs that carry each other's changes.

    Attributes:
        before_push: run one by one, each right before a push of the branch.
        when_waiting: run one by one, each when somebody pauses.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.repository.commit({DEV: TWO.encode()}, "Add web\n")
        self.apply("dev", self.repository.branches["main"], "Healthy", since=60)
        self.intents = FakeIntents(self.repository)
        self.before_push: list[Callable[[], object]] = []
        self.when_waiting: list[Callable[[], object]] = []
        push, pause = self.repository.push, self.clock.pause

        def pushed(updates: Sequence[RefUpdate]) -> Lost | None:
            if self.before_push and any(one.ref.startswith("refs/heads/") for one in updates):
                self.before_push.pop(0)()
            return push(updates)

        def paused(longest: float, shortest: float = 0.0) -> None:
            pause(longest, shortest)
            if self.when_waiting:
                self.when_waiting.pop(0)()

        monkeypatch.setattr(self.repository, "push", pushed)
        monkeypatch.setattr(self.clock, "pause", paused)

    def job(self, seed: bytes = b"ana", who: str = "Ana") -> Session:
        """A session of one of the jobs that share a key."""
        return self.session(
            intent=timed_id(self.clock.now().timestamp() + 30, seed.ljust(10, b"0")),
            combining=Combining(self.intents, b"a key that the jobs share", URL),
            budget=30.0,
            who=Identity(who, f"{who.lower()}@example.com"),
        )

    def rival(self) -> None:
        """Somebody else takes the branch."""
        number = str(len(self.repository.commits)).encode()
        self.repository.commit({"other": number}, "by hand\n")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Crowded:
    """Two images in one overlay, and two jobs."""
    return Crowded(monkeypatch)


def carried(world: Crowded, image: str, to: str) -> tuple[Session, WriteReport]:
    """Ana deploys shop/api:1.1 to dev and loses twice; Bo carries it, below a deploy of his own.

    Returns her session and what she was told.
    """
    session = world.job()

    def junk() -> None:
        """Somebody seems to have published before her, so she waits before she looks."""
        world.rival()
        world.repository.branches[REF_PREFIX + "9" * 8] = world.intents.store(b"junk")

    def carry() -> None:
        world.before_push = [world.rival]
        deploy(world.job(b"bo", "Bo"), DeployRequest(images=(image,), to=(to,)))

    world.before_push = [world.rival, junk]
    world.when_waiting = [lambda: None, carry]
    report = deploy(session, DeployRequest(images=("shop/api:1.1",), to=("dev",)))
    info = world.repository.commits[report.commit or ""].info
    assert ("Bo <bo@example.com>",) == trailers(info.message)["Gitops-Combined-By"]
    return session, report


def follow(session: Session, report: WriteReport) -> WaitReport:
    """Wait for the one overlay that was reached."""
    (found,) = wait_for(session, report, WaitOptions())
    return found


def test_an_own_push(world: Crowded) -> None:
    """Without a crowd it is the commit that was pushed."""
    session = world.job()
    report = deploy(session, DeployRequest(images=("shop/api:1.1",), to=("dev",)))

    found = follow(session, report)

    assert ("healthy", report.commit) == (found.verdict, found.release and found.release.commit)
    assert [(report.commit, "stable")] == world.verdicts()


def test_a_carried_commit(world: Crowded) -> None:
    """It is the commit that landed, with somebody else's push."""
    session, report = carried(world, "shop/api:1.9", "prod")

    found = follow(session, report)

    assert ("healthy", report.commit) == (found.verdict, found.release and found.release.commit)
    assert [(report.commit, "stable")] == world.verdicts()


def test_carried_below_another_image_of_the_overlay(world: Crowded) -> None:
    """Argo CD never sees the commit by itself: the one above it, with the same image, is meant."""
    session, report = carried(world, "shop/web:2.1", "dev")
    above = world.repository.branches["main"]

    found = follow(session, report)

    assert ("healthy", above) == (found.verdict, found.release and found.release.commit)
    assert report.commit is not None
    assert [
        f"{report.commit[:7]} was superseded by {above[:7]}, which has the same shop/api and is "
        "followed"
    ] == list(found.notes)
    assert [(above, "stable")] == world.verdicts()


def test_carried_below_another_tag_of_the_image(world: Crowded) -> None:
    """What the commit above takes away again was superseded."""
    session, report = carried(world, "shop/api:1.2", "dev")

    found = follow(session, report)

    assert ("superseded", report.commit, []) == (
        found.verdict,
        found.release and found.release.commit,
        world.verdicts(),
    )


def test_what_was_there_already(world: Crowded) -> None:
    """A job that is run again waits for the newest release."""
    session = world.job()
    deploy(session, DeployRequest(images=("shop/api:1.1",), to=("dev",)))
    newest = deploy(world.job(b"bo", "Bo"), DeployRequest(images=("shop/web:2.1",), to=("dev",)))
    again = world.job(b"again")
    report = deploy(again, DeployRequest(images=("shop/api:1.1",), to=("dev",)))

    found = follow(again, report)

    assert "unchanged" == report.outcome
    assert ("healthy", newest.commit) == (found.verdict, found.release and found.release.commit)
