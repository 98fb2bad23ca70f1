"""The combining rule as a whole, against a model: many writers, one branch, no honest server.

The model server knows two things: it moves the branch and deletes refs in one atomic push when
the tip is what the pusher read, and anybody may put anything under any intent ref. Everything
else (death between any two steps, replays, forgeries, lost answers) is left to hypothesis.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from msgspec.structs import replace

from gitops.core.batch.intents import REF_PREFIX, Intent, sign
from gitops.core.batch.selection import Combined, QueuePosition, combine, select
from gitops.core.git.commit import Identity
from gitops.errors import Refused

KEY = b"a key that the jobs share"
WRONG_KEY = b"a key that somebody made up"
START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
REPOSITORY = "git.example.com/shop/manifests"


@dataclass(frozen=True)
class Commit:
    """A commit of the model's branch: `id` is the Gitops-Id, None for a commit by hand."""

    name: str
    id: str | None
    value: str
    time: datetime


@dataclass(frozen=True)
class Batch:
    """What a carrier is about to push: it read `tip`, and may die or be slow before it pushes."""

    tip: int
    now: datetime
    combined: Combined[tuple[str, ...]]
    seen: dict[str, bytes]
    junk: tuple[str, ...]


@dataclass
class Server:
    """One branch as a list of commits, and the intent refs."""

    log: list[Commit] = field(default_factory=list)
    refs: dict[str, bytes] = field(default_factory=dict)

    def append(self, intent: str | None, value: str, time: datetime) -> None:
        """Add a commit on the tip."""
        self.log.append(Commit(f"{len(self.log):040x}", intent, value, time))


