"""`gitops validate`: the repository as it is, a change beside a branch, rules of the forge."""

from __future__ import annotations

from typing import Annotated

import typer

from gitops.cli.options import Branch, DryRun, Format, Marks, Output, Repo
from gitops.cli.render.annotations import Annotations
from gitops.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command("validate")(validate)


def validate(
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="BASE",
            help="Also say what the checked-out commit changes beside BASE (a branch or a commit): "
            "images, files, policy, and the manifests that are built.",
        ),
    ] = None,
    comment: Annotated[
        str | None,
        typer.Option(
            "--comment", metavar="FILE", help="With --against: write it as Markdown, too."
        ),
    ] = None,
    require_isolation: Annotated[
        bool,
        typer.Option(
            "--require-isolation",
            help="With --against: build nothing where a build could see this machine or a network.",
        ),
    ] = False,
    forge: Annotated[
        bool,
        typer.Option(
            "--forge", help="Compare `branches:` with the rules that the forge keeps for branches."
        ),
    ] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="With --forge: set what is missing there, where it can.")
    ] = False,
    annotations: Marks = Annotations.none,
    repo: Repo = ".",
    branch: Branch = None,
    dry_run: DryRun = False,
    output: Output = Format.text,
) -> int:
    """Check gitops.yaml, every overlay and every hold.

    A checkout is checked as it stands, uncommitted edits included; --branch, a URL or a bare
    repository: the newest tip.
    """
    if comment is not None and against is None:
        raise UsageError("--comment tells what changes: say beside what, with --against BASE")
    if require_isolation and against is None:
        raise UsageError("--require-isolation is about what --against builds")
    if (fix or dry_run) and not forge:
        raise UsageError("--fix and --dry-run go with --forge")
    if forge and against is not None:
        raise UsageError("--forge and --against are two questions: ask one after the other")
    from gitops.cli.render.validate import (
        print_comparison,
        print_problems,
        print_protection,
        write_comment,
    )

    if against is not None:
        from gitops.wiring import open_renderer, open_session

        with open_session(repo, branch) as session:
            from gitops.actions.validate_against import compare

            renderer = open_renderer(require_isolation=require_isolation)
            report, comparison = compare(session(), against, renderer)
        if comment is not None:
            write_comment(comment, report, comparison)
        return print_comparison(report, comparison, output.value, annotations)
    if forge:
        from gitops.wiring import forge_of_source, open_session

        with open_session(repo, branch, dry_run=dry_run) as session:
            from gitops.actions.context.session import open_tip
            from gitops.actions.validate_forge import check_protection

            opened = session()
            config = open_tip(opened).config
            found = check_protection(opened, config, forge_of_source(repo), fix=fix)
        return print_protection(found, output.value, annotations)
    from gitops.wiring import validate as run

    return print_problems(run(repo, branch), output.value, annotations)
