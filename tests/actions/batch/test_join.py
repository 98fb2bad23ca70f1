"""Carrying and being carried, on a repository in memory, while others act at chosen moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes import START, FakeClock, FakeIntents, FakeRepository, session_on
from gitops.actions.context.named import Named
from gitops.actions.context.session import Combining, Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.hold import hold
from gitops.core.batch.intents import REF_PREFIX, Intent, sign
from gitops.core.git.commit import Identity, timed_id
from gitops.core.git.message import trailers
from gitops.core.report import WriteReport
from gitops.errors import Conflict, Denied, GitopsError, NotFound, Refused, TimedOut, Unavailable
from gitops.ports import Lost, NoForge, RefUpdate

ROOT = Path(__file__).parents[3]
DEV = "overlays/dev/kustomization.yaml"
TEST = "overlays/test/kustomization.yaml"
KEY = b"a key that the jobs share"
URL = "https://git.example.com/shop/manifests.git"
ANA, BO = Identity("Ana", "ana@example.com"), Identity("Bo", "bo@example.com")
OWN = timed_id(START.timestamp() + 30, bytes(10))
MAIN = "refs/heads/main"


class World(FakeRepository):
    """A repository, its refs beside the branches, and a clock; others act when told to.

    Attributes:
        before_push: run one by one, each right before a push of the branch.
        before_ref: the same for a push that touches no branch.
        when_waiting: run one by one, each when somebody pauses.
        refuse: raised by a push that it returns an error for.
        pushed: the refs of every push.
    """

    def __init__(self) -> None:
        names = [ROOT / "gitops.yaml", *(ROOT / "overlays").rglob("*.yaml")]
        super().__init__({str(path.relative_to(ROOT)): path.read_bytes() for path in names})
        self.intents = FakeIntents(self)
        self.before_push: list[Callable[[], object]] = []
        self.before_ref: list[Callable[[], object]] = []
        self.when_waiting: list[Callable[[], object]] = []
        self.refuse: Callable[[Sequence[RefUpdate]], GitopsError | None] = lambda _: None
        self.pushed: list[tuple[str, ...]] = []
        self.details: list[str] = []
        self.said: list[str] = []
        world = self

        class Clock(FakeClock):
            def pause(self, longest: float, shortest: float = 0.0) -> None:
                super().pause(longest, shortest)
                if world.when_waiting:
                    world.when_waiting.pop(0)()

        self.clock = Clock()

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Let others act, then push."""
        plain = any(update.ref.startswith("refs/heads/") for update in updates)
        rivals = self.before_push if plain else self.before_ref
        if rivals:
            rivals.pop(0)()
        self.pushed.append(tuple(update.ref for update in updates))
        error = self.refuse(updates)
        if error is not None:
            raise error
        return super().push(updates)

    def session(self, who: Identity = ANA, intent: str = OWN, key: bytes | None = KEY) -> Session:
        """A session with thirty seconds, and the key."""
        combining = Combining(self.intents, key, URL) if key is not None else None
        return session_on(
            self,
            who,
            clock=self.clock,
            intent=intent,
            budget=30.0,
            combining=combining,
            say=self.said.append,
            detail=self.details.append,
        )

    def rival(self) -> None:
        """Somebody else takes the branch."""
        self.commit({"other": str(len(self.commits)).encode()}, "by hand\n")

    def lose_twice(self) -> None:
        """The next two pushes of the branch lose."""
        self.before_push = [self.rival, self.rival]

    def intent(self, number: int, **changes: object) -> Intent:
        """What another writer may publish: `shop/web:3.0.NUMBER` for test."""
        now = self.clock.now()
        base = self.branches["main"]
        return replace(
            Intent(
                id=timed_id(now.timestamp() + number, bytes(10)),
                repository="git.example.com/shop/manifests",
                branch="main",
                base=base,
                author=BO,
                images=(f"shop/web:3.0.{number}",),
                created=now,
                expires=now + timedelta(minutes=5),
                to=("test",),
            ),
            **changes,  # type: ignore[arg-type]
        )

    def lose_twice_and_wait(self) -> None:
        """The next two pushes lose, and somebody seems to have published before us."""
        self.lose_twice()
        self.before_ref = [lambda: self.put(self.intent(3).ref_name, b"junk")]

    def publish(self, intent: Intent, key: bytes = KEY) -> str:
        """Another writer publishes and is not heard of again; returns the ref."""
        return self.put(intent.ref_name, sign(intent, key))

    def put(self, ref: str, blob: bytes) -> str:
        """Anything is put under a ref."""
        self.branches[ref] = self.intents.store(blob)
        return ref

    def refs(self) -> set[str]:
        """The refs of intents that lie there."""
        return {ref for ref in self.branches if ref.startswith(REF_PREFIX)}

    def log(self) -> list[tuple[str, str, str]]:
        """Author, subject and id of the commits that gitops made, oldest first."""
        found = [self.commits[one].info for one in self._newest_first([self.branches["main"]], [])]
        return [
            (info.author.name, info.message.split("\n")[0], name)
            for info in reversed(found)
            for name in trailers(info.message).get("Gitops-Id", ())
        ]

    def deploy(self, image: str = "shop/api:2.0.0", to: str = "dev", **more: object) -> WriteReport:
        """Ana deploys."""
        request = replace(DeployRequest(images=(image,), to=(to,)), **more)  # type: ignore[arg-type]
        return deploy(self.session(), request)


