"""Commands that only look: `history`, `status`, `diff`, `schema`."""

from typing import Annotated

from gitops.cli.options import (
    App,
    Apps,
    Argument,
    Environment,
    Option,
    OptionGroup,
    RepositoryOptions,
    SomeEnvironments,
)
from gitops.cli.session import open_for_reading


class HistoryOptions(OptionGroup):
    """Whose releases are shown, and how many."""

    app: App = None
    limit: Annotated[
        int, Option("--limit", "-n", least=0, help="How many releases; 0: all of them.")
    ] = 20


def history(environment: Environment, options: HistoryOptions, where: RepositoryOptions) -> int:
    """Show the releases of an environment, newest first."""
    with open_for_reading(where, start="history") as session:
        from gitops.actions.history import history as run
        from gitops.cli.render.read import print_history

        report = run(session(), environment, app=options.app, limit=min(options.limit, 1 << 31))
    return print_history(report, where.output)


class StatusOptions(OptionGroup):
    """What is shown, and how."""

    wide: Annotated[
        bool,
        Option("--wide", help="All there is to say of each, also where a table would fit."),
    ] = False
    failing: Annotated[
        bool,
        Option("--failing", help="Only what is degraded, failed QA, or cannot be read."),
    ] = False
    app: Apps = ()


def status(
    options: StatusOptions,
    where: RepositoryOptions,
    environments: SomeEnvironments = (),
) -> int:
    """Show what is where, since when, by whom, and which holds and proposals stand."""
    with open_for_reading(where, start="landed") as session:
        from gitops.actions.status import status as run
        from gitops.cli.render.read import print_status

        made = session()
        report = run(made, environments, apps=options.app, failing=options.failing)
    return print_status(
        report, where.output, made.index, wide=options.wide, failing=options.failing
    )


class DiffOptions(OptionGroup):
    """What is compared."""

    since: Annotated[
        str | None,
        Option(
            "--since",
            metavar="RELEASE",
            help="What changed in ENV since a release: a commit, a tag, stable or previous.",
            values="release",
        ),
    ] = None
    app: App = None


def diff(
    environment: Annotated[
        str, Argument("ENV", "The environment, or ENV@RELEASE: as it was then.", "environment")
    ],
    options: DiffOptions,
    where: RepositoryOptions,
    other: Annotated[
        str | None,
        Argument("[OTHER]", "The environment to compare with, or OTHER@RELEASE.", "environment"),
    ] = None,
) -> int:
    """Show which images differ between two environments or releases; exit 1 when any does."""
    named = options.since is not None or "@" in f"{environment}{other}"
    with open_for_reading(where, start="history" if named else "tip") as session:
        from gitops.actions.diff import diff as run
        from gitops.cli.render.read import print_diff

        report = run(session(), environment, other, app=options.app, since=options.since)
    return print_diff(report, where.output)


def schema() -> int:
    """Print the JSON Schema of gitops.yaml, for editors."""
    import json

    from gitops.cli.render.terminal import line
    from gitops.config import config_schema

    line(json.dumps(config_schema(), indent=2))
    return 0


COMMANDS = {"history": history, "status": status, "diff": diff, "schema": schema}
