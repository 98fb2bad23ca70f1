"""`gitops check`."""

import os
from typing import Annotated

from gitops.cli.options import Argument, Format, Marks, Option, OptionGroup, Output, Repo
from gitops.cli.render.annotations import Annotations


class CheckOptions(OptionGroup):
    """Where the change is, and how the report is printed."""

    repo: Repo = "."
    branch: Annotated[
        str | None,
        Option(
            "--branch",
            help="The branch that the change is on, or goes to; default: the one that the CI "
            "system's variables tell, else the only one that environments live on.",
            values="branch",
        ),
    ] = None
    annotations: Marks = Annotations.none
    output: Output = Format.text


def check(
    options: CheckOptions,
    revision: Annotated[
        str | None,
        Argument(
            "[COMMIT|RANGE]",
            "A commit, or a range A..B; default: what is checked out, a commit of the branch or "
            "all that it has over the branch.",
        ),
    ] = None,
) -> int:
    """Report commits that change a protected environment without anybody's word.

    Protected are environments with `change: pull-request`. What builds on the same files, the
    policy, the holds and the signers count too. Exit 1 when something is reported.
    """
    from gitops.wiring import open_session

    with open_session(options.repo, options.branch) as session:
        from gitops.actions.check import check as run
        from gitops.cli.render.check import print_check
        from gitops.core.audit.ci_branch import read_ci_branch

        ci = read_ci_branch(os.environ) if options.branch is None else None
        report = run(session(), revision, ci)
    return print_check(report, options.output, options.annotations)


COMMANDS = {"check": check}
