"""Versions of release branches: what `{version}` of `release/{version}` captured.

`1.4`, `1.10.0`, `2026.11`, `v2.0`, `1.4.0-rc.1`. Numbers compare as numbers, missing ones are 0,
and a pre-release comes before its release: Semantic Versioning 2.0.0, section 11, with any count
of numbers. What follows a `+` is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import total_ordering

from msgspec import Struct

from gitops.core.environments.environment import match_branch
from gitops.errors import UsageError

_VERSION = (
    r"v?(?P<numbers>[0-9]+(?:\.[0-9]+)*)"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_LONGEST = 100
_HINT = "a version is numbers with dots, maybe a pre-release: 1.4, 1.10.0, 2026.11, 1.4.0-rc.1"


@total_ordering
class Version(Struct, frozen=True):
    """A version that compares. `1.4` and `1.4.0` are equal: they name the same release.

    Attributes:
        text: as it was written.
        numbers: without zeros at the end.
        pre: identifiers of the pre-release; empty for a release.
    """

    text: str
    numbers: tuple[int, ...]
    pre: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __str__(self) -> str:
        return self.text

    def _key(self) -> tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]:
        parts = tuple(
            (False, int(word), "") if _is_number(word) else (True, 0, word) for word in self.pre
        )
        return self.numbers, not self.pre, parts


def parse_version(text: str) -> Version:
    """Read a version. Raises UsageError that says what is wrong."""
    if not text:
        raise UsageError("the version is empty", hint=_HINT)
    if len(text) > _LONGEST:
        raise UsageError(f"the version has more than {_LONGEST} characters", hint=_HINT)
    found = re.fullmatch(_VERSION, text)
    if found is None:
        raise UsageError(f"{text!r} is no version", hint=_HINT)
    numbers = [int(number) for number in found["numbers"].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    # Leading zeros do not make another pre-release either: rc.01 is rc.1.
    pre = tuple(
        str(int(word)) if _is_number(word) else word
        for word in (found["pre"].split(".") if found["pre"] else ())
    )
    return Version(text, tuple(numbers), pre)


class ReleaseBranch(Struct, frozen=True):
    """A live source branch with the version in its name."""

    branch: str
    version: Version


def release_branches(
    branches: Iterable[str], patterns: tuple[str, ...]
) -> tuple[ReleaseBranch, ...]:
    """Return those of `branches` (short names) that `patterns` accept, oldest version first.

    Equal versions go by the name of the branch; what has no version to compare is left out.
    """
    found: list[ReleaseBranch] = []
    for branch in branches:
        match = match_branch(patterns, branch)
        if match is None or match.version is None:
            continue
        with suppress(UsageError):
            found.append(ReleaseBranch(branch, parse_version(match.version)))
    return tuple(sorted(found, key=lambda entry: (entry.version, entry.branch)))


def _is_number(word: str) -> bool:
    return word.isdecimal()