@pytest.fixture
def world() -> World:
    """The sample in memory."""
    return World()


def test_who_gets_the_branch_carries_all_who_wait(world: World) -> None:
    """Each intent lands as a commit of its own, with its author and id; oldest first, one push."""
    second = world.intent(2)
    first = world.intent(1, created=second.created - timedelta(seconds=1))
    world.lose_twice()
    world.before_ref = [lambda: (world.publish(second), world.publish(first))]
    report = world.deploy()

    assert [
        ("Bo", "test: shop/web 2.3.1 -> 3.0.1", first.id),
        ("Bo", "test: shop/web 3.0.1 -> 3.0.2", second.id),
        ("Ana", "dev: shop/api 1.4.1 -> 2.0.0", OWN),
    ] == world.log()
    assert ("committed", 4) == (report.outcome, report.attempts)
    assert report.commit == world.branches["main"]
    assert ("1.4.1", "2.0.0") == (
        report.changes[0].change.before.tag,
        report.changes[0].change.after.tag,
    )
    assert (MAIN, {first.ref_name, second.ref_name, REF_PREFIX + OWN}) == (
        world.pushed[-1][0],
        set(world.pushed[-1][1:]),
    )
    assert set() == world.refs()


def test_who_comes_new_leaves_the_way_to_those_who_wait(world: World) -> None:
    """Where others wait the branch is not taken from them: the first push carries them all."""
    waits = world.intent(1)
    world.publish(waits)
    report = world.deploy()

    assert [waits.id, OWN] == [name for _, _, name in world.log()]
    assert report.commit == world.branches["main"]
    assert [MAIN] == [refs[0] for refs in world.pushed if MAIN in refs and len(refs) > 1]
    assert set() == world.refs()
    assert "main is left to others that wait" in world.details


@pytest.mark.parametrize("name", ["junk", timed_id(START.timestamp() - 90, bytes(10))])
def test_nobody_leaves_the_way_to_what_waits_for_nothing(world: World, name: str) -> None:
    """A ref of no writer, or of one that gave up long ago, stands in nobody's way."""
    world.put(REF_PREFIX + name, b"junk")
    report = world.deploy()

    assert (OWN, 1) == (world.log()[-1][2], report.attempts)
    assert (MAIN,) == world.pushed[0]


