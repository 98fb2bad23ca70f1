"""`gitops hold` and `gitops resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from gitops.cli.options import (
    App,
    Branch,
    DryRun,
    Format,
    Output,
    PushTimeout,
    Repo,
    Verbose,
)
from gitops.cli.session import open_for_writing
from gitops.errors import UsageError

Environment = Annotated[
    str | None, typer.Argument(metavar="[ENV]", help="The environment; or all of them: --all.")
]
All = Annotated[bool, typer.Option("--all", help="Every environment: the emergency stop.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command("hold")(hold)
    app.command("resume")(resume)


def hold(
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="Why; whoever is stopped by it reads it."),
    ],
    environment: Environment = None,
    everything: All = False,
    app: App = None,
    repo: Repo = ".",
    branch: Branch = None,
    dry_run: DryRun = False,
    push_timeout: PushTimeout = "60s",
    verbose: Verbose = False,
    output: Output = Format.text,
) -> int:
    """Keep automation away from an environment, or from all (--all), until `gitops resume`."""
    _check(environment, everything=everything, app=app)
    with open_for_writing(repo, branch, push_timeout, dry_run=dry_run, verbose=verbose) as session:
        from gitops.actions.hold import hold as run
        from gitops.cli.render.text import print_write

        report = run(session(), environment, reason=reason, app=app)
    return print_write(report, output.value)


def resume(
    environment: Environment = None,
    everything: All = False,
    app: App = None,
    repo: Repo = ".",
    branch: Branch = None,
    dry_run: DryRun = False,
    push_timeout: PushTimeout = "60s",
    verbose: Verbose = False,
    output: Output = Format.text,
) -> int:
    """Lift the hold of an environment, or of all (--all), so that automation may write again."""
    _check(environment, everything=everything, app=app)
    with open_for_writing(repo, branch, push_timeout, dry_run=dry_run, verbose=verbose) as session:
        from gitops.actions.hold import resume as run
        from gitops.cli.render.text import print_write

        report = run(session(), environment, app=app)
    return print_write(report, output.value)


def _check(environment: str | None, *, everything: bool, app: str | None) -> None:
    """One environment or all: exactly one of the two must be asked for."""
    if everything and (environment is not None or app is not None):
        raise UsageError("--all holds everything: leave out the environment and --app")
    if not everything and environment is None:
        raise UsageError("say which environment, or --all for every one")
