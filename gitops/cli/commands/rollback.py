"""`gitops rollback`."""

from typing import Annotated

from gitops.cli.options import (
    Apps,
    Argument,
    FollowOptions,
    Option,
    OptionGroup,
    RepositoryOptions,
    WriteOptions,
    Yes,
    may_ask,
)
from gitops.cli.session import finish, open_for_writing, server_writes, session_of, wait_options
from gitops.errors import UsageError


class RollbackOptions(OptionGroup):
    """What is restored, and what goes with it."""

    to: Annotated[
        str | None,
        Option(
            "--to",
            metavar="RELEASE",
            help="A commit of its history, a tag, or `previous`; default: the last stable release.",
            values="release",
        ),
    ] = None
    bad: Annotated[
        str | None,
        Option(
            "--bad",
            metavar="RELEASE",
            help="The release to take back, a commit or a tag: one that was taken back already is "
            "left alone, and so is anything newer.",
            values="release",
        ),
    ] = None
    image: Annotated[
        tuple[str, ...],
        Option(
            "--image",
            metavar="NAME",
            help="Only this image; may be given several times.",
            values="image",
        ),
    ] = ()
    reason: Annotated[
        str | None,
        Option("--reason", metavar="TEXT", help="Why; stands in the commit and the hold."),
    ] = None
    yes: Yes = False
    hold: Annotated[
        bool,
        Option("--hold/--no-hold", help="Hold the environment, so that automation stays away."),
    ] = True
    override: Annotated[
        str | None,
        Option("--override", metavar="REASON", help="Take a release that the rule leaves out."),
    ] = None
    abort: Annotated[
        bool,
        Option(
            "--abort/--no-abort",
            help="Stop a Rollout that is in the middle of what is taken back, before the commit.",
        ),
    ] = True
    schema_risk: Annotated[
        bool,
        Option(
            "--accept-schema-risk",
            help="Go back across a release that changed the database's schema so that older ones "
            "may not run on it.",
        ),
    ] = False
    app: Apps = ()


def rollback(
    options: RollbackOptions,
    follow: FollowOptions,
    where: RepositoryOptions,
    write: WriteOptions,
    environments: Annotated[
        tuple[str, ...],
        Argument(
            "[ENV...]",
            "Environments or groups, APP/ENV for one app of it; without any a terminal shows what "
            "is new in each, and asks.",
            "environment",
        ),
    ] = (),
) -> int:
    """Restore an earlier release as a new commit, and hold the environment.

    Of several environments and apps all go back in one commit, or none does.
    """
    ask = may_ask(where.output, options.yes, write.dry_run)
    if server_writes():
        from gitops.cli.remote import body_of, send

        question = f"Roll back {' '.join(environments)}?" if ask else None
        body = body_of(options)
        return send("rollback", environments, body, where, write, follow=follow, question=question)
    with open_for_writing(where, write, start="history") as session:
        from gitops.actions.context.named import Named
        from gitops.actions.rollback import RollbackRequest
        from gitops.actions.rollback import rollback as run
        from gitops.cli.render.text import confirm_rollback

        waits = wait_options(follow)
        opened = session_of(session, waits)
        named = Named(environments, options.app)
        if not environments:
            if not may_ask(where.output):
                raise UsageError(
                    "say which environment", hint="`gitops status` shows what is where"
                )
            from gitops.actions.history import newest_changes
            from gitops.cli.render.rollback import ask_which

            named = Named((ask_which(newest_changes(opened)),))
        request = RollbackRequest(
            named=named,
            to=options.to,
            bad=options.bad,
            images=options.image,
            reason=options.reason,
            hold=options.hold,
            override=options.override,
            abort=options.abort,
            schema_risk=options.schema_risk,
        )
        report = run(opened, request, confirm=confirm_rollback if ask else None)
        return finish(opened, report, waits, where.output, audit=write.audit)


COMMANDS = {"rollback": rollback}