def test_a_carried_commit_says_who_carried_it(world: World) -> None:
    """The owner stays the author, the carrier is named; one's own commit names nobody."""
    other = world.intent(1)
    world.lose_twice()
    world.before_ref = [lambda: world.publish(other)]
    world.deploy()

    carriers = {
        name: trailers(one.info.message).get("Gitops-Combined-By")
        for one in world.commits.values()
        for name in trailers(one.info.message).get("Gitops-Id", ())
    }
    assert {OWN: None, other.id: ("Ana <ana@example.com>",)} == carriers


def test_who_was_carried_is_done_when_its_id_stands_there(world: World) -> None:
    """Its report shows the commit as it was planned where it landed, whoever pushed it."""
    world.lose_twice_and_wait()

    def carry() -> None:
        # Bo loses once, hears of Ana's intent, and carries it.
        world.when_waiting = []
        world.before_push = [world.rival]
        request = DeployRequest(images=("shop/api:1.9.9",), to=("dev",))
        deploy(world.session(BO, timed_id(START.timestamp(), b"bo" * 5)), request)

    world.when_waiting = [lambda: None, carry]
    report = world.deploy()

    assert ("committed", 3) == (report.outcome, report.attempts)
    found = world.commits[report.commit or ""].info
    assert (OWN,) == trailers(found.message)["Gitops-Id"]
    assert ("Bo <bo@example.com>",) == trailers(found.message)["Gitops-Combined-By"]
    assert ANA == found.author
    before = report.changes[0].change.before.tag
    assert f"dev: shop/api {before} -> 2.0.0" == found.message.split("\n")[0]
    assert 2 == len(world.log())
    assert any("landed as" in text and "Bo <bo@example.com>" in text for text in world.details)


def test_policy_is_asked_for_each_on_the_tip_it_lands_on(world: World) -> None:
    """A hold that landed meanwhile keeps one out, blocks nobody else, and is recorded."""
    kept, gone = world.intent(1), world.intent(2, images=("shop/api:2.1.0",), to=("dev",))
    world.lose_twice()
    world.before_ref = [
        lambda: (world.publish(kept), world.publish(gone)),
        lambda: None,
    ]
    world.before_push = [
        world.rival,
        lambda: hold(replace(world.session(BO, "e" * 32)), Named(("test",)), reason="INC-9"),
        lambda: None,
    ]
    report = world.deploy()

    assert {"e" * 32, gone.id, OWN} == {name for _, _, name in world.log()}
    assert set() == world.refs()
    last = world.commits[world.branches["main"]].info.message
    recorded = trailers(last)["Gitops-Not-Applied"]
    expected = f"{kept.id} of Bo, shop/web:3.0.1 to test: test: held by Bo: INC-9"
    assert (expected,) == recorded
    assert (f"not carried: {expected}",) == report.warnings
    assert report.commit == world.branches["main"]


def test_the_own_no_is_raised_after_the_others_were_carried(world: World) -> None:
    """Whoever is refused on the tip gets to know why; those who waited with it have landed."""
    other = world.intent(1)
    world.lose_twice()
    world.before_ref = [
        lambda: (
            world.publish(other),
            hold(world.session(BO, "e" * 32), Named(("dev",)), reason="INC-9"),
        )
    ]

    with pytest.raises(Refused) as caught:
        world.deploy()

    assert "held by Bo: INC-9" in caught.value.reasons[0]
    assert other.id in {name for _, _, name in world.log()}
    assert OWN not in {name for _, _, name in world.log()}
    assert set() == world.refs()


def test_what_stands_there_already_is_unchanged(world: World) -> None:
    """Somebody set the same value meanwhile: no commit, no ref, no error."""
    world.lose_twice()

    def same() -> None:
        content = world.show(DEV) or b""
        world.commit({DEV: content.replace(b"1.4.1", b"2.0.0")}, "by hand\n")

    world.before_ref = [same]
    report = world.deploy()

    assert ("unchanged", None) == (report.outcome, report.commit)
    assert ([], set()) == (world.log(), world.refs())


