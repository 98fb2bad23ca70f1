"""`gitops release cut` and `gitops release list`."""

from typing import Annotated

from gitops.cli.options import Argument, DryRun, Option, OptionGroup, RepositoryOptions
from gitops.cli.session import open_for_reading


class CutOptions(OptionGroup):
    """What a release branch is cut from."""

    start: Annotated[
        str, Option("--from", metavar="BRANCH", help="The branch that it is cut from.")
    ] = "main"
    commit: Annotated[
        str | None,
        Option("--commit", metavar="SHA", help="A commit on it; default: its head."),
    ] = None
    source: Annotated[
        str | None,
        Option(
            "--source", metavar="URL|IMAGE", help="One source repository; default: all of them."
        ),
    ] = None


def cut(
    version: Annotated[str, Argument("VERSION", "The version: 1.4, 1.10.0, 1.4.0-rc.1.")],
    options: CutOptions,
    where: RepositoryOptions,
    dry_run: DryRun = False,
) -> int:
    """Make the branch release/VERSION in the source repositories."""
    with open_for_reading(where, dry_run=dry_run) as session:
        from gitops.actions.release import CutRequest
        from gitops.actions.release import cut as run
        from gitops.cli.render.text import print_cut

        request = CutRequest(version, options.start, options.commit, options.source)
        report = run(session(), request)
    return print_cut(report, where.output)


def list_(where: RepositoryOptions) -> int:
    """Show each release branch with its head, and where builds of it run."""
    with open_for_reading(where, start="history") as session:
        from gitops.actions.release import list_releases
        from gitops.cli.render.read import print_releases

        report = list_releases(session())
    return print_releases(report, where.output)


COMMANDS = {"release cut": cut, "release list": list_}
