"""The write loop on a repository in memory: races, lost answers, budgets, dry runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes import START, FakeClock, FakeRepository, session_on
from gitops.actions.context.named import Named
from gitops.actions.context.plan import Plan
from gitops.actions.context.session import Session, Tip
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.hold import hold
from gitops.actions.write.retry import Attempts
from gitops.core.git.commit import timed_id
from gitops.core.git.message import trailers
from gitops.errors import Conflict, Denied, Protected, Refused, Unavailable
from gitops.ports import Lost, RefUpdate

ROOT = Path(__file__).parents[3]
DEV = "overlays/dev/kustomization.yaml"
INTENT = "0" * 32


def sample() -> dict[str, bytes]:
    """The sample's config and overlays."""
    names = [ROOT / "gitops.yaml", *(ROOT / "overlays").rglob("*.yaml")]
    return {str(path.relative_to(ROOT)): path.read_bytes() for path in names}


def session(repository: FakeRepository, clock: FakeClock, *, dry_run: bool = False) -> Session:
    """A session on `repository` with a budget of ten seconds."""
    return session_on(repository, clock=clock, intent=INTENT, budget=10.0, dry_run=dry_run)


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


@pytest.mark.parametrize(("waited", "pause"), [(None, 6.0), (8.0, 6.0), (0.5, 0.12), (40.0, 10.0)])
def test_who_waits_longest_pauses_shortest(waited: float | None, pause: float) -> None:
    """Whoever waits longer than those who get through comes sooner, whoever came later waits."""
    clock = FakeClock()
    attempts = Attempts(replace(session(Contended(), clock), budget=100.0))
    attempts.begin()
    clock.passed += 6.0
    attempts.begin()
    clock.passed += 2.0
    attempts.lost(Conflict("late"), waited)

    assert 8.0 + pause == pytest.approx(clock.passed)


def test_the_winner_tells_how_long_it_waited() -> None:
    """It stands in the commit that was built on; one by hand tells nothing."""
    repository, clock = Contended(), FakeClock()
    made = timed_id(START.timestamp() - 90.0, bytes(10))
    seen: list[float] = []

    def land(message: str) -> None:
        seen.append(clock.passed)
        repository.commit({f"other/{len(seen)}": b"x"}, message)

    told = f"dev: x\n\nGitops-Id: {made}\n"
    repository.rivals = [lambda: land(told), lambda: land("by hand\n"), lambda: land("by hand\n")]
    deploy(replace(session(repository, clock), budget=100.0), request())

    # By hand, told (then it waits six times as long), by hand: the one before still counts.
    assert [0.3, 3.6] == pytest.approx([later - one for one, later in pairwise(seen)])


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
        lambda: hold(session(repository, FakeClock()), Named(("dev",)), reason="INC-9"),
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


def remembering(old: bytes = b"1.4.1", new: bytes = b"1.4.1") -> Contended:
    """A repository whose main was remembered, and then changed by hand from `old` to `new`."""
    repository = Contended()
    repository.memory = dict(repository.branches)
    if old != new:
        repository.bump(DEV, old, new)
    return repository


def test_a_remembered_tip_is_enough_when_it_is_the_newest() -> None:
    """The push proves it: nothing is read from the server."""
    repository, clock = remembering(), FakeClock()
    repository.default = "nobody asks which one"
    act = replace(session(repository, clock), branch="main")

    report = deploy(act, request())

    assert ("committed", 1, 0.0) == (report.outcome, report.attempts, clock.passed)
    assert repository.head() == report.commit


def test_an_old_remembered_tip_costs_no_pause_and_counts_as_no_attempt() -> None:
    """Losing on what an earlier call left is no race: the newest tip is planned on at once."""
    repository, clock = remembering(b"1.4.1", b"1.4.9"), FakeClock()

    report = deploy(session(repository, clock), request())

    assert ("committed", 1, 0.0) == (report.outcome, report.attempts, clock.passed)
    assert "1.4.9" == report.changes[0].change.before.tag