def test_a_dead_leader_is_passed_over(world: World) -> None:
    """The owner of the oldest intent does nothing: after a while the next one carries all."""
    other = world.intent(1)
    world.lose_twice()
    world.before_ref = [lambda: world.publish(other)]
    world.deploy()

    assert "1 others are before us" in world.details
    assert 1.0 < world.clock.passed < 10.0
    assert [other.id, OWN] == [name for _, _, name in world.log()]


def test_an_intent_that_was_taken_away_is_planned_alone(world: World) -> None:
    """A vanished ref proves nothing: the change lands by a push of its own."""
    world.lose_twice_and_wait()
    world.when_waiting = [lambda: None, lambda: world.branches.pop(REF_PREFIX + OWN)]
    report = world.deploy()

    assert "committed" == report.outcome
    assert [OWN] == [name for _, _, name in world.log()]
    assert any("somebody took the intent away" in text for text in world.details)


@pytest.mark.parametrize("error", [Denied("refs are closed"), NotFound("no such namespace")])
def test_a_server_that_takes_no_such_refs(world: World, error: GitopsError) -> None:
    """Publishing is refused: the write goes on alone, and says so to who wants to know."""
    world.lose_twice()
    world.refuse = lambda updates: (
        error if len(updates) == 1 and "intents" in str(updates) else None
    )
    report = world.deploy()

    assert ("committed", 4) == (report.outcome, report.attempts)
    assert any(
        f"going on alone: refs/gitops/intents/ is not taken: {error.message}" == text
        for text in world.details
    )
    assert [] == world.said


def test_a_server_without_atomic_push(world: World) -> None:
    """The combined push is refused: the own ref is withdrawn, the change lands alone, once."""
    world.lose_twice()
    error = Denied("it cannot move several branches at once")
    world.refuse = lambda updates: error if len(updates) > 1 else None
    report = world.deploy()

    assert "committed" == report.outcome
    assert ([OWN], set()) == ([name for _, _, name in world.log()], world.refs())
    assert any("going on alone: it cannot move several" in text for text in world.details)


def test_when_the_time_is_over_the_intent_is_withdrawn(world: World) -> None:
    """Nobody carries it and every push loses: conflict, and nothing can land any more."""
    world.before_push = [world.rival] * 300
    with pytest.raises(Conflict) as caught:
        world.deploy()

    assert "nothing was written" in (caught.value.hint or "")
    assert ([], set()) == (world.log(), world.refs())


def test_what_lands_at_the_last_moment_is_a_success(world: World) -> None:
    """The ref cannot be withdrawn, since somebody has just carried it: that is told, not a no."""
    older = world.intent(1)
    world.lose_twice()
    world.before_ref = [lambda: world.publish(older), lambda: carried()]

    def carried() -> None:
        del world.branches[REF_PREFIX + OWN]
        world.commit({"carried": b"x"}, f"by Bo\n\nGitops-Id: {OWN}\n")

    world.when_waiting = [lambda: None, lambda: None, lambda: setattr(world.clock, "passed", 60.0)]
    world.before_push += [world.rival]
    report = world.deploy()

    assert ("committed", world.branches["main"]) == (report.outcome, report.commit)
    assert [OWN] == [name for _, _, name in world.log()]


def test_what_may_still_land_is_said(world: World) -> None:
    """The server is gone when the intent is to be withdrawn: the hint says until when it may."""
    world.lose_twice_and_wait()
    gone = Unavailable("no connection")

    def late() -> None:
        world.clock.passed = 60.0
        world.refuse = lambda _: gone
        world.intents.crowded = gone

    world.when_waiting = [lambda: None, late]
    with pytest.raises(Unavailable) as caught:
        world.deploy()

    assert "it may still land, until 09:00:" in (caught.value.hint or "")


