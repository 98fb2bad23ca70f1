"""What every repository must do: the fake one, and the real ones on real Git."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from fakes import FakeRepository
from gitops.adapters.gitrepo import open_repository
from gitops.core.git.commit import Identity
from gitops.errors import NotFound
from gitops.ports import Lost, NewCommit, RefUpdate, Repository, Unproven
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer

FILE = "overlays/dev/kustomization.yaml"
OTHER = "overlays/prod/kustomization.yaml"
FILES: dict[str, bytes | None] = {
    "gitops.yaml": b"branch: main\n",
    FILE: b"tag 1\n",
    OTHER: b"tag 0\n",
}
MAIN = "refs/heads/main"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KINDS = ("fake", "http", "cached", "clone", "bare", "checkout")


@dataclass
class World:
    """A repository as gitops sees it, and the same one as somebody else does.

    `remembers`: an earlier call on this machine read its main.
    """

    repository: Repository
    other: Repo
    remembers: bool = False

    def change(self, files: dict[str, bytes | None], message: str = "one\n") -> str:
        """Create a commit on top of main's newest tip."""
        parent = self.repository.snapshot("main").commit
        return self.repository.create(NewCommit((parent,), files, message, NOW))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A bare repository with one commit, copied for each test."""
    repo = Repo.bare(tmp_path_factory.mktemp("contract") / "m.git")
    repo.commit(FILES, "first\n")
    return repo


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, template: Repo, tmp_path: Path) -> Iterator[World]:
    """One world of each kind, with the same first commit."""
    if request.param == "fake":
        fake = FakeRepository()
        fake.commit(FILES, "first\n")
        fake.memory = dict(fake.branches)
        yield World(fake, cast("Repo", fake), remembers=True)
        return
    if request.param == "checkout":
        plain = Repo.checkout(tmp_path / "plain")
        plain.commit(FILES, "first\n")
        plain.git("reset", "-q", "--hard")
        with open_repository(str(plain.path), environ=ENVIRON) as repository:
            yield World(repository, plain)
        return
    bare = template.copy(tmp_path / "m.git")
    if request.param in ("http", "cached"):
        environ = dict(ENVIRON)
        with GitServer(tmp_path) as server:
            url = f"{server.url}/m.git"
            if request.param == "cached":
                environ["GITOPS_CACHE"] = str(tmp_path / "cache")
                with open_repository(url, environ=environ) as repository:
                    repository.snapshot()
            with open_repository(url, environ=environ) as repository:
                yield World(repository, bare, remembers=request.param == "cached")
        return
    location = bare.path
    if request.param == "clone":
        location = tmp_path / "clone"
        bare.git("clone", "-q", str(bare.path), str(location))
    with open_repository(str(location), environ=ENVIRON) as repository:
        yield World(repository, bare)


def test_snapshot_is_the_newest_tip(world: World) -> None:
    """A snapshot shows what is on the branch now, whoever put it there."""
    world.repository.snapshot("main")
    commit = world.other.commit({FILE: b"tag 2\n"})

    snapshot = world.repository.snapshot("main")

    assert ("main", commit) == (snapshot.branch, snapshot.commit)
    assert b"tag 2\n" == snapshot.read(FILE)


def test_snapshot_never_changes(world: World) -> None:
    """What was read before somebody else's commit stays as it was."""
    snapshot = world.repository.snapshot("main")
    world.other.commit({FILE: b"tag 2\n"})
    world.repository.snapshot("main")

    assert b"tag 1\n" == snapshot.read(FILE)


def test_default_branch(world: World) -> None:
    """Without a name the default branch is read, and told."""
    assert "main" == world.repository.snapshot().branch


def test_unknown_branch(world: World) -> None:
    """A branch that does not exist is not found, and others still are."""
    with pytest.raises(NotFound, match="no branch gone"):
        world.repository.snapshot("gone")

    assert "main" == world.repository.snapshot("main").branch


