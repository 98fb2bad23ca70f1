"""`gitops approve` and `gitops close`."""

from typing import Annotated

from gitops.cli.options import (
    Apps,
    Environments,
    Option,
    OptionGroup,
    Override,
    RepositoryOptions,
    WriteOptions,
    Yes,
    may_ask,
)
from gitops.cli.session import finish, open_for_writing, server_writes


class ApproveOptions(OptionGroup):
    """What is approved, and against what."""

    head: Annotated[
        str | None,
        Option(
            "--head",
            metavar="COMMIT",
            help="The proposal's head that you looked at; another one is refused.",
        ),
    ] = None
    override: Override = None
    update: Annotated[
        bool,
        Option(
            "--update",
            help="Bring it up to date first: merge into it what its base has got since.",
        ),
    ] = False
    yes: Yes = False
    app: Apps = ()


def approve(
    environments: Environments,
    options: ApproveOptions,
    where: RepositoryOptions,
    write: WriteOptions,
) -> int:
    """Merge the open proposal of an environment, after asking policy again as of now.

    Of several environments and apps all that wait: one question, one commit without a forge.
    With a forge: its pull request, by the forge's own rules, and exactly the head that was shown.
    """
    ask = may_ask(where.output, options.yes, write.dry_run)
    if server_writes():
        from gitops.cli.remote import body_of, send

        question = f"Approve the proposal of {' '.join(environments)}?" if ask else None
        return send("approve", environments, body_of(options), where, write, question=question)
    with open_for_writing(where, write, start="history") as session:
        from gitops.actions.approve import ApproveRequest
        from gitops.actions.approve import approve as run
        from gitops.actions.context.named import Named
        from gitops.cli.render.text import confirm_approval

        request = ApproveRequest(
            Named(environments, options.app),
            head=options.head,
            override=options.override,
            update=options.update,
        )
        opened = session()
        report = run(opened, request, confirm=confirm_approval if ask else None)
        return finish(opened, report, None, where.output, audit=write.audit)


class CloseOptions(OptionGroup):
    """What is dropped, and why."""

    reason: Annotated[
        str | None,
        Option(
            "--reason", metavar="TEXT", help="Why; stands in the report and on the pull request."
        ),
    ] = None
    app: Apps = ()


def close(
    environments: Environments,
    options: CloseOptions,
    where: RepositoryOptions,
    write: WriteOptions,
) -> int:
    """Drop the proposal of an environment, its branch and pull request; nothing is merged."""
    if server_writes():
        from gitops.cli.remote import body_of, send

        return send("close", environments, body_of(options), where, write)
    with open_for_writing(where, write, start="history") as session:
        from gitops.actions.close import close as run
        from gitops.actions.context.named import Named
        from gitops.cli.render.text import print_write

        report = run(session(), Named(environments, options.app), reason=options.reason)
    return print_write(report, where.output)


COMMANDS = {"approve": approve, "close": close}
