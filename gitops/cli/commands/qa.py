"""`gitops qa`."""

from typing import Annotated

from gitops.cli.options import (
    Apps,
    Environments,
    Option,
    OptionGroup,
    RepositoryOptions,
    WriteOptions,
    may_ask,
)
from gitops.cli.session import open_for_writing, server_writes
from gitops.errors import UsageError


class QaOptions(OptionGroup):
    """QA's word, and the release that it is about."""

    passed: Annotated[bool, Option("--pass", help="The release passed.")] = False
    failed: Annotated[bool, Option("--fail", help="The release failed.")] = False
    release: Annotated[
        str | None,
        Option(
            "--release",
            metavar="RELEASE",
            help="The release that was tested: a commit, a tag, or newest; left out: a terminal "
            "shows the newest and asks.",
            values="release",
        ),
    ] = None
    expect: Annotated[
        tuple[str, ...],
        Option(
            "--expect",
            metavar="IMAGE:TAG",
            help="Record nothing unless the release has this image; may be given several times.",
            values="pin",
        ),
    ] = ()
    note: Annotated[str | None, Option("--note", metavar="TEXT", help="What QA says with it.")] = (
        None
    )
    app: Apps = ()


def qa(
    environments: Environments,
    options: QaOptions,
    where: RepositoryOptions,
    write: WriteOptions,
) -> int:
    """Record QA's word on one release: it counts for its whole set of images, and no other."""
    if options.passed == options.failed:
        raise UsageError("say either --pass or --fail", hint="`gitops qa --help` shows how")
    if server_writes():
        from gitops.cli.remote import body_of, send

        if options.release is None:
            raise UsageError("say which release was tested: --release COMMIT")
        body = body_of(options, verdict="pass" if options.passed else "fail")
        return send("qa", environments, body, where, write)
    with open_for_writing(where, write, start="releases") as session:
        from gitops.actions.context.named import Named
        from gitops.actions.qa import QaRequest
        from gitops.actions.qa import qa as run
        from gitops.cli.render.text import confirm_qa, print_write

        request = QaRequest(
            named=Named(environments, options.app),
            verdict="qa-passed" if options.passed else "qa-failed",
            release=options.release,
            note=options.note,
            expect=options.expect,
        )
        report = run(session(), request, confirm=confirm_qa if may_ask(where.output) else None)
    return print_write(report, where.output)


COMMANDS = {"qa": qa}
