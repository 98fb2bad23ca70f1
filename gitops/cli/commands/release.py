"""`gitops release cut` and `gitops release list`."""

from __future__ import annotations

from typing import Annotated

import typer

from gitops.cli.options import Branch, DryRun, Format, Output, Repo


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    group = typer.Typer(help="Release branches of the source repositories.", no_args_is_help=True)
    group.command("cut")(cut)
    group.command("list")(list_)
    app.add_typer(group, name="release")


def cut(
    version: Annotated[
        str,
        typer.Argument(metavar="VERSION", help="The version: 1.4, 1.10.0, 1.4.0-rc.1."),
    ],
    start: Annotated[
        str, typer.Option("--from", metavar="BRANCH", help="The branch that it is cut from.")
    ] = "main",
    commit: Annotated[
        str | None,
        typer.Option("--commit", metavar="SHA", help="A commit on it; default: its head."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source", metavar="URL|IMAGE", help="One source repository; default: all of them."
        ),
    ] = None,
    repo: Repo = ".",
    branch: Branch = None,
    dry_run: DryRun = False,
    output: Output = Format.text,
) -> int:
    """Make the branch release/VERSION in the source repositories."""
    from gitops.wiring import open_session

    with open_session(repo, branch, dry_run=dry_run) as session:
        from gitops.actions.release import CutRequest
        from gitops.actions.release import cut as run
        from gitops.cli.render.text import print_cut

        report = run(session(), CutRequest(version, start, commit, source))
    return print_cut(report, output.value)


def list_(repo: Repo = ".", branch: Branch = None, output: Output = Format.text) -> int:
    """Show each release branch with its head, and where builds of it run."""
    from gitops.wiring import open_session

    with open_session(repo, branch, start="history") as session:
        from gitops.actions.release import list_releases
        from gitops.cli.render.text import print_releases

        report = list_releases(session())
    return print_releases(report, output.value)
