"""The files of the ledger that one overlay has: where they are, and which are the newest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from gitops.core.environments.environment import label_of
from gitops.core.ledger import LARGEST_PART

_LITTLE = LARGEST_PART // 8  # bytes, about a hundred words


def ledger_path(environment: str, app: str | None, part: int = 1) -> str:
    """Return the path, on the ledger's branch, of a file of an environment (of one app)."""
    label = label_of(environment, app)
    return f"{label}.jsonl" if part == 1 else f"{label}.{part}.jsonl"


def ledger_paths(environment: str, app: str | None, names: Collection[str]) -> tuple[str, ...]:
    """Return the paths of all files of an environment, oldest first, and one at least.

    `names` are the entries of the folder that they are in.
    """
    paths = [ledger_path(environment, app)]
    while (path := ledger_path(environment, app, len(paths) + 1)).rpartition("/")[2] in names:
        paths.append(path)
    return tuple(paths)


def recent_parts(
    paths: Sequence[str], read: Callable[[str], bytes | None]
) -> list[tuple[str, bytes | None]]:
    """Return the newest file, and what it holds; where that is little the one before as well.

    What was said lately, or by this very call, stands in them. Older files need not be had for it.
    """
    found = [(paths[-1], read(paths[-1]))]
    if len(found[0][1] or b"") < _LITTLE:
        found += ((path, read(path)) for path in paths[-2:-1])
    return found
