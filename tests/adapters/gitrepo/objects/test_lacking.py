"""What a push brings along: all that was made here and hangs on what moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.codec import TREE
from gitops.adapters.gitrepo.objects.store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    made = Store(Git({"PATH": "/usr/bin:/bin"}))
    yield made
    made.close()


def commit(store: Store, tree: str, *parents: str) -> str:
    """Make a commit of `tree`."""
    above = "".join(f"parent {one}\n" for one in parents)
    who = "A <a@example.com> 1 +0000"
    return store.write(
        "commit", f"tree {tree}\n{above}author {who}\ncommitter {who}\n\nx\n".encode()
    )


def reached(store: Store, oid: str) -> set[str]:
    """Return the ids of a commit, its past, its folders and files."""
    kind = store.read(oid)[0]
    if kind == "commit":
        return {oid}.union(
            *(reached(store, one) for one in (store.tree_of(oid), *store.parents(oid)))
        )
    if kind == "blob":
        return {oid}
    return {oid}.union(*(reached(store, one.oid) for one in store.tree(oid).values()))


def test_what_was_made_for_a_commit_comes_along(store: Store) -> None:
    """Commits on each other, and one whose files build on those of no parent, lack nothing."""
    first = commit(store, store.write_patched(None, {"a/one": b"1", "b/two": b"2"}))
    shared = reached(store, first)
    store.shared([first])
    second = commit(store, store.write_patched(first, {"a/one": b"3"}), first)
    third = commit(store, store.write_patched(second, {"b/new/x": b"4"}), second)
    beside = commit(store, store.write_patched(third, {"c": b"5"}), first)
    blob = store.write("blob", b"an intent")

    for tip in (second, third, beside, blob):
        lacking = {store.made[one] for one in reached(store, tip) - shared}
        assert lacking <= set(store.new.lacking([tip]).values())
    assert {blob: store.made[blob]} == store.new.lacking([blob])
    assert {} == store.new.lacking([first])
    assert len(store.new.lacking([second])) == 4  # a commit, two folders, a file
    assert store.tree(store.tree_of(second))["a"].mode == TREE
