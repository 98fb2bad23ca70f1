"""What runs before typer is loaded: the reading of the repository, and a call of plain words.

The words of the commonest commands are looked at without typer. What is not understood at once is
left alone: then nothing begins early, and nothing else changes. Only what stands where `--repo`
stands is contacted; a value of another option is never taken for one.

A deploy, the call that pipelines make all day, then needs no typer at all, and neither does
`status`, the one that people make: loading it costs as much as reading the repository, and in a
crowd of jobs that share processors it is what everybody waits for. Help and errors of the command
line are typer's; tests/cli/test_plain_call.py holds the two readings together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gitops.errors import UsageError

if TYPE_CHECKING:
    from gitops.core.git.ci_build import CiBuild
    from gitops.ports.repository import Start

COMMANDS: Mapping[str, tuple[str, Start]] = {
    "deploy": ("deploy", "remembered"),
    "rollback": ("rollback", "history"),
    "status": ("read", "landed"),
    "history": ("read", "history"),
}
"""Command -> (module of `gitops.cli.commands`, what it reads first): those that begin early."""

_PLAIN: Mapping[str, tuple[str, int]] = {"deploy": ("images", 1), "status": ("environments", 0)}
"""Command -> (the parameter of its arguments, how many there are at least): those without typer."""

_ANYWHERE = frozenset({"--repo", "--branch", "--output", "-o"})
_GROUPS = frozenset({"release", "data", "images", "workflow", "alerts", "config"})

# A look at what stands now cannot begin on what was remembered.
_ASK_FIRST = ("dry_run", "override")


class Spoken:
    """A command line of which every word is understood.

    Attributes:
        command: its name.
        arguments: what is no option, in order.
        values: field of an option group -> its value.
    """

    # A plain class: anything that writes its methods for it is felt by `gitops --help`.
    def __init__(self, command: str, arguments: tuple[str, ...], values: Mapping[str, Any]) -> None:
        self.command = command
        self.arguments = arguments
        self.values = values


def prepare(
    arguments: Sequence[str], environ: Mapping[str, str]
) -> tuple[list[str], Callable[[], int] | None]:
    """Begin to read what the command will need; return its words, and the call of plain ones."""
    words = verb_first(arguments)
    spoken = understand(words)
    if spoken is None:
        return words, None
    begin(spoken, environ)
    plain = plain_call(spoken, environ)
    return words, partial(verb_of(spoken.command), **plain) if plain is not None else None


def verb_first(arguments: Sequence[str]) -> list[str]:
    """Return a command line with --repo, --branch and -o behind the command, wherever they stand.

    Before `--help` or `--version` they have nothing to say.
    """
    words = [*arguments]
    leading: list[str] = []
    while words and words[0].startswith("-"):
        name, equals, _ = words[0].partition("=")
        joined = len(name) > 2 and not name.startswith("--")
        if name[:2] == "-o" if joined else name in _ANYWHERE:
            taken = 1 if equals or joined else 2
            leading, words = [*leading, *words[:taken]], words[taken:]
        else:
            return words
    if words and words[0] in _GROUPS:
        return [words[0], *verb_first([*leading, *words[1:]])]
    return [*words[:1], *leading, *words[1:]] if words else []


def understand(arguments: Sequence[str]) -> Spoken | None:
    """Read a command line; None when a word of it is not plain."""
    if not arguments or arguments[0] not in COMMANDS:
        return None
    from gitops.cli.options import named_options

    options = named_options(verb_of(arguments[0]))
    plain: list[str] = []
    values: dict[str, Any] = {}
    rest = iter(arguments[1:])
    for word in rest:
        if not word.startswith("-"):
            plain.append(word)
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        field = options.get(name)
        if field is None or (field.is_flag and equals):
            return None
        given: Any = not name.startswith("--no-")
        if not field.is_flag:
            given = value if equals else next(rest, None)
        if given is None or (field.choices and given not in field.choices):
            return None
        if field.is_many:
            values[field.name] = (*values.get(field.name, ()), given)
        elif field.name in values and not field.is_flag:
            return None  # one value was asked for: typer says so
        else:
            values[field.name] = given
    return Spoken(arguments[0], tuple(plain), values)


def verb_of(command: str) -> Callable[..., int]:
    """Return the function of one of `COMMANDS`."""
    module = import_module(f"gitops.cli.commands.{COMMANDS[command][0]}")
    verb: Callable[..., int] = getattr(module, command)
    return verb


def wanted(spoken: Spoken, environ: Mapping[str, str]) -> tuple[str, str | None, Start]:
    """Return what the command will open: the repository, the branch, and what it reads first."""
    location = spoken.values.get("repo")
    if location is None:
        location = environ.get("GITOPS_REPO") or "."
    start = COMMANDS[spoken.command][1]
    if start == "remembered" and any(spoken.values.get(name) for name in _ASK_FIRST):
        start = "tip"
    return location, spoken.values.get("branch"), start


def begin(spoken: Spoken, environ: Mapping[str, str]) -> None:
    """Begin to read what the command will need first.

    Whatever goes wrong is left to the command, which meets it again and says it properly.
    """
    if spoken.command in ("deploy", "rollback") and environ.get("GITOPS_SERVER", "").strip():
        return  # nothing is read here
    from gitops.wiring import begin as begin_reading

    images = spoken.arguments if spoken.command == "deploy" else ()
    with suppress(Exception):
        begin_reading(*wanted(spoken, environ), images)


def plain_call(spoken: Spoken, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the arguments of the command's function; None where typer has to read the words."""
    parameter, least = _PLAIN.get(spoken.command, ("", 0))
    if not parameter or len(spoken.arguments) < least or "_GITOPS_COMPLETE" in environ:
        return None
    from gitops.cli.options import FollowOptions, Format, grouped

    values = {**spoken.values, "repo": wanted(spoken, environ)[0]}
    if not values.keys().isdisjoint(FollowOptions.__annotations__):
        return None  # who waits for a cluster does not wait for typer
    if "output" in values:
        values["output"] = Format(values["output"])
    return {parameter: spoken.arguments, **grouped(verb_of(spoken.command), values)}


