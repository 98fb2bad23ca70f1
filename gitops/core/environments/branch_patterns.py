"""Patterns of branches and of folders: `*` inside one segment, `**` across segments."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\{version\})", pattern)
    words = {"**": ".+", "*": "[^/]+", "{version}": "(?P<version>[^/]+)"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))


class BranchMatch(Struct, frozen=True):
    """A source branch that a pattern accepts, with the `{version}` it captured, if any."""

    pattern: str
    version: str | None = None


def match_branch(patterns: tuple[str, ...], branch: str) -> BranchMatch | None:
    """Return the first pattern that accepts `branch`, or None.

    `*` matches inside one path segment, `**` across segments, `{version}` one segment.
    """
    for pattern in patterns:
        found = _pattern(pattern).fullmatch(branch)
        if found is not None:
            return BranchMatch(pattern, found.groupdict().get("version"))
    return None
