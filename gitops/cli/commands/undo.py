"""`gitops undo`."""

from typing import Annotated

from gitops.cli.options import (
    Apps,
    Environments,
    FollowOptions,
    Option,
    OptionGroup,
    Reason,
    RepositoryOptions,
    WriteOptions,
    Yes,
    may_ask,
)
from gitops.cli.session import finish, open_for_writing, server_writes, session_of, wait_options


class UndoOptions(OptionGroup):
    """Which rollback is taken back."""

    rollback: Annotated[
        str | None,
        Option(
            "--rollback",
            metavar="COMMIT",
            help="The rollback that is meant: nothing happens when it was undone already; "
            "default: the newest.",
            values="release",
        ),
    ] = None
    reason: Reason = None
    yes: Yes = False
    app: Apps = ()


def undo(
    environments: Environments,
    options: UndoOptions,
    follow: FollowOptions,
    where: RepositoryOptions,
    write: WriteOptions,
) -> int:
    """Take back the newest rollback: images and hold as they were before it.

    Of several environments and apps: what one call of `gitops rollback` did there.
    """
    ask = may_ask(where.output, options.yes, write.dry_run)
    if server_writes():
        from gitops.cli.remote import body_of, send

        question = f"Undo the newest rollback of {' '.join(environments)}?" if ask else None
        body = body_of(options, rollback=options.rollback)
        return send("undo", environments, body, where, write, follow=follow, question=question)
    with open_for_writing(where, write, start="history") as session:
        from gitops.actions.context.named import Named
        from gitops.actions.undo import UndoRequest
        from gitops.actions.undo import undo as run
        from gitops.cli.render.text import confirm_undo

        waits = wait_options(follow)
        request = UndoRequest(
            named=Named(environments, options.app),
            rollback=options.rollback,
            reason=options.reason,
        )
        opened = session_of(session, waits)
        report = run(opened, request, confirm=confirm_undo if ask else None)
        return finish(opened, report, waits, where.output, audit=write.audit)


COMMANDS = {"undo": undo}
