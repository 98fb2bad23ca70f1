"""Commands that only look: `history`, `status`, `diff`, `schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from gitops.cli.options import App, Branch, Format, Output, Repo

Environment = Annotated[str, typer.Argument(metavar="ENV", help="The environment.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command("history")(history)
    app.command("status")(status)
    app.command("diff")(diff)
    app.command("schema")(schema)


def history(
    environment: Environment,
    app: App = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="How many releases; 0: all of them.")
    ] = 20,
    repo: Repo = ".",
    branch: Branch = None,
    output: Output = Format.text,
) -> int:
    """Show the releases of an environment, newest first."""
    from gitops.wiring import open_session

    with open_session(repo, branch, start="history") as session:
        from gitops.actions.history import history as run
        from gitops.cli.render.text import print_history

        report = run(session(), environment, app=app, limit=limit)
    return print_history(report, output.value)


def status(
    environments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ENV...]", help="The environments; default: all of them."),
    ] = None,
    app: App = None,
    repo: Repo = ".",
    branch: Branch = None,
    output: Output = Format.text,
) -> int:
    """Show what is where, since when, by whom, and which holds and proposals stand."""
    from gitops.wiring import open_session

    with open_session(repo, branch, start="history") as session:
        from gitops.actions.status import status as run
        from gitops.cli.render.text import print_status

        report = run(session(), environments or (), app=app)
    return print_status(report, output.value)


def diff(
    environment: Environment,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The environment to compare with.")],
    app: App = None,
    repo: Repo = ".",
    branch: Branch = None,
    output: Output = Format.text,
) -> int:
    """Show which images differ between two environments; exit 1 when any does."""
    from gitops.wiring import open_session

    with open_session(repo, branch) as session:
        from gitops.actions.status import diff as run
        from gitops.cli.render.text import print_diff

        report = run(session(), environment, other, app=app)
    return print_diff(report, output.value)


def schema() -> None:
    """Print the JSON Schema of gitops.yaml, for editors."""
    import json

    from gitops.config import config_schema

    typer.echo(json.dumps(config_schema(), indent=2))
