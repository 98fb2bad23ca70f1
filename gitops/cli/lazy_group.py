"""The commands of `gitops`, each loaded when it is wanted.

A file is imported when its command runs or is asked for its own help. Importing and building all of
them takes longer than planning a deploy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import islice
from typing import Any, cast

import click
import typer
from typer.core import TyperGroup

from gitops.cli.catalogue import EXAMPLES, SECTIONS, VERBS
from gitops.errors import Bug

_EXAMPLES = 3
_VALUES = {"true": True, "yes": True, "on": True, "1": True}
_VALUES |= {"false": False, "no": False, "off": False, "0": False}


class Verbs(TyperGroup):
    """The commands of `gitops`, each loaded when it is wanted."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: click.Command(name, help=line) for name, (_, line) in VERBS.items()}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the real command, None when there is none of this name."""
        return load(cmd_name) if cmd_name in VERBS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands section by section, each with a few examples."""
        width = max(map(len, VERBS))
        for section, names in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name.ljust(width), VERBS[name][1]) for name in names])
                formatter.write_paragraph()
                for name in [one for one in names if one in EXAMPLES][:_EXAMPLES]:
                    formatter.write(f"{' ' * formatter.current_indent}{EXAMPLES[name][0]}\n")


def load(name: str) -> click.Command:
    """Import and build the command `name` of the table."""
    from gitops.cli.options import flat

    module, line = VERBS[name]
    commands = import_module(f"gitops.cli.commands.{module}").COMMANDS
    made = typer.Typer(rich_markup_mode=None)
    made.callback()(lambda: None)  # so that it is a group, also with one command
    inner = typer.Typer(help=line, no_args_is_help=True)
    for words, verb in commands.items():
        first, _, second = words.partition(" ")
        if first == name:
            (inner if second else made).command(second or first)(flat(verb))
    if inner.registered_commands:
        made.add_typer(inner, name=name)
    command = typer.main.get_group(made).commands.get(name)
    if command is None:
        raise Bug(f"there is no {name} in gitops.cli.commands.{module}")
    _finish(name, command)
    return command


def _finish(words: str, command: click.Command) -> None:
    """Add to a command, and to those of a group, what typer does not have."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            _finish(f"{words} {name}", one)
        return
    _check_words(command)
    lines = "\n".join(f"  {line}" for line in EXAMPLES.get(words, ()))
    command.epilog = f"\b\nExamples:\n{lines}" if lines else None


def load_all(app: typer.Typer) -> click.Group:
    """Return `app` with every command in its place: for the reference pages and for tests."""
    group = cast("click.Group", typer.main.get_command(app))
    group.commands = {name: load(name) for name in VERBS}
    return group


def _check_words(command: click.Command) -> None:
    """Let `--record=false` be `--no-record`, and refuse a value that is given twice."""
    parse = command.parse_args

    def parse_args(ctx: click.Context, args: list[str]) -> list[str]:
        return parse(ctx, list(_spelled(command, ctx, args)))

    command.parse_args = parse_args  # type: ignore[method-assign]


def _spelled(command: click.Command, ctx: click.Context, arguments: list[str]) -> Iterator[str]:
    """Yield the arguments with on/off options as click reads them; values of others untouched.

    Raises click.UsageError for an option of one value that is given twice.
    """
    options = [one for one in command.params if isinstance(one, click.Option)]
    named = {name: one for one in options for name in one.opts}
    seen: set[str] = set()
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=")
        option = named.get(name)
        wanted = _VALUES.get(value.lower()) if equals else None
        if option is not None and option.secondary_opts and wanted is not None:
            yield name if wanted else option.secondary_opts[0]
            continue
        yield word
        if word == "--":
            break
        used, is_next = _value_of(word, named)
        if used is None:
            continue
        if used.name in seen and not used.multiple:
            raise click.UsageError(f"{used.opts[-1]} takes one value, and has two here", ctx)
        seen.add(used.name or "")
        if is_next:
            yield from islice(rest, 1)
    yield from rest


def _value_of(word: str, named: Mapping[str, click.Option]) -> tuple[click.Option | None, bool]:
    """Return the option of a word that takes a value, and whether the next word is the value."""
    if word.startswith("--"):
        name, equals, _ = word.partition("=")
        option = named.get(name)
        return (None, False) if option is None or option.is_flag else (option, not equals)
    letters = word[1:] if word.startswith("-") else ""
    for place, letter in enumerate(letters, 1):
        option = named.get(f"-{letter}")
        if option is None:
            break
        if not option.is_flag:
            return option, place == len(letters)
    return None, False