def test_read_what_is_not_there(world: World) -> None:
    """Missing files and folders, and folders read as files, are None and ()."""
    snapshot = world.repository.snapshot("main")

    assert snapshot.read("overlays/gone/kustomization.yaml") is None
    assert snapshot.read("overlays") is None
    assert () == snapshot.entries("gone")
    assert () == snapshot.entries("gitops.yaml")


def test_entries(world: World) -> None:
    """Names are sorted, and folders end in a slash."""
    snapshot = world.repository.snapshot("main")

    assert ("gitops.yaml", "overlays/") == snapshot.entries("")
    assert ("dev/", "prod/") == snapshot.entries("overlays")


def test_push_lands_and_touches_nothing_else(world: World) -> None:
    """The commit is on the branch, with its files changed, added, deleted, and no other."""
    new = world.change({FILE: b"tag 2\n", "holds/dev.yaml": b"by: ana\n", OTHER: None})
    old = world.other.head()

    lost = world.repository.push([RefUpdate(MAIN, old, new)])

    snapshot = world.repository.snapshot("main")
    assert lost is None
    assert new == world.other.head() == snapshot.commit
    assert ("gitops.yaml", "holds/", "overlays/") == snapshot.entries("")
    assert ("dev/",) == snapshot.entries("overlays")
    assert (b"tag 2\n", b"by: ana\n") == (snapshot.read(FILE), snapshot.read("holds/dev.yaml"))


def test_nothing_is_visible_before_the_push(world: World) -> None:
    """A commit that was only created is on no branch."""
    old = world.other.head()

    world.change({FILE: b"tag 2\n"})

    assert old == world.other.head()


def test_lost_race(world: World) -> None:
    """When somebody was faster nothing is changed, and a new try on the new tip lands."""
    old = world.repository.snapshot("main").commit
    new = world.repository.create(NewCommit((old,), {FILE: b"tag 2\n"}, "one\n", NOW))
    other = world.other.commit({OTHER: b"tag 9\n"})

    lost = world.repository.push([RefUpdate(MAIN, old, new)])

    assert isinstance(lost, Lost)
    assert other == world.other.head()
    again = world.change({FILE: b"tag 2\n"})
    assert world.repository.push([RefUpdate(MAIN, other, again)]) is None
    assert (b"tag 2\n", b"tag 9\n") == (world.other.show(FILE), world.other.show(OTHER))


def test_rewound_branch(world: World) -> None:
    """A branch that somebody rewound does not get the dropped commit back."""
    first = world.other.head()
    assert first is not None
    second = world.other.commit({OTHER: b"tag 9\n"})
    new = world.change({FILE: b"tag 2\n"})
    rewound = world.other.commit({}, "rewound\n", parents=[first])

    lost = world.repository.push([RefUpdate(MAIN, second, new)])

    assert isinstance(lost, Lost)
    assert rewound == world.other.head()


def test_new_branch(world: World) -> None:
    """A new branch is made where there is none, and never over an existing one."""
    new = world.change({FILE: b"tag 2\n"})

    assert world.repository.push([RefUpdate("refs/heads/gitops/dev", None, new)]) is None

    newer = world.change({FILE: b"tag 3\n"})
    lost = world.repository.push([RefUpdate("refs/heads/gitops/dev", None, newer)])
    assert isinstance(lost, Lost)
    assert new == world.other.head("gitops/dev")


def test_own_branch_is_made_anew(world: World) -> None:
    """A proposal takes the place of exactly the one that was read."""
    ref = "refs/heads/gitops/dev"
    one = world.change({FILE: b"tag 2\n"})
    world.repository.push([RefUpdate(ref, None, one)])
    two = world.change({FILE: b"tag 3\n"})

    assert world.repository.push([RefUpdate(ref, one, two)]) is None

    three = world.change({FILE: b"tag 4\n"})
    assert isinstance(world.repository.push([RefUpdate(ref, one, three)]), Lost)
    assert two == world.repository.snapshot("gitops/dev").commit


def test_push_again(world: World) -> None:
    """What is there already has landed: after a lost answer the same push may be sent again."""
    old = world.other.head()
    new = world.change({FILE: b"tag 2\n"})
    world.repository.push([RefUpdate(MAIN, old, new)])

    assert world.repository.push([RefUpdate(MAIN, old, new)]) is None
    assert new == world.other.head()


