"""`gitops qa`."""

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
from gitops.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command("qa")(qa)


def qa(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="The environment.")],
    passed: Annotated[bool, typer.Option("--pass", help="The release passed.")] = False,
    failed: Annotated[bool, typer.Option("--fail", help="The release failed.")] = False,
    release: Annotated[
        str | None,
        typer.Option(
            "--release",
            metavar="COMMIT",
            help="The release that was tested; left out: a terminal shows the newest and asks.",
        ),
    ] = None,
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="What QA says with it.")
    ] = None,
    app: App = None,
    repo: Repo = ".",
    branch: Branch = None,
    dry_run: DryRun = False,
    push_timeout: PushTimeout = "60s",
    verbose: Verbose = False,
    output: Output = Format.text,
) -> int:
    """Record QA's word on one release: it counts for its whole set of images, and no other."""
    if passed == failed:
        raise UsageError("say either --pass or --fail", hint="`gitops qa --help` shows how")
    with open_for_writing(
        repo, branch, push_timeout, dry_run=dry_run, verbose=verbose, start="history"
    ) as session:
        from gitops.actions.qa import QaRequest
        from gitops.actions.qa import qa as run
        from gitops.cli.render.text import confirm_qa, print_write

        ask = may_ask(output)
        request = QaRequest(
            environment=environment,
            verdict="qa-passed" if passed else "qa-failed",
            release=release,
            note=note,
            app=app,
        )
        report = run(session(), request, confirm=confirm_qa if ask else None)
    return print_write(report, output.value)
