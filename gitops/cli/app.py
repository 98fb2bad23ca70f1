"""The root of the command line, as typer reads it.

Only typer and the error tree are imported up here; a command's file is imported when the command is
wanted (gitops/cli/lazy_group.py), and it imports its action when it runs, so that `--help` and
`set-image` load neither Git nor any network code (tests/test_startup.py). Annotations are real
objects here: typer would have to compile them.
"""

from functools import partial
from typing import Annotated, cast

import click
import typer

from gitops import interrupts
from gitops.cli.errors import guarded
from gitops.cli.lazy_group import Verbs
from gitops.errors import Interrupted, UsageError

app = typer.Typer(
    name="gitops",
    cls=Verbs,
    help="Writes image tags into Kustomize overlays in Git, and takes them back.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich costs 78 ms of start-up, and boxes help nobody at night
    pretty_exceptions_enable=False,  # its tracebacks print local variables: tokens
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,  # `gitops completion` has scripts of its own
    epilog="--repo, --branch and -o may stand before the command, too. `gitops help COMMAND` shows "
    "how a command is used.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from gitops import __version__

        typer.echo(f"gitops {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Writes image tags into Kustomize overlays in Git, and takes them back."""


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    return guarded(partial(_parse_and_run, arguments), arguments)


def root_command() -> tuple[click.Group, click.Context]:
    """Return the root of the command line, and a context to show its help in."""
    command = cast("click.Group", typer.main.get_command(app))
    return command, click.Context(command, info_name="gitops", help_option_names=["-h", "--help"])


def _parse_and_run(arguments: list[str]) -> int:
    """Run one command; what click raises becomes one of `gitops.errors`, or KeyboardInterrupt."""
    try:
        result = app(arguments, prog_name="gitops", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        typer.echo(error.format_message())
        return 0
    except click.UsageError as error:
        raise _usage(error) from None
    except click.Abort:
        raise KeyboardInterrupt from None
    code = result if isinstance(result, int) else 0
    if code == Interrupted.exit_code and not interrupts.is_taken():
        raise KeyboardInterrupt  # typer swallows Ctrl-C and returns this
    return code


def _usage(error: click.UsageError) -> UsageError:
    command = error.ctx.command_path if error.ctx is not None else "gitops"
    message, meant, words = error.format_message().partition(" Did you mean")
    if meant:  # click and typer both say it
        message += meant + words.partition(meant)[0]
    return UsageError(message, hint=f"`{command} --help` shows how it is used")