def test_what_landed_while_it_turned_away_is_found(world: World) -> None:
    """It gives up waiting, and is carried in that moment: it looks before it pushes by itself."""
    world.lose_twice_and_wait()

    def flood() -> None:
        world.intents.crowded = Denied("too much lies there")
        world.before_ref = [carried]

    def carried() -> None:
        del world.branches[REF_PREFIX + OWN]
        world.commit({"carried": b"x"}, f"by Bo\n\nGitops-Id: {OWN}\n")

    world.when_waiting = [lambda: None, flood]
    report = world.deploy()

    assert ("committed", world.branches["main"]) == (report.outcome, report.commit)
    assert [OWN] == [name for _, _, name in world.log()]
    assert "going on alone: too much lies there" in world.details


def test_an_interrupted_call_leaves_nothing_to_be_carried(world: World) -> None:
    """Ctrl-C while waiting: the ref goes, so that nothing lands behind the user's back."""
    world.lose_twice_and_wait()

    def interrupt() -> None:
        assert REF_PREFIX + OWN in world.refs()
        raise KeyboardInterrupt

    world.when_waiting = [lambda: None, interrupt]
    with pytest.raises(KeyboardInterrupt):
        world.deploy()

    assert REF_PREFIX + OWN not in world.refs()


def test_lost_answers(world: World) -> None:
    """Publishing and carrying landed though nobody said so: found by looking, done once."""
    world.lose_twice()
    cut = [0, 0]

    def publish() -> None:
        world.trouble, world.lands = Unavailable("cut"), True
        cut[0] += 1

    def carry() -> None:
        world.trouble, world.lands = TimedOut("cut"), True
        cut[1] += 1

    world.before_ref = [publish]
    world.before_push += [carry]
    report = world.deploy()

    assert ([1, 1], "committed") == (cut, report.outcome)
    assert ([OWN], set()) == ([name for _, _, name in world.log()], world.refs())


FORGER = b"a key that somebody made up"


def forged(world: World) -> dict[str, str]:
    """What nobody with the key made, or not now, not here: ref -> what is said of it."""
    now = world.clock.now()
    old = {"created": now - timedelta(minutes=9), "expires": now}
    altered = world.intent(3)
    blob = sign(altered, KEY).replace(b"3.0.3", b"6.6.6")
    copied, landed = world.intent(4), world.intent(5)
    world.commit({"landed": b"x"}, f"test: x\n\nGitops-Id: {landed.id}\n")
    return {
        world.publish(world.intent(1), FORGER): "not sealed",
        world.publish(world.intent(2, **old)): "expired",
        world.put(altered.ref_name, blob): "not sealed",
        world.put(world.intent(9).ref_name, sign(copied, KEY)): "under the name of another",
        world.publish(landed): "landed already",
        world.publish(world.intent(6, repository="git.example.com/other")): "another repository",
        world.put(world.intent(7).ref_name, b"x" * 70_000): "larger than",
        world.put(world.intent(8).ref_name, b""): "not sealed",
    }


def test_what_is_not_authentic_is_never_applied(world: World) -> None:
    """Forged, altered, expired, renamed, replayed, foreign, huge, empty: reported and removed."""
    world.lose_twice()
    found: dict[str, str] = {}
    world.before_ref = [lambda: found.update(forged(world))]
    before = world.show(TEST)
    report = world.deploy()

    assert (before, set()) == (world.show(TEST), world.refs())
    assert [OWN] == [name for author, _, name in world.log() if author == "Ana" and name == OWN]
    assert 8 == len(found) == len(report.warnings)
    for ref, words in found.items():
        name = ref.removeprefix(REF_PREFIX)
        told = [text for text in report.warnings if name in text]
        assert len(told) == 1
        assert words in told[0]
        assert told[0].endswith("not applied, and removed")


