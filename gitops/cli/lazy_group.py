"""Every command by name: the file that has it, and the sentence that `gitops --help` says of it.

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

from gitops.errors import Bug

VERBS: Mapping[str, tuple[str, str]] = {
    "init": (
        "init",
        "Write gitops.yaml for the overlays that are there, else a whole sample; never overwrites.",
    ),
    "demo": (
        "init",
        "Tell the whole story on a throw-away repository, printing each command that it runs.",
    ),
    "deploy": (
        "deploy",
        "Put images into environments: named ones (--to), or those that follow a branch (--ref).",
    ),
    "set-image": (
        "deploy",
        "Edit one local kustomization in place: no Git, no policy, only the bytes of the value.",
    ),
    "promote": (
        "promote",
        "Carry the images of an environment to the next one, name, tag and digest together.",
    ),
    "approve": (
        "approve",
        "Merge the open proposal of an environment, after asking policy again as of now.",
    ),
    "close": (
        "approve",
        "Drop the proposal of an environment, its branch and pull request; nothing is merged.",
    ),
    "qa": (
        "qa",
        "Record QA's word on one release: it counts for its whole set of images, and no other.",
    ),
    "rollback": (
        "rollback",
        "Restore an earlier release as a new commit, and hold the environment.",
    ),
    "undo": (
        "undo",
        "Take back the newest rollback: images and hold as they were before it.",
    ),
    "wait": ("wait", "Follow Argo CD until a release is live and Healthy, or is not going to be."),
    "watch": (
        "wait",
        "Watch environments, and write what becomes of their releases to the ledger.",
    ),
    "hold": (
        "hold",
        "Keep automation away from an environment, or from all (--all), until `gitops resume`.",
    ),
    "resume": (
        "hold",
        "Lift the hold of an environment, or of all (--all), so that automation may write again.",
    ),
    "history": ("read", "Show the releases of an environment, newest first."),
    "status": (
        "read",
        "Show what is where, since when, by whom, and which holds and proposals stand.",
    ),
    "diff": ("read", "Show which images differ between two environments; exit 1 when any does."),
    "schema": ("read", "Print the JSON Schema of gitops.yaml, for editors."),
    "check": (
        "check",
        "Report commits that change a protected environment without anybody's word.",
    ),
    "validate": ("validate", "Check gitops.yaml, every overlay and every hold."),
    "release": ("release", "Release branches of the source repositories."),
}
"""Command -> (its file in `commands`, its first sentence)."""

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
        """Write the list of commands from the table."""
        limit = formatter.width - 6 - max(map(len, VERBS))
        rows = [(name, one.get_short_help_str(limit)) for name, one in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def load(name: str) -> click.Command:
    """Import and build the command `name` of the table."""
    module, _ = VERBS[name]
    made = typer.Typer(rich_markup_mode=None)
    made.callback()(lambda: None)  # so that it is a group, also with one command
    import_module(f"gitops.cli.commands.{module}").register(made)
    made.registered_commands = [one for one in made.registered_commands if one.name == name]
    group = typer.main.get_group(made)
    command = group.commands.get(name)
    if command is None:
        raise Bug(f"there is no {name} in gitops.cli.commands.{module}")
    _let_values_stand(command)
    return command


def load_all(app: typer.Typer) -> click.Group:
    """Return `app` with every command in its place: for the reference pages and for tests."""
    group = cast("click.Group", typer.main.get_command(app))
    group.commands = {name: load(name) for name in VERBS}
    return group


def _let_values_stand(command: click.Command) -> None:
    """Let `--record=false` be another way to write `--no-record`."""
    parse = command.parse_args

    def parse_args(ctx: click.Context, args: list[str]) -> list[str]:
        return parse(ctx, list(_spelled(command, args)))

    command.parse_args = parse_args  # type: ignore[method-assign]


def _spelled(command: click.Command, arguments: list[str]) -> Iterator[str]:
    """Yield the arguments with on/off options as click reads them; values of others untouched."""
    options = [one for one in command.params if isinstance(one, click.Option)]
    pairs = {name: one for one in options if one.secondary_opts for name in one.opts}
    taking = {name for one in options if not one.is_flag for name in one.opts}
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=")
        wanted = _VALUES.get(value.lower()) if equals else None
        if name in pairs and wanted is not None:
            yield name if wanted else pairs[name].secondary_opts[0]
            continue
        yield word
        if word == "--":
            break
        if word in taking:
            yield from islice(rest, 1)
    yield from rest
