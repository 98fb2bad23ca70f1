"""`gitops approve` and `gitops close`."""

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
    may_ask,
)
from gitops.cli.session import open_for_writing

Environment = Annotated[str, typer.Argument(metavar="ENV", help="The environment.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command("approve")(approve)
    app.command("close")(close)


def approve(
    environment: Environment,
    head: Annotated[
        str | None,
        typer.Option(
            "--head",
            metavar="COMMIT",
            help="The proposal's head that you looked at; another one is refused.",
        ),
    ] = None,
    override: Annotated[
        str | None,
        typer.Option("--override", metavar="REASON", help="Pass policy; the reason is recorded."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    app: App = None,
    repo: Repo = ".",
    branch: Branch = None,
    dry_run: DryRun = False,
    push_timeout: PushTimeout = "60s",
    verbose: Verbose = False,
    output: Output = Format.text,
) -> int:
    """Merge the open proposal of an environment, after asking policy again as of now.

    With a forge: its pull request, by the forge's own rules, and exactly the head that was shown.
    """
    with open_for_writing(
        repo, branch, push_timeout, dry_run=dry_run, verbose=verbose, start="history"
    ) as session:
        from gitops.actions.approve import ApproveRequest
        from gitops.actions.approve import approve as run
        from gitops.cli.render.text import confirm_approval, print_write

        ask = not yes and not dry_run and may_ask(output)
        request = ApproveRequest(environment, app=app, head=head, override=override)
        report = run(session(), request, confirm=confirm_approval if ask else None)
    return print_write(report, output.value)


def close(
    environment: Environment,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason", metavar="TEXT", help="Why; stands in the report and on the pull request."
        ),
    ] = None,
    app: App = None,
    repo: Repo = ".",
    branch: Branch = None,
    dry_run: DryRun = False,
    push_timeout: PushTimeout = "60s",
    verbose: Verbose = False,
    output: Output = Format.text,
) -> int:
    """Drop the proposal of an environment, its branch and pull request; nothing is merged."""
    with open_for_writing(
        repo, branch, push_timeout, dry_run=dry_run, verbose=verbose, start="history"
    ) as session:
        from gitops.actions.close import close as run
        from gitops.cli.render.text import print_write

        report = run(session(), environment, app=app, reason=reason)
    return print_write(report, output.value)
