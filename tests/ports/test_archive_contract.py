"""What every archive must do: the fake one, and real ones over whole and shallow clones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from fake_archive import FakeArchive
from fakes import FakeRepository
from gitops.adapters.gitrepo import open_repository
from gitops.errors import NotFound, UsageError
from gitops.ports import Archive
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer

FILE = "overlays/dev/kustomization.yaml"
KINDS = ("fake", "url", "clone", "shallow", "bare")


@dataclass
class World:
    """An archive, and the repository that it reads as somebody else writes it."""

    archive: Archive
    other: Repo
    commits: dict[str, str]


def fill(repo: Repo) -> dict[str, str]:
    """Make a small history with a side branch and a merge; return name -> commit."""
    made = {"first": repo.commit({FILE: b"tag 1\n", "docs/a.md": b"a\n"}, "first\n")}
    made["second"] = repo.commit({FILE: b"tag 2\n"}, "second\n")
    made["side"] = repo.commit(
        {"docs/b.md": b"b\n"}, "side\n", branch="side", parents=[made["first"]]
    )
    made["merge"] = repo.commit(
        {FILE: b"tag 2\n", "docs/b.md": b"b\n"},
        "merge\n",
        parents=[made["second"], made["side"]],
    )
    made["last"] = repo.commit({"docs/a.md": None, "docs/a.md/c": b"c\n"}, "last\n")
    return made


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """One world of each kind, with the same history."""
    if request.param == "fake":
        fake = FakeRepository()
        made = fill(cast("Repo", fake))
        yield World(FakeArchive(fake), cast("Repo", fake), made)
        return
    bare = Repo.bare(tmp_path / "m.git")
    made = fill(bare)
    if request.param == "bare":
        with open_repository(str(bare.path), environ=ENVIRON) as repository:
            yield World(repository.commits(), bare, made)
        return
    with GitServer(tmp_path) as server:
        url = location = f"{server.url}/m.git"
        if request.param != "url":
            location = str(tmp_path / "clone")
            cut = ["--depth", "1"] if request.param == "shallow" else []
            bare.git("clone", "-q", *cut, url, location)
        with open_repository(location, environ=ENVIRON) as repository:
            yield World(repository.commits(), bare, made)


def test_names(world: World) -> None:
    """A branch, an id, a step back, and what is checked out are found."""
    made = world.commits

    assert made["last"] == world.archive.find(None)
    assert made["last"] == world.archive.find("main")
    assert made["side"] == world.archive.find("side")
    assert made["first"] == world.archive.find(made["first"])
    assert made["merge"] == world.archive.find("main~1")


@pytest.mark.parametrize("name", ["-x", "a..b", "a b", ""])
def test_no_names(world: World, name: str) -> None:
    """What Git would take for an option or a range is no name."""
    with pytest.raises(UsageError):
        world.archive.find(name)


@pytest.mark.parametrize("name", ["gone", "1" * 40])
def test_unknown_names(world: World, name: str) -> None:
    """A name or an id that nobody has is not found."""
    with pytest.raises(NotFound):
        world.archive.find(name)


def test_what_a_commit_says(world: World) -> None:
    """A commit tells its parents and message, a merge also the messages that it brought in."""
    plain = world.archive.info(world.commits["second"])
    merge = world.archive.info(world.commits["merge"])

    assert ((world.commits["first"],), "second\n", ()) == (
        plain.parents,
        plain.message,
        plain.merged,
    )
    assert (world.commits["second"], world.commits["side"]) == merge.parents
    assert ("side\n",) == merge.merged


def test_commits_over_another(world: World) -> None:
    """A range has what one side has and the other has not, children first."""
    made = world.commits
    found = [one.commit for one in world.archive.over(made["last"], made["second"])]

    assert [made["last"], made["merge"], made["side"]] == found
    assert () == world.archive.over(made["second"], made["last"])
    assert 5 == len(world.archive.over(made["last"], None))


def test_where_two_parted(world: World) -> None:
    """The newest common commit is found, also when it is one of the two."""
    made = world.commits

    assert made["first"] == world.archive.fork(made["second"], made["side"])
    assert made["second"] == world.archive.fork(made["second"], made["last"])


def test_files_of_a_commit(world: World) -> None:
    """A tree tells what lies where, and reads it."""
    tree = world.archive.tree(world.commits["first"])

    assert b"tag 1\n" == tree.read(FILE)
    assert ("dev/",) == tree.entries("overlays")
    kinds = [tree.entry(path) for path in (FILE, "overlays", "", "docs/a.md/c", "gone")]
    assert ["file", "folder", "folder", None, None] == [
        one.kind if one is not None else None for one in kinds
    ]


def test_equal_entries(world: World) -> None:
    """Equal contents have equal ids, at whichever commit."""
    first, second, merge = (
        world.archive.tree(world.commits[name]).entry(FILE) for name in ("first", "second", "merge")
    )

    assert second == merge
    assert first != second


def test_changed_paths(world: World) -> None:
    """Changed are files that came, went, or differ; a folder that replaces a file is both."""
    made = world.commits

    assert (FILE,) == world.archive.changed(made["first"], made["second"])
    assert ("docs/b.md",) == world.archive.changed(made["second"], made["merge"])
    assert ("docs/a.md", "docs/a.md/c") == world.archive.changed(made["merge"], made["last"])
    assert ("docs/a.md", FILE) == world.archive.changed(None, made["first"])


def test_changed_paths_of_many_commits(world: World) -> None:
    """Many are told as each alone, and their files are the same as if nobody had told."""
    made = world.commits
    names = [(None, "first"), ("first", "second"), ("second", "merge"), ("merge", "last")]
    steps = [(made[old] if old else None, made[new]) for old, new in names]
    alone = [world.archive.changed(*step) for step in steps]
    paths = {path for one in alone for path in one}
    before = {one: [_at(world, one, path) for path in paths] for one in made.values()}

    assert alone == list(world.archive.changed_by_each(steps))
    assert before == {one: [_at(world, one, path) for path in paths] for one in made.values()}
    assert world.archive.changed_by_each([]) == ()


def _at(world: World, commit: str, path: str) -> object:
    tree = world.archive.tree(commit)
    return tree.entry(path), tree.read(path)


def test_history_of_any_commit(world: World) -> None:
    """Versions of a folder are read from any commit on."""
    made = world.commits
    found = list(world.archive.history(made["merge"], "overlays/dev"))

    assert [(made["second"], b"tag 2\n"), (made["first"], b"tag 1\n")] == [
        (one.commit.commit, one.content) for one in found
    ]


def test_branches(world: World) -> None:
    """Every branch is named, with its newest commit."""
    made = world.commits

    assert {"main": made["last"], "side": made["side"]} == world.archive.branches()


def test_merge_of_lines(world: World) -> None:
    """Lines that one side changed are merged, lines that both did conflict."""
    base, ours, theirs = b"a\nb\nc\nd\ne\n", b"A\nb\nc\nd\ne\n", b"a\nb\nc\nd\nE\n"

    assert b"A\nb\nc\nd\nE\n" == world.archive.merge_text(base, ours, theirs)
    assert world.archive.merge_text(base, ours, b"B\nb\nc\nd\ne\n") is None


def test_commits_that_came_later(world: World) -> None:
    """What somebody pushes meanwhile is found."""
    commit = world.other.commit({FILE: b"tag 3\n"}, "later\n")

    assert b"tag 3\n" == world.archive.tree(commit).read(FILE)
    assert [commit] == [one.commit for one in world.archive.over(commit, world.commits["last"])]
