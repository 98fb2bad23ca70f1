"""Begins to read the repository before the command line is loaded: both take about as long.

The words of the commonest commands are looked at without typer. What is not understood at once is
left alone: then nothing begins early, and nothing else changes. Only what stands where `--repo`
stands is contacted; a value of another option is never taken for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.source import Start

_SHARED = frozenset({"--repo", "--branch", "--app", "--output", "-o"})
_TIME = frozenset({"--push-timeout"})
_MORE = frozenset({"--verbose", "-v"})


class Words(NamedTuple):
    """What may stand behind a command: options that take a value, and options that do not."""

    start: Start
    values: frozenset[str]
    flags: frozenset[str] = frozenset()


COMMANDS: Mapping[str, Words] = {
    "deploy": Words(
        "remembered",
        _SHARED | _TIME | {"--to", "--ref", "--commit", "--override", "--reason"},
        _MORE | {"--add", "--dry-run"},
    ),
    "rollback": Words(
        "history",
        _SHARED | _TIME | {"--to", "--image", "--reason", "--override"},
        _MORE | {"--yes", "-y", "--hold", "--no-hold", "--dry-run"},
    ),
    "status": Words("history", _SHARED),
    "history": Words("history", _SHARED | {"--limit", "-n"}),
}
"""The commands that begin early; an option that is missing here costs that, and nothing else."""

# A look at what stands now cannot begin on what was remembered.
_ASK_FIRST = frozenset({"--dry-run", "--override"})


class Spoken(NamedTuple):
    """A command line of which every word is understood.

    Attributes:
        arguments: what is no option, in order.
        values: option -> its values, in order; flags have none.
    """

    command: str
    arguments: tuple[str, ...]
    values: Mapping[str, Sequence[str]]

    def last(self, name: str) -> str | None:
        """Return what counts where an option was given several times."""
        found = self.values.get(name)
        return found[-1] if found else None


class Wanted(NamedTuple):
    """What the command will open."""

    location: str
    branch: str | None
    start: Start


def understand(arguments: Sequence[str]) -> Spoken | None:
    """Read a command line; None when a word of it is not plain."""
    words = COMMANDS.get(arguments[0]) if arguments else None
    if words is None:
        return None
    plain: list[str] = []
    values: dict[str, list[str]] = {}
    rest = iter(arguments[1:])
    for word in rest:
        if not word.startswith("-"):
            plain.append(word)
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in words.values:
            given = value if equals else next(rest, None)
            if given is None:
                return None
            values.setdefault(name, []).append(given)
        elif not equals and name in words.flags:
            values.setdefault(name, [])
        else:
            return None
    return Spoken(arguments[0], tuple(plain), values)


def wanted(spoken: Spoken, environ: Mapping[str, str]) -> Wanted:
    """Return what the command will open."""
    location = spoken.last("--repo")
    if location is None:
        location = environ.get("GITOPS_REPO") or "."
    start = COMMANDS[spoken.command].start
    if start == "remembered" and not _ASK_FIRST.isdisjoint(spoken.values):
        start = "tip"
    return Wanted(location, spoken.last("--branch"), start)


def begin(spoken: Spoken, environ: Mapping[str, str]) -> None:
    """Begin to read what the command will need first.

    Whatever goes wrong is left to the command, which meets it again and says it properly.
    """
    from gitops.wiring import begin as begin_reading

    with suppress(Exception):
        begin_reading(*wanted(spoken, environ))
