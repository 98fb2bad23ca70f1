"""What refs beside the branches must do: the fake ones, and the real ones on real Git."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from fakes import FakeIntents, FakeRepository
from gitops.adapters.gitrepo import open_repository
from gitops.ports import Intents, Lost, NewCommit, RefUpdate, Repository
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer

FILE = "overlays/dev/kustomization.yaml"
FILES: dict[str, bytes | None] = {"gitops.yaml": b"branch: main\n", FILE: b"tag 1\n"}
PREFIX = "refs/gitops/intents/"
ONE, TWO = PREFIX + "one-00000001", PREFIX + "two-00000002"
MAIN = "refs/heads/main"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class World:
    """A repository and the refs beside its branches; `other` is the same as somebody else has it.

    `rival` are the refs as another writer sees them.
    """

    repository: Repository
    intents: Intents
    rival: tuple[Repository, Intents]
    other: Repo

    def publish(self, ref: str, content: bytes) -> str:
        """Somebody else publishes; returns the object's id."""
        repository, intents = self.rival
        oid = intents.store(content)
        assert repository.push([RefUpdate(ref, None, oid)]) is None
        return oid

    def change(self, parent: str, files: Mapping[str, bytes | None], message: str = "one\n") -> str:
        """Create a commit on top of `parent`."""
        return self.repository.create(NewCommit((parent,), files, message, NOW))


