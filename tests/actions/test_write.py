"""The write loop on a repository in memory: races, lost answers, budgets, dry runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FakeClock, FakeRepository
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.holds import hold
from gitops.actions.session import Session
from gitops.config import load_config
from gitops.core.identity import Identity
from gitops.core.message import trailers
from gitops.errors import Conflict, Refused, Unavailable
from gitops.ports import Lost, RefUpdate

ROOT = Path(__file__).parents[2]
DEV = "overlays/dev/kustomization.yaml"
INTENT = "0" * 32


def sample() -> dict[str, bytes]:
    """The sample's config and overlays."""
    names = [ROOT / "gitops.yaml", *(ROOT / "overlays").rglob("*.yaml")]
    return {str(path.relative_to(ROOT)): path.read_bytes() for path in names}


def session(repository: FakeRepository, clock: FakeClock, *, dry_run: bool = False) -> Session:
    """A session on `repository` with a budget of ten seconds."""
    return Session(
        repository=repository,
        evidence=repository,
        clock=clock,
        load_config=load_config,
        identity=lambda: Identity("Ana", "ana@example.com"),
        intent=INTENT,
        budget=10.0,
        dry_run=dry_run,
    )


class Contended(FakeRepository):
    """Somebody else acts right before a push: `rivals` are run one by one."""

    def __init__(self) -> None:
        super().__init__(sample())
        self.rivals: list[Callable[[], object]] = []

    def push(self, updates: list[RefUpdate]) -> Lost | None:  # type: ignore[override]
        """Let the next rival act, then push."""
        if self.rivals:
            self.rivals.pop(0)()
        return super().push(updates)

    def bump(self, path: str, old: bytes, new: bytes) -> None:
        """Change a file behind everybody's back."""
        content = self.show(path)
        assert content is not None
        self.commit({path: content.replace(old, new)}, "by hand\n")


def request(image: str = "shop/api:2.0.0") -> DeployRequest:
    """Put an image into dev."""
    return DeployRequest(images=(image,), to=("dev",))


def test_a_lost_race_is_planned_again_with_the_right_before() -> None:
    """The later push wins, and its commit shows what it replaced."""
    repository, clock = Contended(), FakeClock()
    repository.rivals = [lambda: repository.bump(DEV, b"1.4.1", b"1.4.9")]
    report = deploy(session(repository, clock), request())

    assert ("committed", 2) == (report.outcome, report.attempts)
    assert "1.4.9" == report.changes[0].change.before.tag
    assert repository.head() == report.commit


def test_pauses_are_as_long_as_the_race_was() -> None:
    """A pause is up to twice as long as the lost try, later three times; at most ten seconds."""
    repository, clock = Contended(), FakeClock()
    seen: list[float] = []

    def slow(seconds: float) -> None:
        seen.append(clock.passed)
        clock.passed += seconds
        repository.commit({f"other/{len(seen)}": b"x"}, "by hand\n")

    repository.rivals = [lambda: slow(2.0), lambda: slow(2.0), lambda: slow(20.0)]
    asked = replace(session(repository, clock), budget=100.0)
    deploy(asked, request())

    assert [0.0, 2.0 + 4.0, 6.0 + 2.0 + 6.0] == seen
    assert 14.0 + 20.0 + 10.0 == clock.passed


def test_a_rival_that_wrote_the_same_leaves_nothing_to_do() -> None:
    """An intent that is satisfied on the new tip is unchanged, not a second commit."""
    repository, clock = Contended(), FakeClock()
    repository.rivals = [lambda: repository.bump(DEV, b"1.4.1", b"2.0.0")]
    report = deploy(session(repository, clock), request())

    assert ("unchanged", None) == (report.outcome, report.commit)


def test_an_override_does_not_cover_what_came_later() -> None:
    """A hold that lands while an overridden deploy is pushed stops it."""
    repository, clock = Contended(), FakeClock()
    repository.rivals = [
        lambda: hold(session(repository, FakeClock()), "dev", reason="INC-9"),
        lambda: None,
    ]
    asked = DeployRequest(images=("shop/api:2.0.0",), to=("dev",), override="INC-1")

    with pytest.raises(Refused) as caught:
        deploy(session(repository, clock), asked)

    assert "INC-9" in caught.value.reasons[0]
    assert b"1.4.1" in (repository.show(DEV) or b"")


def test_a_push_that_landed_without_an_answer_is_found_by_its_id() -> None:
    """The commit is reported once, and not made twice."""
    repository, clock = FakeRepository(sample()), FakeClock()
    repository.trouble, repository.lands = Unavailable("cut"), True
    report = deploy(session(repository, clock), request())

    messages = [one.info.message for one in repository.commits.values()]
    assert ("committed", repository.head()) == (report.outcome, report.commit)
    assert 1 == sum(INTENT in trailers(text).get("Gitops-Id", ()) for text in messages)


def test_a_push_that_did_not_land_is_sent_again() -> None:
    """An answer that never came, and nothing on the branch: try again."""
    repository, clock = FakeRepository(sample()), FakeClock()
    repository.trouble = Unavailable("cut")
    report = deploy(session(repository, clock), request())

    assert ("committed", 2) == (report.outcome, report.attempts)


def test_the_budget_ends_a_branch_that_keeps_moving() -> None:
    """Conflict names the tries; nothing of ours is on the branch."""
    repository, clock = Contended(), FakeClock()
    tags = iter(range(1000))

    def move() -> None:
        repository.commit({f"other/{next(tags)}": b"x"}, "by hand\n")
        clock.pause(1.0)

    repository.rivals = [move] * 1000
    with pytest.raises(Conflict) as caught:
        deploy(session(repository, clock), request())

    assert "pushes lost" in caught.value.message
    assert b"1.4.1" in (repository.show(DEV) or b"")


def test_a_dry_run_writes_nothing() -> None:
    """Planned, with the difference, and no new commit."""
    repository, clock = FakeRepository(sample()), FakeClock()
    head, commits = repository.head(), len(repository.commits)
    report = deploy(session(repository, clock, dry_run=True), request())

    assert "planned" == report.outcome
    assert [DEV] == [diff.path for diff in report.diffs]
    assert (head, commits) == (repository.head(), len(repository.commits))


def test_one_commit_and_one_proposal_go_together() -> None:
    """A call that reaches stage and prod makes one commit and one proposal branch."""
    repository, clock = FakeRepository(sample()), FakeClock()
    deploy(session(repository, clock), DeployRequest(("shop/api:1.5.0",), to=("stage",)))
    images = ("shop/api:1.5.0", "shop/web:2.3.0")
    both = DeployRequest(images, to=("dev", "prod"), override="INC-1")
    report = deploy(session(repository, clock), both)

    assert "committed" == report.outcome
    assert ["gitops/prod"] == [proposal.branch for proposal in report.proposals]
    assert b"1.5.0" in (repository.show("overlays/prod/kustomization.yaml", "gitops/prod") or b"")
    assert b"1.5.0" not in (repository.show("overlays/prod/kustomization.yaml") or b"")