def test_delete_branch(world: World) -> None:
    """A branch is deleted only from where it was read."""
    ref = "refs/heads/gitops/dev"
    one = world.change({FILE: b"tag 2\n"})
    world.repository.push([RefUpdate(ref, None, one)])

    lost = world.repository.push([RefUpdate(ref, world.other.head("main"), None)])
    assert isinstance(lost, Lost)
    assert one == world.other.head("gitops/dev")

    assert world.repository.push([RefUpdate(ref, one, None)]) is None
    assert world.other.head("gitops/dev") is None


def test_several_branches_move_together(world: World) -> None:
    """Two branches move in one push, or neither."""
    old = world.other.head()
    one, two = world.change({FILE: b"tag 2\n"}), world.change({OTHER: b"tag 1\n"})
    updates = [RefUpdate(MAIN, old, one), RefUpdate("refs/heads/gitops/prod", None, two)]

    assert world.repository.push(updates) is None
    assert (one, two) == (world.other.head(), world.other.head("gitops/prod"))

    three = world.change({FILE: b"tag 3\n"})
    stale = RefUpdate("refs/heads/gitops/prod", None, three)
    assert isinstance(world.repository.push([RefUpdate(MAIN, one, three), stale]), Lost)
    assert (one, two) == (world.other.head(), world.other.head("gitops/prod"))


def test_branch_that_must_not_have_moved(world: World) -> None:
    """With old and new the same a branch stays, and the others move only while it is there."""
    prod = "refs/heads/production"
    old = world.repository.snapshot("main").commit
    world.repository.push([RefUpdate(prod, None, old)])
    new = world.change({OTHER: b"tag 1\n"})

    assert world.repository.push([RefUpdate(prod, old, new), RefUpdate(MAIN, old, old)]) is None
    assert (old, new) == (world.other.head(), world.other.head("production"))

    moved = world.other.commit({FILE: b"tag 2\n"})
    newer = world.repository.create(NewCommit((new,), {OTHER: b"tag 2\n"}, "two\n", NOW))
    lost = world.repository.push([RefUpdate(prod, new, newer), RefUpdate(MAIN, old, old)])

    assert isinstance(lost, Lost)
    assert (moved, new) == (world.other.head(), world.other.head("production"))


def test_own_branches(world: World) -> None:
    """Those below `gitops/` are told by name and commit, as of the newest tip, and no other."""
    old = world.repository.snapshot("main").commit
    assert {} == world.repository.own_branches()
    world.repository.push([RefUpdate("refs/heads/gitops-like", None, old)])
    world.repository.push([RefUpdate("refs/heads/gitops/shop/prod", None, old)])

    world.repository.snapshot("main")

    assert {"gitops/shop/prod": old} == world.repository.own_branches()


def test_root_commit(world: World) -> None:
    """A commit without parents starts a branch of its own, with its own files only."""
    new = world.repository.create(NewCommit((), {"dev.jsonl": b"{}\n"}, "ledger\n", NOW))

    assert world.repository.push([RefUpdate("refs/heads/gitops/ledger", None, new)]) is None

    assert ("dev.jsonl",) == world.repository.snapshot("gitops/ledger").entries("")


def test_merge_takes_the_base_it_names(world: World) -> None:
    """A merge may take another side's tree, and history tells what it brought."""
    main = world.repository.snapshot("main").commit
    message = "prod: tag 5\n\nGitops-Id: 77\n"
    side = world.repository.create(NewCommit((main,), {OTHER: b"tag 5\n"}, message, NOW))
    commit = NewCommit((main, side), {}, "merge\n", NOW, base=side)
    merge = world.repository.create(commit)
    assert world.repository.push([RefUpdate(MAIN, main, merge)]) is None

    snapshot = world.repository.snapshot("main")
    newest = next(world.repository.history(snapshot.commit, "overlays/prod"))

    assert b"tag 5\n" == snapshot.read(OTHER)
    assert (merge, (main, side)) == (newest.commit.commit, newest.commit.parents)
    assert (message,) == newest.commit.merged
    assert world.repository.find_intent("main", "77", main) == side


