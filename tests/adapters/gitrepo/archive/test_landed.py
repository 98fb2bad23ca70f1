"""What landed, read in process: the same as git's own walk says, or not told at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops.adapters.gitrepo.archive.landed import read_since
from gitops.adapters.gitrepo.archive.walk import WalkedCommit, walk
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.store import Store
from gitrepos import ENVIRON, Repo

FILE = "apps/shop/dev/kustomization.yaml"
WHO = "Ana <ana@example.com>"


def told(commit: WalkedCommit) -> tuple[object, ...]:
    """All that is known of a commit."""
    return commit.commit, commit.info, sorted(map(repr, commit.changes()))


def raw(repo: Repo, text: str, tree: str | None = None) -> str:
    """A commit on main with headers and message as they stand in `text`."""
    parent = repo.git("rev-parse", "main").strip()
    tree = tree or repo.git("rev-parse", "main^{tree}").strip()
    body = f"tree {tree}\nparent {parent}\n{text}".encode("latin-1")
    made = repo.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", feed=body)
    repo.git("update-ref", "refs/heads/main", made.strip())
    return made.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository with one commit."""
    made = Repo.bare(tmp_path / "m.git")
    made.commit({"gitops.yaml": b"branch: main\n", FILE: b"one\n", "a/b": b"x\n"}, "first\n")
    return made


def store_of(repo: Repo) -> Store:
    """A store that reads it."""
    return Store(Git(ENVIRON), borrow=repo.path)


def compared(repo: Repo, since: str) -> None:
    """Both readings, from the tip of main down to a commit."""
    store, tip = store_of(repo), repo.head() or ""
    read = read_since(store, tip, since)
    walked = walk(Git(ENVIRON), store, [tip, f"^{since}"])
    store.close()
    assert read is not None
    assert list(map(told, read)) == list(map(told, walked))


def test_it_is_what_git_says(repo: Repo) -> None:
    """Edits, folders that become files and back, links, modes, merges, odd names and messages."""
    since = repo.head() or ""
    repo.commit({FILE: b"two\n", "a/b": None, "a": b"now a file\n"}, "\n  spaces, ü\n\nbody\n\n\n")
    repo.commit({"a": None, "a/b/c": b"deeper\n", "spä ce/\ttab": b"y\n"}, "")
    repo.commit({"run": b"#!/bin/sh\n", "to": b"run"}, modes={"run": "100755", "to": "120000"})
    repo.commit({"run": b"#!/bin/sh\n"}, "mode\n", modes={"run": "100644"})
    side = repo.commit({"side": b"1\n", FILE: b"three\n"}, "side\n", branch="side", parents=[since])
    repo.commit({"side": b"1\n", FILE: b"three\n"}, "merge\n", parents=[repo.head() or "", side])
    repo.commit({}, "nothing\n")
    raw(repo, f"author {WHO} 1 +0000\ncommitter {WHO} 1700000000 -0330\ngpgsig a\n b\n\nsigned\n")
    raw(repo, f"author X Y  Z <> 5 +0000\ncommitter {WHO} 99999999999999999 +0000\n\nlate\n")
    compared(repo, since)


@pytest.mark.parametrize(
    "text",
    [
        f"author {WHO} 1 +0000\ncommitter {WHO} 1 +0000\nencoding latin-1\n\n\xe4\n",
        "author <ana@example.com> 1 +0000\ncommitter <a@b.c> 1 +0000\n\nnobody\n",
        "author Ana ana@example.com\ncommitter Ana\n\nno address\n",
        f"author {WHO} -5 +0000\ncommitter {WHO} -5 +0000\n\nlong ago\n",
        f"author {WHO} 1 +0000\ncommitter {WHO} 1 +0000\n\nzero \x00 behind\n",
        "\nno headers\n",
    ],
)
def test_what_is_odd_is_gits_to_tell(repo: Repo, text: str) -> None:
    """Another encoding, nobody's commit, nonsense: it is not read in process."""
    since = repo.head() or ""
    raw(repo, text)
    store = store_of(repo)
    assert read_since(store, repo.head() or "", since) is None
    store.close()


def test_what_is_not_there_is_not_told(repo: Repo) -> None:
    """A commit that is not on the line, too many of them, an object that is missing."""
    first = repo.head() or ""
    other = repo.commit({"x": b"1\n"}, branch="other", parents=[first])
    ids = repo.commits([({FILE: f"{number}\n".encode()}, "many\n") for number in range(101)])
    store = store_of(repo)
    assert read_since(store, ids[-1], first) is None
    assert len(read_since(store, ids[-2], first) or ()) == 100
    assert read_since(store, ids[0], other) is None
    assert read_since(store, "0" * 40, first) is None
    store.close()
    tree = repo.git("rev-parse", f"{ids[0]}:apps").strip()
    for pack in list((repo.path / "objects" / "pack").glob("*.pack")):
        content = pack.read_bytes()
        for ending in (".pack", ".idx", ".rev"):
            pack.with_suffix(ending).unlink(missing_ok=True)
        repo.git("unpack-objects", "-q", feed=content)
    (repo.path / "objects" / tree[:2] / tree[2:]).unlink()
    store = store_of(repo)
    assert read_since(store, ids[0], first) is None
    assert not store.damaged
    store.close()
