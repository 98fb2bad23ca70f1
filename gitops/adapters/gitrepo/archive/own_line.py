"""Which parent of a merge the branch was at, where that is not the first one.

Git's first parent is the side that somebody stood on. Who merges the branch into a side line, and
pushes that, makes history along first parents go through commits that the branch never was at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gitops.adapters.gitrepo.objects.store import Store
from gitops.core.git.commit import CommitInfo

UNKNOWN = ""
"""What is told where older commits must be read first."""

_MOST_BESIDE = 64  # commits of a folder that may leave its kustomization alone


def own_side(
    store: Store,
    leads: Callable[[str, str], bool | None],
    hits: Sequence[CommitInfo],
    at: int,
    file: str | None,
    directory: str,
) -> str | None:
    """Return the parent that the branch was at, None where it is the first parent of `hits[at]`.

    `UNKNOWN` where the hits end before that can be told.

    A merge that takes the kustomization of another parent, and drops what came on the side of the
    first since both parted, was made on a side line: a clean merge keeps such a change. What was
    dropped so was never on the branch, and is no part of its history.

    Args:
        leads: says whether its first argument leads to the second; None: nobody knows.
        hits: first parents that changed `directory`, newest first.
        at: which of them is asked about.
        file: the kustomization that the commit has there, None when it has none.
    """
    info = hits[at]
    if file is None or len(info.parents) < 2 or not all(map(store.holds, info.parents)):
        return None
    path = f"{directory}/{file}" if directory else file
    first, *others = info.parents
    here = blob_at(store, info.commit, path)
    if here == blob_at(store, first, path):
        return None
    others = [one for one in others if blob_at(store, one, path) == here]
    if not others:
        return None
    dropped = _last_change(store, hits[at + 1 : at + 1 + _MOST_BESIDE], path)
    if dropped is None:
        return UNKNOWN
    return next((one for one in others if leads(one, dropped) is False), None)


def blob_at(store: Store, commit: str, path: str) -> str | None:
    """Return the id of the regular file at `path` in `commit`, None when there is none."""
    folder, _, name = path.rpartition("/")
    entry = store.folder(store.tree_of(commit), folder).get(name)
    return entry.oid if entry is not None and entry.is_file else None


def _last_change(store: Store, hits: Sequence[CommitInfo], path: str) -> str | None:
    """Return the newest of `hits` that changed `path`, None where that cannot be told."""
    for info in hits:
        if not info.parents:
            return info.commit
        if not store.holds(info.parents[0]):
            return None
        if blob_at(store, info.commit, path) != blob_at(store, info.parents[0], path):
            return info.commit
    return None
