"""`gitops deploy` and `gitops set-image`."""

import os
from typing import TYPE_CHECKING, Annotated

from gitops.cli.options import (
    Apps,
    Argument,
    DryRun,
    FollowOptions,
    Format,
    GoBack,
    Option,
    OptionGroup,
    Output,
    Override,
    Reason,
    RepositoryOptions,
    WriteOptions,
)
from gitops.cli.session import (
    finish,
    open_for_writing,
    server_writes,
    session_of,
    tell_job,
    wait_options,
)

if TYPE_CHECKING:
    from gitops.ports.repository import Start

Images = Annotated[
    tuple[str, ...],
    Argument(
        "IMAGE...",
        "NAME:TAG, NAME@DIGEST, NAME:TAG@DIGEST, NAME=NEWNAME[:TAG][@DIGEST] or NAME=*:TAG.",
        "pin",
    ),
]
Add = Annotated[bool, Option("--add", help="Make entries that are not in the list yet.")]


class DeployOptions(OptionGroup):
    """Where images go, and on whose word."""

    to: Annotated[
        tuple[str, ...],
        Option(
            "--to",
            metavar="ENV",
            help="An environment, a group, or APP/ENV; may be given several times.",
            values="environment",
        ),
    ] = ()
    ref: Annotated[
        str | None,
        Option(
            "--ref",
            metavar="BRANCH",
            help="The source branch: policy decides which environments follow it; auto: the one "
            "that this CI job builds, and its commit.",
            values="branch",
        ),
    ] = None
    commit: Annotated[
        str | None,
        Option("--commit", metavar="SHA", help="The source commit of the images."),
    ] = None
    schema: Annotated[
        str | None,
        Option(
            "--schema",
            metavar="WORD",
            help="What the images do to the database's schema: none, compatible (the release "
            "before runs on it, too) or breaking; kept, so that a rollback across it asks.",
        ),
    ] = None
    override: Override = None
    reason: Reason = None
    add: Add = False
    rollback: GoBack = False
    app: Apps = ()


def deploy(
    images: Images,
    options: DeployOptions,
    follow: FollowOptions,
    where: RepositoryOptions,
    write: WriteOptions,
) -> int:
    """Put images into environments: named ones (--to), or those that follow a branch (--ref)."""
    tell_job(write)
    ref, commit = options.ref, options.commit
    if ref is not None:
        from gitops.cli.fast_path import built_by_job, check_ref

        if ref == "auto":
            ref, built = built_by_job(os.environ)
            commit = commit or built
        ref = check_ref(ref)
    if server_writes():
        from gitops.cli.remote import body_of, send

        body = body_of(options, images=images, ref=ref, commit=commit)
        return send("deploy", (), body, where, write, follow=follow)
    start: Start = "tip" if write.dry_run or options.override is not None else "remembered"
    with open_for_writing(where, write, combines=True, start=start) as session:
        from gitops.actions.deploy import DeployRequest
        from gitops.actions.deploy import deploy as run

        waits = wait_options(follow, go_back=options.rollback)
        request = DeployRequest(
            images=images,
            to=options.to,
            ref=ref,
            commit=commit,
            schema=options.schema,
            apps=options.app,
            override=options.override,
            reason=options.reason,
            add=options.add,
        )
        opened = session_of(session, waits)
        return finish(opened, run(opened, request), waits, where.output, audit=write.audit)


def set_image(
    directory: Annotated[str, Argument("DIR", "The folder with the kustomization file.", "folder")],
    images: Images,
    add: Add = False,
    dry_run: DryRun = False,
    output: Output = Format.text,
) -> int:
    """Edit one local kustomization in place: no Git, no policy, only the bytes of the value."""
    from gitops.cli.render.text import print_write
    from gitops.wiring.folders import set_image as run

    return print_write(run(directory, list(images), add=add, dry_run=dry_run), output)


COMMANDS = {"deploy": deploy, "set-image": set_image}
