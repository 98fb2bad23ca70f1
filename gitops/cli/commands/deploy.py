"""`gitops deploy` and `gitops set-image`."""

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

Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE...",
        help="NAME:TAG, NAME@DIGEST, NAME:TAG@DIGEST, NAME=NEWNAME[:TAG][@DIGEST] or NAME=*:TAG.",
    ),
]
Add = Annotated[bool, typer.Option("--add", help="Make entries that are not in the list yet.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command("deploy")(deploy)
    app.command("set-image")(set_image)


def deploy(
    images: Images,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="ENV", help="An environment; may be given several times."),
    ] = None,
    ref: Annotated[
        str | None,
        typer.Option(
            "--ref",
            metavar="BRANCH",
            help="The source branch: policy decides which environments follow it; auto: the one "
            "that this CI job builds.",
        ),
    ] = None,
    commit: Annotated[
        str | None,
        typer.Option("--commit", metavar="SHA", help="The source commit of the images."),
    ] = None,
    override: Annotated[
        str | None,
        typer.Option("--override", metavar="REASON", help="Pass policy; the reason is recorded."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; goes into the commit.")
    ] = None,
    add: Add = False,
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
    """Put images into environments: named ones (--to), or those that follow a branch (--ref)."""
    from gitops.cli.run_deploy import run_deploy

    return run_deploy(
        images=images,
        to=to or (),
        ref=ref,
        commit=commit,
        override=override,
        reason=reason,
        add=add,
        wait=wait,
        soak=soak,
        timeout=timeout,
        record=record,
        app=app,
        repo=repo,
        branch=branch,
        dry_run=dry_run,
        push_timeout=push_timeout,
        verbose=verbose,
        output=output.value,
    )


def set_image(
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="The folder with the kustomization file.")
    ],
    images: Images,
    add: Add = False,
    dry_run: DryRun = False,
    output: Output = Format.text,
) -> int:
    """Edit one local kustomization in place: no Git, no policy, only the bytes of the value."""
    from gitops.cli.render.text import print_write
    from gitops.wiring import set_image as run

    return print_write(run(directory, images, add=add, dry_run=dry_run), output.value)
