"""`gitops rollback`."""

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
    may_ask,
)
from gitops.cli.session import open_for_writing


def register(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command("rollback")(rollback)


def rollback(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="The environment.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="RELEASE",
            help="A commit of its history, a tag, or `previous`; default: the last stable release.",
        ),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(
            "--image", metavar="NAME", help="Only this image; may be given several times."
        ),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Why; stands in the commit and the hold."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    hold: Annotated[
        bool,
        typer.Option(
            "--hold/--no-hold", help="Hold the environment, so that automation stays away."
        ),
    ] = True,
    override: Annotated[
        str | None,
        typer.Option(
            "--override", metavar="REASON", help="Take a release that the rule leaves out."
        ),
    ] = None,
    abort: Annotated[
        bool,
        typer.Option(
            "--abort/--no-abort",
            help="Stop a Rollout that is in the middle of what is taken back, before the commit.",
        ),
    ] = True,
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
    """Restore an earlier release as a new commit, and hold the environment."""
    with open_for_writing(
        repo, branch, push_timeout, dry_run=dry_run, verbose=verbose, start="history"
    ) as session:
        from gitops.actions.rollback import RollbackRequest
        from gitops.actions.rollback import rollback as run
        from gitops.cli.followup import finish, wait_options
        from gitops.cli.render.text import confirm_rollback

        options = wait_options(wait, soak, timeout, record)
        ask = not yes and not dry_run and may_ask(output)
        request = RollbackRequest(
            environment=environment,
            to=to,
            images=tuple(image or ()),
            reason=reason,
            hold=hold,
            override=override,
            app=app,
            abort=abort,
        )
        opened = session()
        report = run(opened, request, confirm=confirm_rollback if ask else None)
        return finish(opened, report, options, output.value)
