"""`gitops data check` and its kin."""

from typing import Annotated

from gitops.cli.options import Argument, Marks, OptionGroup, RepositoryOptions
from gitops.cli.render.annotations import Annotations


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
    from gitops.wiring import data_check as run

    report = run(where.repo, where.branch, environments)
    return print_data(report, where.output, options.annotations)


COMMANDS = {"data check": data_check}
