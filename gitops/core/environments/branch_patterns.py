"""Patterns of branches and of folders: `*` inside one segment, `**` across segments."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

_WORDS = {"**": ".+", "*": "[^/]+", "{version}": "(?P<version>[^/]+)"}
# What `git check-ref-format` takes between two slashes, and no pattern takes for more than one.
_PART = re.compile(r"(?![-.])(?!.*\.\.)(?!.*\.lock$)[^\s~^:?*\[\]\\{}\x00-\x20\x7f]+(?<!\.)")
_FEW = 2  # of these words: more of them take `re` a time that grows with that power of a name


class BranchMatch(Struct, frozen=True):
    """A source branch that a pattern accepts, with the `{version}` it captured, if any."""

    pattern: str
    version: str | None = None


def is_branch_part(name: str) -> bool:
    """Say whether a branch can be called `gitops/NAME/…`."""
    return _PART.fullmatch(name) is not None


def match_branch(patterns: tuple[str, ...], branch: str) -> BranchMatch | None:
    """Return the first pattern that accepts `branch`, or None.

    `*` matches inside one path segment, `**` across segments, `{version}` one segment. Takes a time
    that grows with the length of both, whatever somebody called a branch.
    """
    for pattern in patterns:
        parts, compiled = _pattern(pattern)
        if compiled is None:
            version = _in_steps(parts, branch)
            if version is not None:
                return BranchMatch(pattern, version or None)
        elif (found := compiled.fullmatch(branch)) is not None:
            return BranchMatch(pattern, found.groupdict().get("version"))
    return None


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> tuple[tuple[str, ...], re.Pattern[str] | None]:
    """Return the parts of a pattern, and where they are few, what `re` makes of them."""
    parts = tuple(filter(None, re.split(r"(\*\*|\*|\{version\})", pattern)))
    if sum(part in _WORDS for part in parts) > _FEW:
        return parts, None
    return parts, re.compile("".join(_WORDS.get(part) or re.escape(part) for part in parts))


def _in_steps(parts: tuple[str, ...], text: str) -> str | None:
    """Return the version that `text` has, "" for none; None where it does not fit.

    As `re` would: each word takes as much as it can. Where the rest of the parts fits is worked out
    from the end, so nothing is tried twice.
    """
    fits = [{len(text)}]
    for part in reversed(parts):
        fits.append(_begins(part, text, fits[-1]))
    fits.reverse()
    if 0 not in fits[0]:
        return None
    at, version = 0, ""
    for part, after in zip(parts, fits[1:], strict=True):
        if part not in _WORDS:
            at += len(part)
            continue
        end = max(one for one in after if at < one <= _reach(part, text, at))
        version = text[at:end] if part == "{version}" else version
        at = end
    return version


def _begins(part: str, text: str, ends: set[int]) -> set[int]:
    """Return where `part` may begin so that it ends at one of `ends`."""
    if part not in _WORDS:
        size = len(part)
        return {end - size for end in ends if text.endswith(part, 0, end) and end >= size}
    found: set[int] = set()
    is_open = False
    for at in range(len(text) - 1, -1, -1):
        is_open = is_open or at + 1 in ends
        if text[at] == "/" and part != "**":
            is_open = False
        elif is_open:
            found.add(at)
    return found


def _reach(part: str, text: str, at: int) -> int:
    """Return where a word that begins at `at` ends at the latest."""
    slash = text.find("/", at) if part != "**" else -1
    return slash if slash >= 0 else len(text)