def test_warnings_are_not_endless(world: World) -> None:
    """Hundreds of forged intents make a few warnings, and their number."""
    world.lose_twice()
    world.before_ref = [
        lambda: [world.publish(world.intent(number), FORGER) for number in range(100, 200)]
    ]
    report = world.deploy()

    assert 11 == len(report.warnings)
    assert "and 90 more intents like these" == report.warnings[-1]


def test_other_versions_and_other_branches_are_left_alone(world: World) -> None:
    """What another version or another branch's writers may apply stays, without a word."""
    world.lose_twice()
    newer = world.intent(1).ref_name
    other = world.intent(2, branch="production")
    ahead = world.intent(3, base="f" * 40)
    world.before_ref = [
        lambda: (
            world.put(newer, b"gitops-intent/2 from the future"),
            world.publish(other),
            world.publish(ahead),
        )
    ]
    report = world.deploy()

    assert {newer, other.ref_name, ahead.ref_name} == world.refs()
    assert ("committed", ()) == (report.outcome, report.warnings)
    assert [OWN] == [name for _, _, name in world.log()]


def test_a_replay_does_not_undo_a_rollback(world: World) -> None:
    """A copy of what landed, put back within its time after somebody went back, stays without."""
    replayed = world.intent(1)
    blob = sign(replayed, KEY)
    world.lose_twice()
    world.before_ref = [lambda: world.publish(replayed)]
    world.deploy()
    assert b"3.0.1" in (world.show(TEST) or b"")
    world.commit({TEST: (world.show(TEST) or b"").replace(b"3.0.1", b"2.3.1")}, "back\n")

    world.lose_twice()
    world.before_ref = [lambda: world.put(replayed.ref_name, blob)]
    request = DeployRequest(images=("shop/api:2.0.1",), to=("dev",))
    report = deploy(world.session(intent="2" * 32), request)

    assert b"2.3.1" in (world.show(TEST) or b"")
    assert "landed already" in report.warnings[0]
    assert 1 == [name for _, _, name in world.log()].count(replayed.id)


def test_a_flood_switches_it_off(world: World) -> None:
    """More refs than anybody needs: the write goes on alone, and its own ref goes."""
    world.lose_twice()
    world.before_ref = [
        lambda: [world.put(f"{REF_PREFIX}flood-{number:08}", b"x") for number in range(1100)]
    ]
    report = world.deploy()

    assert "committed" == report.outcome
    assert REF_PREFIX + OWN not in world.refs()
    assert any("somebody floods it" in text for text in world.details)


def test_refs_that_somebody_keeps_touching(world: World) -> None:
    """Pushes that lose though the branch stays end the combining, not the deploy."""
    other = world.intent(1)
    world.lose_twice()
    world.before_ref = [lambda: world.publish(other)]
    count = iter(range(1000))

    def touch() -> None:
        if other.ref_name in world.branches:
            world.publish(replace(other, images=(f"shop/web:4.{next(count)}",)))

    world.before_push += [touch] * 50
    report = world.deploy()

    assert "committed" == report.outcome
    assert any("somebody touches the refs" in text for text in world.details)
    assert REF_PREFIX + OWN not in world.refs()


def test_an_intent_that_gitops_stumbles_over_stops_nobody(world: World) -> None:
    """A bug that one intent sets off in its carrier is its owner's matter."""
    poison = world.intent(1, images=("shop/web:3.0.1",), ref="main", to=(), commit="a" * 40)
    world.commit(
        {
            "gitops.yaml": (world.show("gitops.yaml") or b"")
            + b"images:\n- {name: shop/web, source: 'https://git.example.com/web.git'}\n"
        },
        "sources\n",
    )

    class Broken:
        def heads(self, url: str) -> dict[str, str]:
            raise RuntimeError("a bug")

    world.lose_twice()
    world.before_ref = [lambda: world.publish(replace(poison, base=world.branches["main"]))]
    session = replace(world.session(), sources=Broken())  # type: ignore[arg-type]
    report = deploy(session, DeployRequest(images=("shop/api:2.0.0",), to=("dev",)))

    assert "committed" == report.outcome
    assert "it cannot be planned here (RuntimeError)" in report.warnings[0]


