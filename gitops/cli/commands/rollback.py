"""`gitops rollback`."""

from typing import Annotated

from gitops.cli.options import (
    App,
    Environment,
    FollowOptions,
    Option,
    OptionGroup,
    RepositoryOptions,
    WriteOptions,
    Yes,
    may_ask,
)
from gitops.cli.session import finish, open_for_writing, session_of, wait_options


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
    app: App = None


def rollback(
    environment: Environment,
    options: RollbackOptions,
    follow: FollowOptions,
    where: RepositoryOptions,
    write: WriteOptions,
) -> int:
    """Restore an earlier release as a new commit, and hold the environment."""
    with open_for_writing(where, write, start="history") as session:
        from gitops.actions.rollback import RollbackRequest
        from gitops.actions.rollback import rollback as run
        from gitops.cli.render.text import confirm_rollback

        waits = wait_options(follow)
        ask = not options.yes and not write.dry_run and may_ask(where.output)
        request = RollbackRequest(
            environment=environment,
            to=options.to,
            bad=options.bad,
            images=options.image,
            reason=options.reason,
            hold=options.hold,
            override=options.override,
            app=options.app,
            abort=options.abort,
        )
        opened = session_of(session, waits)
        report = run(opened, request, confirm=confirm_rollback if ask else None)
        return finish(opened, report, waits, where.output, audit=write.audit)


COMMANDS = {"rollback": rollback}
