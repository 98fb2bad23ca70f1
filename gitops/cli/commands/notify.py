"""`gitops notify`: people are told, once, for teams without a server."""

from typing import Annotated

from gitops.cli.options import DryRun, Option, RepositoryOptions
from gitops.cli.session import open_for_reading


def notify(
    where: RepositoryOptions,
    settings: Annotated[
        str | None,
        Option(
            "--settings",
            metavar="FILE",
            help="Where the addresses of the channels are, as for `gitops serve`: secrets.",
            envvar="GITOPS_SETTINGS",
            values="file",
        ),
    ] = None,
    dry_run: DryRun = False,
) -> int:
    """Tell each channel of `notify:` what happened since it was told last; for cron, or a job.

    The first time only marks where it begins. How far people were told is kept on the branch
    gitops/told. Exit 75 when a message could not be brought out in three tries: it is given up.
    """
    from gitops.actions.notify import notify as run
    from gitops.cli.render.notify import print_told
    from gitops.server.settings import channels_of, read_settings
    from gitops.wiring.service import open_notifier

    file = read_settings(settings) if settings is not None else None
    page = file.get("publicUrl") if file is not None and "publicUrl" in file.texts else None
    notifier = open_notifier(channels_of(file))
    with open_for_reading(where, dry_run=dry_run, start="history") as session:
        report = run(session(), notifier, page=page)
    return print_told(report, where.output)


COMMANDS = {"notify": notify}