def test_what_cannot_be_judged_here_is_left_to_others(world: World) -> None:
    """A source repository that does not answer the carrier: the intent stays where it is."""
    other = world.intent(1, ref="main", to=(), commit="a" * 40)
    world.commit(
        {
            "gitops.yaml": (world.show("gitops.yaml") or b"")
            + b"images:\n- {name: shop/web, source: 'https://git.example.com/web.git'}\n"
        },
        "sources\n",
    )

    class Gone:
        def heads(self, url: str) -> dict[str, str]:
            raise Unavailable("no connection")

    world.lose_twice()
    world.before_ref = [lambda: world.publish(replace(other, base=world.branches["main"]))]
    session = replace(world.session(), sources=Gone())  # type: ignore[arg-type]
    report = deploy(session, DeployRequest(images=("shop/api:2.0.0",), to=("dev",)))

    assert ("committed", ()) == (report.outcome, report.warnings)
    assert {other.ref_name} == world.refs()


@pytest.mark.parametrize(
    "more",
    [{"override": "INC-1"}, {"to": ("prod",), "images": ("shop/api:1.4.0",), "reason": "x"}],
)
def test_only_plain_deploys_travel(world: World, more: dict[str, object]) -> None:
    """An override, or a proposal, is nobody else's to carry."""
    world.rival_pushes = world.before_push = [world.rival] * 3
    request = replace(DeployRequest(images=("shop/api:2.0.0",), to=("dev",)), **more)  # type: ignore[arg-type]
    try:
        deploy(world.session(), request)
    except Refused:
        request = replace(request, override="x")
        deploy(world.session(), request)

    assert not any(ref.startswith(REF_PREFIX) for refs in world.pushed for ref in refs)


def test_without_a_key_nothing_is_published(world: World) -> None:
    """No key: the race is run again, alone, and what lies there is not looked at."""
    ref = world.publish(world.intent(1))
    world.before_push = [world.rival] * 3
    request = DeployRequest(images=("shop/api:2.0.0",), to=("dev",))
    report = deploy(world.session(key=None), request)

    assert ("committed", 4) == (report.outcome, report.attempts)
    assert {ref} == world.refs()


def test_where_something_is_in_the_way(world: World) -> None:
    """Signed commits, for one: the race is run again, and the reason told."""
    world.intents.why = "commits are signed here, and nobody can sign for others"
    world.lose_twice()
    report = world.deploy()

    assert ("committed", 3) == (report.outcome, report.attempts)
    assert any("commits are signed here" in text for text in world.details)


def test_too_little_time(world: World) -> None:
    """With two seconds left nothing is published."""
    world.lose_twice()
    world.when_waiting = [lambda: setattr(world.clock, "passed", 28.0)]
    world.deploy()

    assert any("too little time" in text for text in world.details)


def test_where_others_wait_already_one_loss_is_enough(world: World) -> None:
    """Who loses and hears of others who wait joins them, instead of taking the branch from them."""
    other = world.intent(1)
    world.intents.deaf = True
    world.before_push = [world.rival]
    world.publish(other)
    report = world.deploy()

    assert ("committed", 3) == (report.outcome, report.attempts)
    assert [other.id, OWN] == [name for _, _, name in world.log()]


def test_what_dead_writers_left_is_swept(world: World) -> None:
    """A deploy that wins at once, and hears of a ref from long ago, removes it."""
    world.clock.passed = -3600.0
    old = world.publish(world.intent(1))
    world.clock.passed = 0.0
    report = world.deploy()

    assert ("committed", 1) == (report.outcome, report.attempts)
    assert set() == world.refs()
    assert ("expired: not applied, and removed") in report.warnings[0]
    assert old.removeprefix(REF_PREFIX) in report.warnings[0]


