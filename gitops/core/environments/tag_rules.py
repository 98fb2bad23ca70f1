"""`tags:` of an images row: which tags of a registry are builds of which source branch.

In a pattern `*` stands for any text, `{number}` for digits (of a build, or a time), `{version}` for
numbers with dots, `{commit}` for the first digits of the source commit. Tags come from a registry,
so a pattern has few of them, with something between each two: matching takes milliseconds at most.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

TagOrder = Literal["created", "version"]

MOST_PLACES = 4
"""Placeholders of one pattern."""

_PLACE = re.compile(r"(\*|\{[^}]*\}?|\})")
_MEANS = {
    "*": r".*",
    "{number}": r"([0-9]{1,40})",
    "{version}": r"(?P<version>[0-9]{1,40}(?:\.[0-9]{1,40}){0,9})",
    "{commit}": r"(?P<commit>[0-9a-f]{7,64})",
}
_OFTEN = {"*": 2, "{number}": 3, "{version}": 1, "{commit}": 1}
_LITERAL = re.compile(r"[A-Za-z0-9._-]*")


class TagRow(Struct, frozen=True):
    """One row of `tags:`.

    Attributes:
        match: a pattern of tags.
        branch: the source branch that they are built from; `{version}` is what stood in the tag.
    """

    match: str
    branch: str


class TagRule(Struct, frozen=True):
    """Which tags of an image are builds of which branch, and whether pushed ones are deployed.

    Attributes:
        rows: the first that fits a tag counts.
        order: what tells the newest of several: when images were made, or the numbers in tags.
        on_push: the newest is deployed by itself.
    """

    rows: tuple[TagRow, ...]
    order: TagOrder = "created"
    on_push: bool = False


class FittingTag(Struct, frozen=True):
    """A tag, as the row that fits it reads it.

    Attributes:
        row: the number of the row.
        numbers: what each `{version}` and `{number}` stands for, in their order; 1.4 is 1.4.0.
        commit: what `{commit}` stands for.
    """

    tag: str
    row: int
    branch: str
    numbers: tuple[tuple[int, ...], ...] = ()
    commit: str | None = None


def fit(rule: TagRule, tag: str) -> FittingTag | None:
    """Return the tag as the first row that fits it reads it, None when none does."""
    for index, row in enumerate(rule.rows):
        found = _compiled(row.match).fullmatch(tag)
        if found is not None:
            named = found.groupdict()
            commit = found.re.groupindex.get("commit")
            told = (text for at, text in enumerate(found.groups(), 1) if at != commit)
            branch = row.branch.replace("{version}", named.get("version") or "")
            return FittingTag(tag, index, branch, tuple(map(_numbers, told)), named.get("commit"))
    return None


def is_exact(row: TagRow) -> bool:
    """Say whether the row fits one tag alone: one that is pushed again and again."""
    return _PLACE.search(row.match) is None


def wrong_match(text: str) -> str | None:
    """Say what is wrong with a pattern of tags; None: nothing."""
    parts = _PLACE.split(text)
    places, literals = parts[1::2], parts[::2]
    unknown = next((one for one in places if one not in _MEANS), None)
    if unknown is not None:
        return f"unknown {unknown!r}: there are *, {{number}}, {{version}} and {{commit}}"
    if not all(_LITERAL.fullmatch(one) for one in literals):
        return "a tag has letters, digits and . _ - alone"
    if len(places) > MOST_PLACES:
        return f"has more than {MOST_PLACES} placeholders"
    if any(not one for one in literals[1:-1]):
        return "two placeholders stand side by side: nobody can tell where the first one ends"
    for one in dict.fromkeys(places):
        if places.count(one) > _OFTEN[one]:
            return f"{one} stands more than {'once' if _OFTEN[one] == 1 else 'that often'} in it"
    return None


def wrong_order(row: TagRow) -> str | None:
    """Say why the numbers in its tags cannot tell which is the newest of a branch; None: they can.

    The tags of one branch that is named by its version all have the same `{version}`.
    """
    places = _PLACE.findall(row.match)
    if not {"{version}", "{number}"} & set(places):
        return "has neither {number} nor {version} in it, by which `order: version` goes"
    several = bool({"*", "{commit}"} & set(places))
    if several and "{version}" in row.branch and "{number}" not in places:
        return "needs {number}, too: the tags of one release branch all have the same {version}"
    return None


@lru_cache(maxsize=256)
def _compiled(match: str) -> re.Pattern[str]:
    parts = _PLACE.split(match)
    return re.compile("".join(_MEANS.get(part, re.escape(part)) for part in parts))


def _numbers(text: str) -> tuple[int, ...]:
    found = [int(part) for part in text.split(".")]
    while len(found) > 1 and found[-1] == 0:
        found.pop()
    return tuple(found)
