"""`gitops promote`."""

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
    Record,
    Repo,
    Soak,
    Timeout,
    Verbose,
    Wait,
)
from gitops.cli.session import open_for_writing
from gitops.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command("promote")(promote)


def promote(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="The images to carry; default: all of them."),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="ENV", help="The environment that gets them.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="ENV",
            help="The environment that has them; default: the last one of its `after`.",
        ),
    ] = None,
    ref: Annotated[
        str | None,
        typer.Option(
            "--ref", metavar="BRANCH", help="The source branch that they are expected to come from."
        ),
    ] = None,
    eligible: Annotated[
        bool,
        typer.Option(
            "--eligible",
            help="Whatever policy allows right now, into all environments with `deploy: auto`.",
        ),
    ] = False,
    override: Annotated[
        str | None,
        typer.Option("--override", metavar="REASON", help="Pass policy; the reason is recorded."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; goes into the commit.")
    ] = None,
    refresh: Annotated[
        bool,
        typer.Option("--refresh", help="Make a waiting proposal anew; this drops its approvals."),
    ] = False,
    wait: Wait = False,
    soak: Soak = None,
    timeout: Timeout = None,
    record: Record = True,
    app: App = None,
    repo: Repo = ".",
    branch: Branch = None,
    dry_run: DryRun = False,
    push_timeout: PushTimeout = "60s",
    verbose: Verbose = False,
    output: Output = Format.text,
) -> int:
    """Carry the images of an environment to the next one, name, tag and digest together."""
    if eligible and any((names, to, source, ref, override, reason, refresh, app)):
        raise UsageError("--eligible asks policy for everything: leave out names and other options")
    if not eligible and to is None:
        raise UsageError(
            "say where to: --to ENVIRONMENT, or --eligible for whatever policy allows",
            hint="gitops promote --to prod",
        )
    with open_for_writing(
        repo, branch, push_timeout, dry_run=dry_run, verbose=verbose, start="history"
    ) as session:
        from gitops.actions.promote import PromoteRequest, promote_eligible
        from gitops.actions.promote import promote as run
        from gitops.cli.followup import finish, wait_options

        options = wait_options(wait, soak, timeout, record)
        opened = session()
        if to is None:
            report = promote_eligible(opened)
        else:
            request = PromoteRequest(
                to=to,
                names=tuple(names or ()),
                source=source,
                ref=ref,
                override=override,
                reason=reason,
                app=app,
                refresh=refresh,
            )
            report = run(opened, request)
        return finish(opened, report, options, output.value)
