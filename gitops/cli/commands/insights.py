"""`gitops insights`."""

from typing import Annotated

from gitops.cli.options import Apps, Option, OptionGroup, RepositoryOptions, SomeEnvironments
from gitops.cli.session import open_for_reading


class InsightsOptions(OptionGroup):
    """Which period, and what is written beside the table."""

    since: Annotated[
        str,
        Option("--since", metavar="DURATION", help="The period, until now: 30d, 90d."),
    ] = "90d"
    csv: Annotated[
        str | None,
        Option(
            "--csv",
            metavar="FILE",
            help="Write every deployment, one a line; -: in place of the table.",
            values="file",
        ),
    ] = None
    html: Annotated[
        str | None,
        Option(
            "--html",
            metavar="FILE",
            help="Write a report: one file with its pictures in it.",
            values="file",
        ),
    ] = None
    plot: Annotated[
        str | None,
        Option("--plot", metavar="FILE", help="Write the picture: .svg or .png.", values="file"),
    ] = None
    source: Annotated[
        tuple[str, ...],
        Option(
            "--source",
            metavar="PATH|URL|IMAGE",
            help="A repository that images are built from, or an image whose source gitops.yaml "
            "names: lead time is also counted from the source commit; may be given several times.",
            values="folder",
        ),
    ] = ()
    app: Apps = ()


def insights(
    options: InsightsOptions,
    where: RepositoryOptions,
    environments: SomeEnvironments = (),
) -> int:
    """Show how releases went, in numbers: how often, how fast, how many were taken back.

    From Git and the ledger alone; each number with how sure it is.
    """
    from gitops.cli.render.insights import print_insights, written
    from gitops.core.text.plain import read_duration
    from gitops.errors import UsageError

    try:
        period = read_duration(options.since)
    except ValueError:
        raise UsageError(
            f"{options.since!r} is no duration", hint="write 30d, 90d or 12h"
        ) from None
    with open_for_reading(where, start="history") as session:
        from gitops.actions.insights import read_insights

        found = read_insights(
            session(), environments, apps=options.app, period=period, sources=options.source
        )
    to_output = written(found, csv=options.csv, html=options.html, plot=options.plot)
    return 0 if to_output else print_insights(found, where.output)


COMMANDS = {"insights": insights}
