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


class Wanted(NamedTuple):
    """What the command will open."""

    location: str
    branch: str | None
    start: Start


def wanted(arguments: Sequence[str], environ: Mapping[str, str]) -> Wanted | None:
    """Return what the command line will open; None when that is not plain to see."""
    words = COMMANDS.get(arguments[0]) if arguments else None
    if words is None:
        return None
    location = environ.get("GITOPS_REPO") or "."
    branch = None
    start = words.start
    rest = iter(arguments[1:])
    for word in rest:
        if not word.startswith("-"):
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in words.values:
            given = value if equals else next(rest, None)
            if given is None:
                return None
            if name == "--repo":
                location = given
            elif name == "--branch":
                branch = given
        elif equals or name not in words.flags:
            return None
        if name in _ASK_FIRST and start == "remembered":
            start = "tip"
    return Wanted(location, branch, start)


def begin(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Begin to read what the command will need first, if that can be told.

    Whatever goes wrong is left to the command, which meets it again and says it properly.
    """
    found = wanted(arguments, environ)
    if found is not None:
        from gitops.wiring import begin as begin_reading

        with suppress(Exception):
            begin_reading(found.location, found.branch, found.start)