@pytest.fixture(params=["fake", "http", "clone", "bare"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """One world of each kind, with the same first commit."""
    if request.param == "fake":
        fake = FakeRepository(FILES)  # type: ignore[arg-type]
        intents = FakeIntents(fake)
        yield World(fake, intents, (fake, intents), cast("Repo", fake))
        return
    bare = Repo.bare(tmp_path / "m.git")
    bare.commit(FILES, "first\n")
    with GitServer(tmp_path) as server:
        bare.git("config", "http.receivepack", "true")
        location = {"http": f"{server.url}/m.git", "bare": str(bare.path)}.get(request.param)
        if location is None:
            location = str(tmp_path / "clone")
            bare.git("clone", "-q", str(bare.path), location)
        with (
            open_repository(location, environ=ENVIRON) as repository,
            open_repository(f"{server.url}/m.git", environ=ENVIRON) as rival,
        ):
            repository.snapshot("main")
            rival.snapshot("main")
            yield World(repository, repository.intents(), (rival, rival.intents()), bare)


def test_nothing_is_in_the_way(world: World) -> None:
    """Where there is a remote, or the repository is bare, changes of others can be carried."""
    assert world.intents.obstacle() is None


def test_what_others_publish_is_gathered_with_the_newest_tip(world: World) -> None:
    """One look shows the branch and every ref, with its content."""
    first = world.publish(ONE, b"one")
    second = world.publish(TWO, b"two")
    tip = world.other.commit({FILE: b"tag 2\n"})

    seen = world.intents.gather("main", PREFIX)

    assert ("main", tip) == (seen.snapshot.branch, seen.snapshot.commit)
    assert b"tag 2\n" == seen.snapshot.read(FILE)
    assert {ONE: first, TWO: second} == dict(seen.refs)
    assert {first: b"one", second: b"two"} == world.intents.contents([first, second], 3)


def test_without_intents(world: World) -> None:
    """Nothing published: the tip alone."""
    seen = world.intents.gather("main", PREFIX)

    assert ({}, world.other.head()) == (dict(seen.refs), seen.snapshot.commit)
    assert {} == world.intents.contents([], 3)


def test_what_vanished_is_not_gathered_again(world: World) -> None:
    """A ref that somebody removed, or that now names something else, is seen as it is."""
    first, second = world.publish(ONE, b"one"), world.publish(TWO, b"two")
    world.intents.gather("main", PREFIX)
    repository, _ = world.rival
    repository.push([RefUpdate(ONE, first, None)])
    repository.push([RefUpdate(TWO, second, None)])
    third = world.publish(TWO, b"three")

    assert {TWO: third} == dict(world.intents.gather("main", PREFIX).refs)
    assert {third: b"three"} == world.intents.contents([third], 9)


def test_what_is_too_large_or_no_blob_is_not_read(world: World) -> None:
    """Of those there is no content."""
    small, large = world.publish(ONE, b"123"), world.publish(TWO, b"1234")
    seen = world.intents.gather("main", PREFIX)

    found = world.intents.contents([small, large, seen.snapshot.commit], 3)

    assert {small: b"123", large: None, seen.snapshot.commit: None} == found


def test_branch_and_refs_go_together_or_not_at_all(world: World) -> None:
    """The push that moves the branch removes what it carried; touched refs make it lose whole."""
    first = world.publish(ONE, b"one")
    seen = world.intents.gather("main", PREFIX)
    base = seen.snapshot.commit
    second = world.change(world.change(base, {FILE: b"tag 2\n"}), {FILE: b"tag 3\n"}, "two\n")
    updates = [RefUpdate(MAIN, base, second), RefUpdate(ONE, first, None)]
    world.rival[0].push([RefUpdate(ONE, first, None)])

    assert isinstance(world.repository.push(updates), Lost)
    assert base == world.other.head()

    world.publish(ONE, b"one")
    assert world.repository.push(updates) is None
    assert second == world.other.head()
    assert {} == dict(world.intents.gather("main", PREFIX).refs)


def test_a_ref_is_published_once(world: World) -> None:
    """A name that is taken is not taken over."""
    first = world.publish(ONE, b"one")
    oid = world.intents.store(b"mine")

    assert isinstance(world.repository.push([RefUpdate(ONE, None, oid)]), Lost)
    assert {ONE: first} == dict(world.intents.gather("main", PREFIX).refs)


def test_what_somebody_took_cannot_be_withdrawn(world: World) -> None:
    """Only who removed a ref is told so: a ref that is gone may have been carried."""
    first = world.publish(ONE, b"one")

    assert world.repository.push([RefUpdate(ONE, first, None)]) is None
    assert isinstance(world.repository.push([RefUpdate(ONE, first, None)]), Lost)


def test_recent_commits(world: World) -> None:
    """Everything since a base is told, with parents and messages; the tip comes first."""
    base = world.intents.gather("main", PREFIX).snapshot.commit
    one = world.other.commit({FILE: b"tag 2\n"}, "two\n\nGitops-Id: 1\n")
    two = world.other.commit({FILE: b"tag 3\n"}, "three\n\nGitops-Id: 2\n")
    tip = world.intents.gather("main", PREFIX).snapshot.commit

    found = world.intents.recent(tip, [base])

    assert two == tip == found[0].commit
    assert {two: (one,), one: (base,)}.items() <= {at.commit: at.parents for at in found}.items()
    assert "three\n\nGitops-Id: 2\n" == found[0].message


def test_a_base_that_is_nowhere(world: World) -> None:
    """A commit that the branch does not have is looked for in vain, and not for long."""
    tip = world.intents.gather("main", PREFIX).snapshot.commit
    found = world.intents.recent(tip, ["f" * 40])

    assert tip == found[0].commit
    assert "f" * 40 not in {parent for info in found for parent in info.parents}


def test_a_commit_of_ones_own_is_looked_at_like_a_tip(world: World) -> None:
    """What was made, and not pushed yet, can be read and built on."""
    base = world.intents.gather("main", PREFIX).snapshot.commit
    new = world.change(base, {FILE: b"tag 2\n"})

    seen = world.intents.look("main", new)

    assert ("main", new, b"tag 2\n") == (seen.branch, seen.commit, seen.read(FILE))
    history = world.repository.history(new, "overlays/dev")
    assert [b"tag 2\n", b"tag 1\n"] == [version.content for version in history]


def test_a_push_tells_what_lies_there(world: World) -> None:
    """Without a request of its own: the refs as they were before the newest push."""
    assert () == tuple(world.intents.overheard(PREFIX))
    first = world.publish(ONE, b"one")
    base = world.intents.gather("main", PREFIX).snapshot.commit
    new = world.change(base, {FILE: b"tag 2\n"})

    world.repository.push([RefUpdate(MAIN, base, new)])
    assert (ONE,) == tuple(world.intents.overheard(PREFIX))
    assert () == tuple(world.intents.overheard("refs/gitops/other/"))

    world.repository.push([RefUpdate(ONE, first, None)])
    world.repository.push([RefUpdate(MAIN, new, world.change(new, {FILE: b"tag 3\n"}))])
    assert () == tuple(world.intents.overheard(PREFIX))


def test_a_push_leaves_the_way_to_those_who_wait(world: World) -> None:
    """Asked to, a push of the branch is lost before it is made, and one that carries is made."""
    first = world.publish(ONE, b"one")
    base = world.intents.gather("main", PREFIX).snapshot.commit
    new = world.change(base, {FILE: b"tag 2\n"})
    asked: list[set[str]] = []
    world.intents.give_way(PREFIX, lambda refs: not asked.append(set(refs)))

    lost = world.repository.push([RefUpdate(MAIN, base, new)])
    if lost is None:  # git makes this push, and nobody hears of refs before
        assert (asked, new) == ([], world.other.head())
        return
    assert (lost.gave_way, base) == (True, world.other.head())
    assert [{ONE}] == asked
    carried = [RefUpdate(MAIN, base, new), RefUpdate(ONE, first, None)]
    assert world.repository.push(carried) is None
    assert (new, [{ONE}]) == (world.other.head(), asked)


def test_a_push_leaves_the_way_no_more(world: World) -> None:
    """Where nobody waits, or one need not look any more, the branch moves."""
    world.publish(ONE, b"one")
    base = world.intents.gather("main", PREFIX).snapshot.commit
    one = world.change(base, {FILE: b"tag 2\n"})
    world.intents.give_way(PREFIX, lambda refs: False)
    assert world.repository.push([RefUpdate(MAIN, base, one)]) is None
    two = world.change(one, {FILE: b"tag 3\n"})
    world.intents.give_way(PREFIX, lambda refs: True)
    world.intents.give_way(PREFIX, None)
    assert world.repository.push([RefUpdate(MAIN, one, two)]) is None
    assert two == world.other.head()
