"""The root of the command line: turns errors into words and exit codes.

Only typer and the error tree are imported up here; a command's file is imported when the command is
wanted (gitops/cli/verbs.py), and it imports its action when it runs, so that `--help` and
`set-image` load neither Git nor any network code (tests/test_startup.py).
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import pairwise
from typing import Annotated, NoReturn

import click
import typer

from gitops.cli.verbs import Verbs
from gitops.errors import Bug, GitopsError, Interrupted, UsageError

app = typer.Typer(
    name="gitops",
    cls=Verbs,
    help="Writes image tags into Kustomize overlays in Git, and takes them back.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich costs 78 ms of start-up, and boxes help nobody at night
    pretty_exceptions_enable=False,  # its tracebacks print local variables: tokens
    context_settings={"help_option_names": ["-h", "--help"]},
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


def main() -> NoReturn:
    """Run the command line and exit with the code of design section 4."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every error is one of `gitops.errors`."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        result = app(arguments, prog_name="gitops", standalone_mode=False)
        sys.stdout.flush()
        code = result if isinstance(result, int) else 0
        if code == Interrupted.exit_code:  # typer swallows Ctrl-C and returns this
            raise KeyboardInterrupt
        return code
    except GitopsError as error:
        return _show(error, arguments)
    except click.exceptions.NoArgsIsHelpError as error:
        typer.echo(error.format_message())
        return 0
    except click.UsageError as error:
        return _show(_usage(error), arguments)
    except (KeyboardInterrupt, click.Abort):
        return _show(Interrupted("interrupted"), arguments)
    except BrokenPipeError:
        # Whoever read us went away (`gitops history | head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the one door where a bug becomes words
        return _show(_bug(error), arguments)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _usage(error: click.UsageError) -> UsageError:
    command = error.ctx.command_path if error.ctx is not None else "gitops"
    return UsageError(error.format_message(), hint=f"`{command} --help` shows how it is used")


def _bug(error: Exception) -> Bug:
    """Keep the traceback out of the terminal; it may hold what nobody should paste."""
    import tempfile
    import traceback

    handle, path = tempfile.mkstemp(prefix="gitops-bug-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
    return Bug(
        f"this is a bug in gitops: {type(error).__name__}",
        hint=f"the details are in {path}; read it before you send it to anybody",
    )


def _show(error: GitopsError, arguments: list[str]) -> int:
    from gitops.cli.output import print_error

    print_error(error, as_json=_wants_json(arguments))
    return error.exit_code


def _wants_json(arguments: list[str]) -> bool:
    """Say whether `-o json` stands in the arguments, also when they do not parse."""
    pairs = pairwise(arguments)
    joined = any(word in ("-ojson", "--output=json", "-o=json") for word in arguments)
    return joined or any(pair in (("-o", "json"), ("--output", "json")) for pair in pairs)
