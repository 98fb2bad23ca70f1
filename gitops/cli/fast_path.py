"""Begins to read the repository before the command line is loaded: both take about as long.

The words of the commonest commands are looked at without typer. What is not understood at once is
left alone: then nothing begins early, and nothing else changes. Only what stands where `--repo`
stands is contacted; a value of another option is never taken for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops.ports.repository import Start

_SHARED = frozenset({"--repo", "--branch", "--app", "--output", "-o"})
_TIME = frozenset({"--push-timeout"})
_MORE = frozenset({"--verbose", "-v"})


COMMANDS: Mapping[str, tuple[Start, frozenset[str], frozenset[str]]] = {
    "deploy": (
        "remembered",
        _SHARED | _TIME | {"--to", "--ref", "--commit", "--override", "--reason"},
        _MORE | {"--add", "--dry-run"},
    ),
    "rollback": (
        "history",
        _SHARED | _TIME | {"--to", "--image", "--reason", "--override"},
        _MORE | {"--yes", "-y", "--hold", "--no-hold", "--dry-run"},
    ),
    "status": ("history", _SHARED, frozenset()),
    "history": ("history", _SHARED | {"--limit", "-n"}, frozenset()),
}
"""Command -> (what it reads first, options that take a value, options that take none).

The commands that begin early; an option that is missing here costs that, and nothing else.
"""

# A look at what stands now cannot begin on what was remembered.
_ASK_FIRST = frozenset({"--dry-run", "--override"})


class Spoken:
    """A command line of which every word is understood.

    Attributes:
        command: its name.
        arguments: what is no option, in order.
        values: option -> its values, in order; options that take none have none.
    """

    # A plain class: anything that writes its methods for it is felt by `gitops --help`.
    def __init__(
        self, command: str, arguments: tuple[str, ...], values: Mapping[str, Sequence[str]]
    ) -> None:
        self.command = command
        self.arguments = arguments
        self.values = values

    def last(self, name: str) -> str | None:
        """Return what counts where an option was given several times."""
        found = self.values.get(name)
        return found[-1] if found else None


def understand(arguments: Sequence[str]) -> Spoken | None:
    """Read a command line; None when a word of it is not plain."""
    if not arguments or arguments[0] not in COMMANDS:
        return None
    _, taking, bare = COMMANDS[arguments[0]]
    plain: list[str] = []
    values: dict[str, list[str]] = {}
    rest = iter(arguments[1:])
    for word in rest:
        if not word.startswith("-"):
            plain.append(word)
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in taking:
            given = value if equals else next(rest, None)
            if given is None:
                return None
            values.setdefault(name, []).append(given)
        elif not equals and name in bare:
            values.setdefault(name, [])
        else:
            return None
    return Spoken(arguments[0], tuple(plain), values)


def wanted(spoken: Spoken, environ: Mapping[str, str]) -> tuple[str, str | None, Start]:
    """Return what the command will open: the repository, the branch, and what it reads first."""
    location = spoken.last("--repo")
    if location is None:
        location = environ.get("GITOPS_REPO") or "."
    start = COMMANDS[spoken.command][0]
    if start == "remembered" and not _ASK_FIRST.isdisjoint(spoken.values):
        start = "tip"
    return location, spoken.last("--branch"), start


def begin(spoken: Spoken, environ: Mapping[str, str]) -> None:
    """Begin to read what the command will need first.

    Whatever goes wrong is left to the command, which meets it again and says it properly.
    """
    from gitops.wiring import begin as begin_reading

    with suppress(Exception):
        begin_reading(*wanted(spoken, environ))
