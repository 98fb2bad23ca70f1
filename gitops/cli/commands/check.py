"""`gitops check`."""

from __future__ import annotations

from typing import Annotated

import typer

from gitops.cli.options import Format, Marks, Output, Repo
from gitops.cli.render.annotations import Annotations


def register(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command("check")(check)


def check(
    revision: Annotated[
        str | None,
        typer.Argument(
            metavar="[COMMIT|RANGE]",
            help="A commit, or a range A..B; default: what is checked out, a commit of the branch "
            "or all that it has over the branch.",
        ),
    ] = None,
    repo: Repo = ".",
    branch: Annotated[
        str | None,
        typer.Option(
            "--branch",
            help="The branch that the change is on, or goes to; default: the one that Argo CD "
            "follows, or an environment's own that is nearer.",
        ),
    ] = None,
    annotations: Marks = Annotations.none,
    output: Output = Format.text,
) -> int:
    """Report commits that change a protected environment without anybody's word.

    Protected are environments with `change: pull-request`. What builds on the same files, the
    policy, the holds and the signers count too. Exit 1 when something is reported.
    """
    from gitops.wiring import open_session

    with open_session(repo, branch) as session:
        from gitops.actions.check import check as run
        from gitops.cli.render.check import print_check

        report = run(session(), revision)
    return print_check(report, output.value, annotations)