def test_what_an_old_tip_says_is_not_believed() -> None:
    """A hold that was lifted since, and an image that it lacks, do not stand in the way."""
    repository, clock = Contended(), FakeClock()
    hold(session(repository, clock), Named(("dev",)), reason="INC-42")
    repository.bump(DEV, b"name: shop/api", b"name: shop/old")
    repository.memory = dict(repository.branches)
    repository.bump(DEV, b"name: shop/old", b"name: shop/api")
    repository.commit({".gitops/holds/dev.yaml": None}, "lift\n")

    report = deploy(session(repository, clock), request())

    assert ("committed", ()) == (report.outcome, report.skipped)


def test_a_hold_that_came_since_counts() -> None:
    """Policy is read from the tip that the push lands on, never from an older one."""
    repository, clock = remembering(), FakeClock()
    hold(session(repository, clock), Named(("dev",)), reason="INC-42")
    head = repository.head()

    with pytest.raises(Refused, match="INC-42"):
        deploy(session(repository, clock), request())

    assert head == repository.head()


def test_a_right_that_came_since_counts() -> None:
    """`before_write` says no by what an old tip says: the newest one is asked about, too."""
    repository, clock = remembering(b"1.4.1", b"1.4.9"), FakeClock()

    def before(_session: Session, tip: Tip, _plan: Plan) -> None:
        if tip.snapshot.commit != repository.head():
            raise Denied("nobody lets them")

    report = deploy(replace(session(repository, clock), before_write=before), request())

    assert "committed" == report.outcome


def test_nothing_to_do_is_only_said_of_the_newest_tip() -> None:
    """What was deployed once, and is not any more, is deployed again."""
    repository, clock = Contended(), FakeClock()
    deploy(session(repository, clock), request())
    repository.memory = dict(repository.branches)
    repository.bump(DEV, b"2.0.0", b"1.4.9")

    report = deploy(session(repository, clock), request())

    assert ("committed", "1.4.9") == (report.outcome, report.changes[0].change.before.tag)


def test_a_proposal_is_made_on_the_newest_tip() -> None:
    """A push that moves no branch which was read proves nothing about it."""
    repository, clock = Contended(), FakeClock()
    repository.bump("gitops.yaml", b"after: [stage]", b"")
    repository.bump("gitops.yaml", b"requires: [qa-passed]", b"")
    repository.memory = dict(repository.branches)
    repository.bump(DEV, b"1.4.1", b"1.4.9")

    report = deploy(session(repository, clock), replace(request(), to=("prod",)))

    assert "proposed" == report.outcome
    proposal = repository.commits[report.proposals[0].commit or ""]
    assert (repository.head(),) == proposal.info.parents


def test_an_answer_lost_on_a_remembered_tip_is_looked_for() -> None:
    """When nobody knows whether the early push landed, its id on the branch tells."""
    repository, clock = remembering(), FakeClock()
    repository.trouble, repository.lands = Unavailable("the connection broke"), True

    report = deploy(session(repository, clock), request())

    assert "committed" == report.outcome
    assert repository.head() == report.commit
    ids = [trailers(one.info.message).get("Gitops-Id") for one in repository.commits.values()]
    assert 1 == ids.count((INTENT,))


def test_the_servers_no_to_an_early_push_is_final() -> None:
    """What the server says against the push holds for every tip."""
    repository, clock = remembering(), FakeClock()
    repository.trouble = Protected("main is protected")

    with pytest.raises(Protected):
        deploy(session(repository, clock), request())


def test_an_override_and_a_dry_run_ask_first() -> None:
    """What an override passes, and what a plan shows, is what stands now."""
    for act, wanted in (
        (session(remembering(b"1.4.1", b"1.4.9"), FakeClock(), dry_run=True), request()),
        (
            session(remembering(b"1.4.1", b"1.4.9"), FakeClock()),
            replace(request(), override="INC-1"),
        ),
    ):
        report = deploy(act, wanted)

        assert "1.4.9" == report.changes[0].change.before.tag