def test_history(world: World) -> None:
    """Only commits that touched the folder are told, newest first, each with its content."""
    first = world.other.head()
    second = world.other.commit({FILE: b"tag 2\n"}, "two\n")
    world.other.commit({OTHER: b"tag 9\n"}, "other\n")
    third = world.other.commit({FILE: None}, "gone\n")
    fourth = world.other.commit({"overlays/dev/kustomization.yml": b"tag 4\n"}, "four\n")

    versions = list(
        world.repository.history(world.repository.snapshot("main").commit, "overlays/dev")
    )

    assert [fourth, third, second, first] == [one.commit.commit for one in versions]
    assert [b"tag 4\n", None, b"tag 2\n", b"tag 1\n"] == [one.content for one in versions]
    names = ["kustomization.yml", None, "kustomization.yaml", "kustomization.yaml"]
    assert names == [one.file for one in versions]
    assert [True] * 4 == [one.complete for one in versions]
    assert "four\n" == versions[0].commit.message


def test_find_intent(world: World) -> None:
    """An intent is found by its trailer on the newest tip, back to where it was planned."""
    since = world.repository.snapshot("main").commit
    world.other.commit({OTHER: b"tag 1\n"}, "x\n\nGitops-Id: aaa\n")
    wanted = world.other.commit({OTHER: b"tag 2\n"}, "y\n\nGitops-Id: abc\n")
    last = world.other.commit({OTHER: b"tag 3\n"}, "about Gitops-Id: zzz\n")

    assert wanted == world.repository.find_intent("main", "abc", since)
    assert world.repository.find_intent("main", "zzz", since) is None
    assert world.repository.find_intent("main", "abc", last) is None
    assert world.repository.find_intent("gitops/none/prod", "abc", since) is None


def test_what_a_branch_has_over_another(world: World) -> None:
    """Its own commits are told, where the two part, and what it changed since, merges or not."""
    branch = "gitops/prod"
    first = world.repository.snapshot("main").commit
    own = world.other.commit({OTHER: b"tag 2\n"}, "own\n", branch=branch, parents=[first])
    theirs = world.other.commit({FILE: b"tag 3\n"}, "main's\n")
    base = world.repository.snapshot("main").commit
    head = world.repository.snapshot(branch).commit
    evidence = world.repository

    assert [own] == [one.commit for one in evidence.over(head, base)]
    assert (first,) == evidence.forks(head, base)
    assert (OTHER,) == evidence.changed(first, head)
    assert b"tag 0\n" == evidence.at(first).read(OTHER)

    files = {FILE: b"tag 3\n", "a/new file": b"x\n"}
    merged = world.other.commit(files, "merge\n", branch=branch, parents=[own, theirs])
    head = world.repository.snapshot(branch).commit
    assert [merged, own] == [one.commit for one in evidence.over(head, base)]
    assert (theirs,) == evidence.forks(head, base)
    assert ("a/new file", OTHER) == evidence.changed(theirs, head)
    entry = evidence.at(head).entry("a/new file")
    assert (entry.kind, entry.executable) == ("file", False)


def test_author_time_and_message(world: World) -> None:
    """Whoever is named is the author, at the time given, with the message given."""
    old = world.repository.snapshot("main").commit
    bob = Identity("Bob Ö", "bob@example.com")
    message = "dev: shop/api 1 -> 2\n\nline\n\nGitops-Id: 1\n"
    new = world.repository.create(NewCommit((old,), {FILE: b"tag 2\n"}, message, NOW, author=bob))
    world.repository.push([RefUpdate(MAIN, old, new)])
    tip = world.repository.snapshot("main").commit

    info = next(world.repository.history(tip, "overlays/dev")).commit

    assert (bob, NOW, message) == (info.author, info.time, info.message)
    assert (old,) == info.parents


