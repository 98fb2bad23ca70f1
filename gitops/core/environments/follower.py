"""Values beside `images:` that follow an image: `images[].also` of `gitops.yaml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

LONGEST_TEXT = 300
"""Characters of a value that a pattern is looked for in: with two open repeats at most, whoever
writes the pattern or the value cannot make that take long."""

_OPEN_REPEATS = 2
_PLACEHOLDER = re.compile(r"\{(name|tag|digest)\}")
_TOKEN = re.compile(
    r"""(?P<word>[^.\[\]"'\s][^.\[\]"']*)
    | \[ (?: (?P<all>\*) | (?P<number>[0-9]{1,4}) | "(?P<quoted>[^"\]]{1,253})"
           | (?P<field>[A-Za-z][A-Za-z0-9_-]*)=(?P<text>[^\]]{1,253}) ) \]""",
    re.VERBOSE,
)


class Step(Struct, frozen=True):
    """One step of a key: exactly one of these is set.

    Attributes:
        name: a key of a mapping.
        number: an item of a list, from 0.
        where: (key, text): the items of a list that have it.
        every: all items of a list.
    """

    name: str | None = None
    number: int | None = None
    where: tuple[str, str] | None = None
    every: bool = False


class Follower(Struct, frozen=True):
    """A value that follows an image.

    Attributes:
        file: from the folder of an overlay; a folder without it has nothing to follow there.
        key: where the value is: `image.tag`, `resources[*]`, `labels[0].pairs["a.b/c"]`.
        value: what is written, with {tag}, {digest} and {name} filled in.
        pattern: a regular expression whose group `value` is what is replaced; None: all of it.
    """

    file: str
    key: str
    value: str = "{tag}"
    pattern: str | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """The key, step by step."""
        return parse_key(self.key)

    @property
    def needs(self) -> frozenset[str]:
        """The placeholders of `value`."""
        return frozenset(_PLACEHOLDER.findall(self.value))

    def filled(self, words: Mapping[str, str]) -> str:
        """Return `value` with its placeholders filled in."""
        return _PLACEHOLDER.sub(lambda found: words[found[1]], self.value)

    def within(self, text: str) -> tuple[int, int] | None:
        """Return which part of `text` is the value, None where the pattern finds none."""
        if self.pattern is None:
            return 0, len(text)
        found = _compiled(self.pattern).search(text) if len(text) <= LONGEST_TEXT else None
        return found.span("value") if found is not None and found["value"] is not None else None


Also = Mapping[str, tuple[Follower, ...]]
"""Image -> what follows it."""


@lru_cache(maxsize=64)
def parse_key(key: str) -> tuple[Step, ...]:
    """Read a key. Raises ValueError that says what is wrong with it."""
    steps: list[Step] = []
    at = 0
    while at < len(key):
        if key[at] == ".":
            at += 1
            if not steps or at == len(key) or key[at] in ".[":
                raise ValueError("a name must stand between two dots")
        elif steps and key[at] != "[":
            raise ValueError("a dot or [ must stand before the next name")
        found = _TOKEN.match(key, at)
        if found is None:
            raise ValueError('is no key, like image.tag, resources[*] or labels[0].pairs["a.b"]')
        steps.append(_step(found))
        at = found.end()
    if not steps:
        raise ValueError("is empty")
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["all"]:
        return Step(every=True)
    if found["number"]:
        return Step(number=int(found["number"]))
    if found["field"]:
        return Step(where=(found["field"], found["text"]))
    return Step(name=found["word"] or found["quoted"])


def wrong_pattern(pattern: str) -> str | None:
    """Say why a pattern is not taken, None when it is.

    Repeats of groups and back references are not: those can take for ever on a short text.
    """
    try:
        compiled = _compiled(pattern)
    except re.error as error:
        return f"is no regular expression: {error.msg}"
    if "value" not in compiled.groupindex:
        return "has no group (?P<value>…), which is what is replaced"
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern)
    if re.search(r"\)[*+?{]|\(\?P=|\(\?[<!=(]", plain.replace("(?P<", "(P")) or re.search(
        r"\\[1-9]", pattern
    ):
        return "repeats a group, looks around or back: write it without"
    if len(re.findall(r"[*+]|\{[0-9]*,?[0-9]*\}", plain)) > _OPEN_REPEATS:
        return f"has more than {_OPEN_REPEATS} repeats (*, +, {{…}})"
    return None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
