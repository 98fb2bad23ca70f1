"""`gitops promote`."""

from typing import Annotated

from gitops.cli.options import (
    Apps,
    Argument,
    FollowOptions,
    GoBack,
    Option,
    OptionGroup,
    Override,
    Reason,
    RepositoryOptions,
    WriteOptions,
)
from gitops.cli.session import finish, open_for_writing, server_writes, session_of, wait_options
from gitops.errors import UsageError


class PromoteOptions(OptionGroup):
    """From where to where images are carried, and on whose word."""

    to: Annotated[
        tuple[str, ...],
        Option(
            "--to",
            metavar="ENV",
            help="The environment that gets them, a group, or APP/ENV; may be given several times.",
            values="environment",
        ),
    ] = ()
    source: Annotated[
        str | None,
        Option(
            "--from",
            metavar="ENV",
            help="The environment that has them; default: the last one of its `after`.",
            values="environment",
        ),
    ] = None
    ref: Annotated[
        str | None,
        Option(
            "--ref",
            metavar="BRANCH",
            help="The source branch that they are expected to come from.",
            values="branch",
        ),
    ] = None
    eligible: Annotated[
        bool,
        Option(
            "--eligible",
            help="Whatever policy allows right now, into all environments with `deploy: auto`.",
        ),
    ] = False
    override: Override = None
    reason: Reason = None
    refresh: Annotated[
        bool,
        Option("--refresh", help="Make a waiting proposal anew; this drops its approvals."),
    ] = False
    rollback: GoBack = False
    app: Apps = ()


def promote(
    options: PromoteOptions,
    follow: FollowOptions,
    where: RepositoryOptions,
    write: WriteOptions,
    names: Annotated[
        tuple[str, ...],
        Argument("[NAME...]", "The images to carry; default: all of them.", "image"),
    ] = (),
) -> int:
    """Carry the images of an environment to the next one, name, tag and digest together."""
    if options.eligible and (
        names or options != PromoteOptions(eligible=True, rollback=options.rollback)
    ):
        raise UsageError("--eligible asks policy for everything: leave out names and other options")
    if not options.eligible and not options.to:
        raise UsageError(
            "say where to: --to ENVIRONMENT, or --eligible for whatever policy allows",
            hint="gitops promote --to prod",
        )
    if server_writes():
        from gitops.cli.remote import body_of, send

        if options.eligible:
            raise UsageError("--eligible runs where the repository is: unset GITOPS_SERVER for it")
        body = body_of(options, names=names)
        return send("promote", body.pop("to"), body, where, write, follow=follow)
    with open_for_writing(where, write, start="history") as session:
        from gitops.actions.promote import PromoteRequest, promote_eligible
        from gitops.actions.promote import promote as run

        waits = wait_options(follow, go_back=options.rollback)
        opened = session_of(session, waits)
        if not options.to:
            report = promote_eligible(opened)
        else:
            request = PromoteRequest(
                to=options.to,
                names=names,
                source=options.source,
                ref=options.ref,
                override=options.override,
                reason=options.reason,
                apps=options.app,
                refresh=options.refresh,
            )
            report = run(opened, request)
        return finish(opened, report, waits, where.output, audit=write.audit)


COMMANDS = {"promote": promote}
