"""`gitops hold` and `gitops resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from gitops.cli.options import App, Branch, DryRun, Format, Output, PushTimeout, Repo, seconds

Environment = Annotated[str, typer.Argument(metavar="ENV", help="The environment.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command("hold")(hold)
    app.command("resume")(resume)


def hold(
    environment: Environment,
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="Why; whoever is stopped by it reads it."),
    ],
    app: App = None,
    repo: Repo = ".",
    branch: Branch = None,
    dry_run: DryRun = False,
    push_timeout: PushTimeout = "60s",
    output: Output = Format.text,
) -> int:
    """Keep automation away from an environment until `gitops resume`."""
    from gitops.wiring import open_session

    with open_session(
        repo, branch, dry_run=dry_run, budget=seconds(push_timeout), writes=True
    ) as session:
        from gitops.actions.holds import hold as run
        from gitops.cli.output import print_write

        report = run(session(), environment, reason=reason, app=app)
    return print_write(report, output.value)


def resume(
    environment: Environment,
    app: App = None,
    repo: Repo = ".",
    branch: Branch = None,
    dry_run: DryRun = False,
    push_timeout: PushTimeout = "60s",
    output: Output = Format.text,
) -> int:
    """Lift the hold of an environment, so that automation may write it again."""
    from gitops.wiring import open_session

    with open_session(
        repo, branch, dry_run=dry_run, budget=seconds(push_timeout), writes=True
    ) as session:
        from gitops.actions.holds import resume as run
        from gitops.cli.output import print_write

        report = run(session(), environment, app=app)
    return print_write(report, output.value)