def test_file_history(world: World) -> None:
    """Every change of one file is told, oldest first, with what was there before."""
    branch = "gitops/ledger"
    one = world.other.commit({"dev.jsonl": b"1\n"}, branch=branch, parents=[])
    world.other.commit({"prod.jsonl": b"x\n"}, branch=branch)
    two = world.other.commit({"dev.jsonl": b"1\n2\n"}, branch=branch)
    three = world.other.commit({"dev.jsonl": None}, branch=branch)

    tip = world.repository.snapshot(branch).commit
    told = world.repository.file_history(tip, "dev.jsonl")

    assert [one, two, three] == [change.commit.commit for change in told]
    assert [(None, b"1\n"), (b"1\n", b"1\n2\n"), (b"1\n2\n", None)] == [
        (change.before, change.after) for change in told
    ]
    assert () == world.repository.file_history(tip, "gone.jsonl")
    assert {} == world.repository.signed_by([one, two], b"")
    history = world.repository.branch_history(tip)
    assert [three, two, one] == [one.commit for one in history if "dev.jsonl" in one.paths]
    assert [(one.paths, len(one.parents)) for one in history][1:] == [
        (("dev.jsonl",), 1),
        (("prod.jsonl",), 1),
        (("dev.jsonl",), 0),
    ]


def test_remembered_tip(world: World) -> None:
    """An earlier call's tip is offered without asking: a push from it lands, nothing else may."""
    head = world.other.head()
    with world.repository.remembered("main") as snapshot:
        assert (snapshot is not None) is world.remembers
        if snapshot is None:
            return
        assert (head, b"tag 1\n") == (snapshot.commit, snapshot.read(FILE))
        new = world.repository.create(NewCommit((snapshot.commit,), {FILE: b"2\n"}, "x\n", NOW))
        with pytest.raises(Unproven):
            world.repository.snapshot("main")
        with pytest.raises(Unproven):
            next(world.repository.history(snapshot.commit, "overlays/dev"))
        with pytest.raises(Unproven):
            world.repository.push([RefUpdate("refs/heads/gitops/dev", None, new)])
        assert head == world.other.head()
        assert world.repository.push([RefUpdate(MAIN, snapshot.commit, new)]) is None

    assert new == world.other.head() == world.repository.snapshot("main").commit


def test_remembered_tip_that_is_old(world: World) -> None:
    """A push from a remembered tip loses when the branch moved, and the newest tip is there."""
    other = world.other.commit({OTHER: b"tag 9\n"})
    with world.repository.remembered() as snapshot:
        if snapshot is not None:
            assert b"tag 0\n" == snapshot.read(OTHER)
            new = world.repository.create(NewCommit((snapshot.commit,), {FILE: b"2\n"}, "x", NOW))
            lost = world.repository.push([RefUpdate(MAIN, snapshot.commit, new)])
            assert isinstance(lost, Lost)

    snapshot = world.repository.snapshot()
    assert (other, b"tag 9\n") == (snapshot.commit, snapshot.read(OTHER))
    again = world.change({FILE: b"tag 2\n"})
    assert world.repository.push([RefUpdate(MAIN, other, again)]) is None


def test_nobody_remembers_an_unknown_branch(world: World) -> None:
    """What no call has read is not remembered."""
    with world.repository.remembered("gitops/dev") as snapshot:
        assert snapshot is None


def test_contains(world: World) -> None:
    """Which commit is in the history of which, also far back, and on both sides of merges."""
    first = world.repository.snapshot("main").commit
    for number in range(60):
        world.other.commit({FILE: f"tag {number}\n".encode()})
    middle = world.repository.snapshot("main").commit
    side = world.other.commit({OTHER: b"side\n"}, branch="side", parents=[middle])
    merge = world.other.commit({OTHER: b"side\n"}, parents=[middle, side])
    tip = world.repository.snapshot("main").commit
    contains = world.repository.contains

    assert merge == tip
    assert contains(tip, tip, tip)
    assert contains(tip, middle, first)
    assert contains(tip, tip, side)
    assert not contains(tip, middle, side)
    assert not contains(tip, first, middle)
    assert not contains(middle, side, middle)
    assert not contains(tip, "0" * 40, first)
    assert not contains(tip, tip, "0" * 40)
