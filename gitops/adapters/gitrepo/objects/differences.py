"""What differs between commits: many pairs of them at once, folder by folder from the root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from gitops.adapters.gitrepo.objects.codec import TREE, ObjectEntry, TreeContent
from gitops.adapters.gitrepo.objects.store import Store

Sides = tuple[ObjectEntry | None, ObjectEntry | None]
"""What lies at a path before and after."""

_LOT = 100  # pairs whose folders are in memory together


class _Pair(Struct, frozen=True):
    """One path that differs; `into`: what was found of the commits that it is from."""

    into: dict[str, Sides]
    path: str
    old: ObjectEntry | None
    new: ObjectEntry | None


def differences(
    store: Store, pairs: Sequence[tuple[str | None, str]]
) -> Iterator[Mapping[str, Sides]]:
    """Yield for each pair of commits (None is no commit) path -> the entries that differ.

    What is a folder on one side only is told by its files and by what stands there on the other.
    """
    for start in range(0, len(pairs), _LOT):
        yield from _of_lot(store, pairs[start : start + _LOT])


def changed_paths(store: Store, before: str | None, after: str) -> tuple[str, ...]:
    """Return the paths whose entries differ between two commits, sorted; None is no commit."""
    return tuple(sorted(next(differences(store, [(before, after)]))))


def names_that_differ(before: TreeContent, after: TreeContent) -> list[str]:
    """Return the names that have not the same entry in two folders."""
    # Entries of wide folders are mostly the same values: that is seen before they are compared.
    found = [
        name
        for name, entry in before.items()
        if (other := after.get(name)) is not entry and other != entry
    ]
    return found + [name for name in after if name not in before]


def _of_lot(store: Store, pairs: Sequence[tuple[str | None, str]]) -> Sequence[Mapping[str, Sides]]:
    store.ahead.read(one for pair in pairs for one in pair if one is not None)
    found: list[dict[str, Sides]] = [{} for _ in pairs]
    level = [
        _Pair(into, "", _root(store, before), _root(store, after))
        for into, (before, after) in zip(found, pairs, strict=True)
    ]
    while level:
        level = [one for one in level if one.old != one.new]
        folders = [
            side.oid for one in level for side in (one.old, one.new) if side and side.mode == TREE
        ]
        read = store.ahead.read(folders)
        level = [below for one in level for below in _compare(store, one)]
        store.ahead.let_go(read)
    return found


def _compare(store: Store, pair: _Pair) -> Iterator[_Pair]:
    """Yield what differs below a path, and tell the path where it is more than a folder."""
    if any(one is not None and one.mode != TREE for one in (pair.old, pair.new)):
        pair.into[pair.path] = pair.old, pair.new
    before, after = _below(store, pair.old), _below(store, pair.new)
    for name in names_that_differ(before, after):
        below = f"{pair.path}/{name}" if pair.path else name
        yield _Pair(pair.into, below, before.get(name), after.get(name))


def _root(store: Store, commit: str | None) -> ObjectEntry | None:
    return ObjectEntry(TREE, store.tree_of(commit)) if commit is not None else None


def _below(store: Store, entry: ObjectEntry | None) -> TreeContent:
    if entry is None or entry.mode != TREE:
        return {}
    return store.tree(entry.oid)
