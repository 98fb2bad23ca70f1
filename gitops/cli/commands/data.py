"""`gitops data check` and its kin."""

from typing import Annotated

from gitops.cli.options import (
    Argument,
    DryRun,
    Environment,
    Marks,
    Option,
    OptionGroup,
    RepositoryOptions,
    Yes,
    may_ask,
)
from gitops.cli.render.annotations import Annotations
from gitops.cli.session import open_for_reading, seconds


class DataCheckOptions(OptionGroup):
    """How the report is printed."""

    annotations: Marks = Annotations.none


def data_check(
    options: DataCheckOptions,
    where: RepositoryOptions,
    environments: Annotated[
        tuple[str, ...],
        Argument("[ENV]...", "The environments to tell about; default: all.", "environment"),
    ] = (),
) -> int:
    """Check that each environment reaches databases of its own class, and no others.

    Every overlay is built, and each way of its manifests to a database is followed: variables,
    ConfigMaps, Secrets, outside secrets, volumes, and addresses in any text. `databases:` of
    gitops.yaml says which are real. Exit 1 when an environment reaches what it must not.
    """
    from gitops.cli.render.data import print_data
    from gitops.wiring.folders import data_check as run

    report = run(where.repo, where.branch, environments)
    return print_data(report, where.output, options.annotations)


class DataResetOptions(OptionGroup):
    """What is filled in, where, and how long that may take."""

    seed: Annotated[
        str | None,
        Option(
            "--seed",
            metavar="NAME",
            help="What is filled in: a seed that the Job knows (empty, minimal, demo); default: "
            "its first.",
        ),
    ] = None
    context: Annotated[
        str | None,
        Option(
            "--context",
            metavar="NAME",
            help="The kubeconfig context of the cluster that runs it; default: what `clusters:` "
            "says, else the current one.",
        ),
    ] = None
    timeout: Annotated[
        str, Option("--timeout", metavar="TIME", help="How long the Job may take.")
    ] = "10m"
    yes: Yes = False
    app: Annotated[
        str | None,
        Option("--app", metavar="APP", help="The app, where each has one.", values="app"),
    ] = None


def data_reset(
    environment: Environment,
    options: DataResetOptions,
    where: RepositoryOptions,
    dry_run: DryRun = False,
) -> int:
    """Throw the dummy data of an environment away, and fill in other.

    Runs the Job of the overlay's component `data-reset` in the cluster, and shows its log. Refused
    where data is real: by `database:`, by what the Job reaches, and by the guard in the Job, which
    fails where a Secret of real data is. Exit 1 when it fails, 75 when it takes too long.
    """
    with open_for_reading(where, dry_run=dry_run) as session:
        from gitops.actions.data_reset import ResetRequest
        from gitops.actions.data_reset import data_reset as run
        from gitops.cli.render.data_reset import confirm_reset, print_reset
        from gitops.cli.render.terminal import log_teller

        ask = may_ask(where.output, options.yes, dry_run)
        request = ResetRequest(
            environment, options.app, options.seed, options.context, seconds(options.timeout)
        )
        tell = log_teller(where.output)
        report = run(session(), request, confirm=confirm_reset if ask else None, tell=tell)
    return print_reset(report, where.output)


COMMANDS = {"data check": data_check, "data reset": data_reset}