class Crowd(RuleBasedStateMachine):
    """Writers publish, carry, die; others forge, alter, replay; time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.now = START
        self.count = 0
        self.authentic: dict[str, Intent] = {}
        self.impossible: set[str] = set()
        self.server.append(None, "1.0.0", self.now)

    intents = Bundle("intents")
    batches = Bundle("batches")

    def place(self) -> QueuePosition:
        """Where a carrier judges: the whole branch as it is now."""
        return QueuePosition(
            REPOSITORY,
            "main",
            self.now,
            {commit.name for commit in self.server.log},
            {commit.id for commit in self.server.log if commit.id is not None},
        )

    def make(self, branch: str = "main", repository: str = REPOSITORY, life: int = 300) -> Intent:
        """A new intent on the present tip."""
        self.count += 1
        return Intent(
            id=f"intent-{self.count:05}",
            repository=repository,
            branch=branch,
            base=self.server.log[-1].name,
            author=Identity("Ana", "ana@example.com"),
            images=(f"shop/api:2.0.{self.count}",),
            created=self.now,
            expires=self.now + timedelta(seconds=life),
            to=("dev",),
        )

    @rule(target=intents, possible=st.booleans(), life=st.integers(1, 600))
    def publish(self, possible: bool, life: int) -> Intent:
        """A writer publishes, and may be dead from then on."""
        intent = self.make(life=life)
        self.authentic[intent.id] = intent
        if not possible:
            self.impossible.add(intent.id)
        self.server.refs[intent.ref_name] = sign(intent, KEY)
        return intent

    @rule(intent=intents, number=st.none() | st.integers(0, 3))
    def replay(self, intent: Intent, number: int | None) -> None:
        """A copy of what was published is put back, under its own name or another."""
        name = intent.id if number is None else f"replayed-{number}"
        self.server.refs[REF_PREFIX + name] = sign(intent, KEY)

    @rule(
        intent=intents, old=st.sampled_from([b"2.0.", b"dev", b"main", b"Ana", b"intent-", b"1 "])
    )
    def alter(self, intent: Intent, old: bytes) -> None:
        """A copy is changed, and published under the name that it then has."""
        altered = sign(intent, KEY).replace(old, bytes(reversed(old)))
        name = altered.split(b'"id":"')[1].split(b'"')[0].decode()
        self.server.refs[REF_PREFIX + name] = altered

    @rule(intent=intents, key=st.sampled_from([WRONG_KEY, b""]))
    def forge(self, intent: Intent, key: bytes) -> None:
        """Somebody without the key asks in another one's name, under a new id or a known one."""
        fake = replace(intent, images=("shop/api:6.6.6",))
        self.server.refs[fake.ref_name] = sign(fake, key)
        fresh = replace(self.make(), images=("shop/api:6.6.6",))
        self.server.refs[fresh.ref_name] = sign(fresh, key)

    @rule(branch=st.sampled_from(["main", "production"]), same=st.booleans())
    def wander(self, branch: str, same: bool) -> None:
        """An intent made for another place turns up here."""
        if branch == "main" and same:
            return
        intent = self.make(branch, REPOSITORY if same else "git.example.com/other")
        self.server.refs[intent.ref_name] = sign(intent, KEY)

    @rule(seconds=st.integers(1, 700))
    def wait(self, seconds: int) -> None:
        """Time goes by."""
        self.now += timedelta(seconds=seconds)

    @rule()
    def roll_back(self) -> None:
        """Somebody goes back by hand: no replay may undo it."""
        self.server.append(None, "1.0.0", self.now)

    @rule(intent=intents)
    def withdraw(self, intent: Intent) -> None:
        """An owner gives up: from now on nothing of it lands, unless its copy is put back."""
        self.server.refs.pop(intent.ref_name, None)

    @rule(intent=intents)
    def land_alone(self, intent: Intent) -> None:
        """The owner wins a plain push, looking for its own id first; its ref may stay behind."""
        place = self.place()
        if intent.id in place.landed_ids or intent.id in self.impossible:
            return
        if intent.expires > self.now:
            self.server.append(intent.id, intent.images[0], self.now)

    @rule(target=batches, limit=st.integers(1, 8))
    def read(self, limit: int) -> Batch:
        """A carrier reads tip and refs at one moment, and makes its push."""
        return self.prepare(limit)

    @rule(limit=st.integers(1, 8))
    def carry(self, limit: int) -> None:
        """A carrier reads and pushes before anybody else moves."""
        self.push_batch(self.prepare(limit), again=False)

    def prepare(self, limit: int) -> Batch:
        """The push that a carrier would make now."""
        selection = select(self.server.refs, key=KEY, place=self.place(), limit=limit)
        combined = combine((), selection, self.apply)
        junk = tuple(entry.ref for entry in selection.rejected if entry.remove)
        seen = dict(self.server.refs)
        return Batch(len(self.server.log), self.now, combined, seen, junk)

    def apply(self, state: tuple[str, ...], intent: Intent) -> tuple[str, ...] | None:
        """Policy of the model: some intents can never be applied."""
        if intent.id in self.impossible:
            raise Refused(f"no such image in {intent.id}")
        return (*state, intent.id)

    @rule(batch=consumes(batches), again=st.booleans())
    def push(self, batch: Batch, again: bool) -> None:
        """The carrier pushes; when its answer is lost it pushes the same again."""
        self.push_batch(batch, again=again)

    def push_batch(self, batch: Batch, *, again: bool) -> None:
        """The server takes a push whole, or not at all; junk is swept by itself, as it was read."""
        for ref in batch.junk:
            if self.server.refs.get(ref) == batch.seen[ref]:
                del self.server.refs[ref]
        for _ in range(2 if again else 1):
            if batch.tip != len(self.server.log):
                return  # lost the race: nothing changed, it reads again
            combined = batch.combined
            if any(self.server.refs.get(ref) != batch.seen[ref] for ref in combined.removals):
                return  # withdrawn, or touched by somebody: the push is atomic
            if not combined.carried and not combined.removals:
                return
            for intent in combined.carried:
                self.server.append(intent.id, intent.images[0], batch.now)
            for ref in combined.removals:
                self.server.refs.pop(ref, None)
            if not combined.carried:
                return

    @rule(batch=consumes(batches))
    def die(self, batch: Batch) -> None:
        """The carrier dies before its push: nothing happened."""

    @rule()
    def drain(self) -> None:
        """With one live carrier everything that can land does, whatever else lies there."""
        place = self.place()
        due = {
            intent.id
            for intent in self.authentic.values()
            if self.server.refs.get(intent.ref_name) == sign(intent, KEY)
            and intent.expires > self.now
            and intent.id not in place.landed_ids | self.impossible
        }
        for _ in range(len(self.server.refs) + 1):
            self.push_batch(self.prepare(3), again=False)
        landed = {commit.id for commit in self.server.log}

        assert due <= landed
        assert all(b"production" in blob for blob in self.server.refs.values() if self.ours(blob))

    def ours(self, blob: bytes) -> bool:
        """True for a blob of the version that this test speaks."""
        return blob.startswith(b"gitops-intent/1 ")

    @invariant()
    def nothing_lands_twice(self) -> None:
        """Every id stands on the branch at most once."""
        landed = [commit.id for commit in self.server.log if commit.id is not None]

        assert sorted(set(landed)) == sorted(landed)

    @invariant()
    def only_what_was_asked_for_lands(self) -> None:
        """What landed was authentic, possible, unaltered, and in time."""
        for commit in self.server.log:
            if commit.id is not None:
                intent = self.authentic[commit.id]
                assert commit.id not in self.impossible
                assert commit.value == intent.images[0]
                assert commit.time < intent.expires


TestCrowd = Crowd.TestCase
TestCrowd.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