def test_sweeping_is_no_reason_to_fail(world: World) -> None:
    """The own change has landed: a server that refuses the sweeping changes nothing of that."""
    world.clock.passed = -3600.0
    old = world.publish(world.intent(1))
    world.clock.passed = 0.0
    world.refuse = lambda updates: Denied("no") if "intents" in str(updates) else None
    report = world.deploy()

    assert ("committed", ()) == (report.outcome, report.warnings)
    assert {old} == world.refs()


def test_a_name_in_the_config(world: World) -> None:
    """Writers that reach the repository by different addresses agree on the name it has."""
    world.commit(
        {"gitops.yaml": (world.show("gitops.yaml") or b"") + b"repository: shop/manifests\n"}
    )
    other = world.intent(1, repository="shop/manifests")
    world.lose_twice()
    world.before_ref = [lambda: world.publish(other)]
    world.deploy()

    assert other.id in {name for _, _, name in world.log()}


CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: stage, overlay: overlays/stage, accepts: [main], branch: staging}
  - {name: dev, overlay: overlays/dev, accepts: [main], after: [stage]}
  - {name: test, overlay: overlays/test, accepts: [main]}
  - {name: prod, overlay: overlays/prod, accepts: [main], change: pull-request}
"""
OVERLAY = "images:\n  - name: shop/api\n    newTag: {}\n  - name: shop/web\n    newTag: '1'\n"


@pytest.fixture
def branches(world: World) -> World:
    """The same with stage on a branch of its own, which dev comes after."""
    one = OVERLAY.format("'1'").encode()
    files = {f"overlays/{name}/kustomization.yaml": one for name in ("dev", "test", "prod")}
    world.commit({"gitops.yaml": CONFIG.encode()} | files)
    stage = "overlays/stage/kustomization.yaml"
    world.commit({stage: one}, branch="staging", parents=())
    world.commit({stage: OVERLAY.format("'2'").encode()}, branch="staging")
    return world


def test_a_branch_that_policy_was_read_from_must_stay(branches: World) -> None:
    """The push of a carrier loses when stage, which dev comes after, moved meanwhile."""
    other = branches.intent(1, images=("shop/api:2",), to=("dev",))
    branches.lose_twice()
    branches.before_ref = [lambda: branches.publish(other)]
    moves = iter([lambda: branches.commit({"x": b"y"}, branch="staging")])
    branches.before_push.append(lambda: next(moves)())
    report = branches.deploy("shop/web:2", "test")

    assert "committed" == report.outcome
    assert {OWN, other.id} == {name for _, _, name in branches.log()}
    combined = [refs for refs in branches.pushed if len(refs) > 2]
    assert 2 == len(combined)
    assert all("refs/heads/staging" in refs for refs in combined)


def test_a_change_for_another_branch_does_not_travel(branches: World) -> None:
    """An environment on a branch of its own is written by whoever asked for it."""
    branches.lose_twice()
    report = branches.deploy("shop/web:2", "stage")

    assert ("committed", "staging", 3) == (report.outcome, report.branch, report.attempts)
    assert any("it is more than a commit on main" in text for text in branches.details)


def test_no_forge_is_asked_for_others(branches: World) -> None:
    """An intent that needs a pull request is its owner's matter: no forge is opened for it."""
    other = branches.intent(1, to=("prod",))
    branches.lose_twice()
    branches.before_ref = [lambda: branches.publish(other)]

    def forge(_: object) -> NoForge:
        raise AssertionError("somebody asked for a forge")

    session = replace(branches.session(), forge=forge)
    report = deploy(session, DeployRequest(images=("shop/web:2",), to=("test",)))

    assert "committed" == report.outcome
    assert "it is more than a commit on main: nobody else can carry it" in report.warnings[0]
    assert set() == branches.refs()