_LARGEST_EVENT = 4 << 20  # bytes of what GitHub tells of the job


def built_by_job(environ: Mapping[str, str]) -> tuple[str, str | None]:
    """Return what a CI job builds: a branch or `refs/tags/NAME`, and the commit where it says it.

    Raises UsageError outside of a job that says it; see `core.git.ci_build`.
    """
    build = ci_build(environ)
    return (f"refs/tags/{build.tag}" if build.tag else build.branch or ""), build.commit


def ci_build(environ: Mapping[str, str]) -> CiBuild:
    """Return what a CI job builds. Raises UsageError outside of a job that says it."""
    from gitops.core.git.ci_build import read_ci_build

    return read_ci_build(environ, _event(environ.get("GITHUB_EVENT_PATH", "")))


def _event(path: str) -> Mapping[str, Any] | None:
    """Read what GitHub tells of the job; None where there is nothing."""
    if not path:
        return None
    import json

    try:
        with open(path, "rb") as file:
            told = json.loads(file.read(_LARGEST_EVENT))
    except (OSError, ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def check_ref(ref: str) -> str:
    """Return the branch that `--ref` names. Raises UsageError for a tag or another kind of ref."""
    if ref.startswith("refs/tags/"):
        raise refused_tag(ref.removeprefix("refs/tags/"))
    if ref.startswith("refs/") and not ref.startswith("refs/heads/"):
        raise UsageError(f"--ref {ref} is no branch", hint="name one: --ref main")
    return ref


def refused_tag(tag: str) -> UsageError:
    """Return the error for a tag: no environment follows one."""
    return UsageError(
        f"{tag} is a tag, and environments follow branches",
        hint="name the branch that it was made on: --ref release/1.4",
    )
