"""`gitops hold` and `gitops resume`."""

from typing import Annotated

from gitops.cli.options import (
    App,
    Argument,
    Option,
    OptionGroup,
    RepositoryOptions,
    WriteOptions,
)
from gitops.cli.session import open_for_writing
from gitops.errors import UsageError

HeldEnvironment = Annotated[
    str | None, Argument("[ENV]", "The environment; or all of them: --all.", "environment")
]
Everything = Annotated[bool, Option("--all", help="Every environment: the emergency stop.")]


class HoldOptions(OptionGroup):
    """What is held, and why."""

    reason: Annotated[
        str,
        Option("--reason", metavar="TEXT", help="Why; whoever is stopped by it reads it."),
    ]
    everything: Everything = False
    app: App = None


class ResumeOptions(OptionGroup):
    """What is no longer held."""

    everything: Everything = False
    app: App = None


def hold(
    options: HoldOptions,
    where: RepositoryOptions,
    write: WriteOptions,
    environment: HeldEnvironment = None,
) -> int:
    """Keep automation away from an environment, or from all (--all), until `gitops resume`."""
    _check(environment, everything=options.everything, app=options.app)
    with open_for_writing(where, write) as session:
        from gitops.actions.hold import hold as run
        from gitops.cli.render.text import print_write

        report = run(session(), environment, reason=options.reason, app=options.app)
    return print_write(report, where.output)


def resume(
    options: ResumeOptions,
    where: RepositoryOptions,
    write: WriteOptions,
    environment: HeldEnvironment = None,
) -> int:
    """Lift the hold of an environment, or of all (--all), so that automation may write again."""
    _check(environment, everything=options.everything, app=options.app)
    with open_for_writing(where, write) as session:
        from gitops.actions.hold import resume as run
        from gitops.cli.render.text import print_write

        report = run(session(), environment, app=options.app)
    return print_write(report, where.output)


def _check(environment: str | None, *, everything: bool, app: str | None) -> None:
    """One environment or all: exactly one of the two must be asked for."""
    if everything and (environment is not None or app is not None):
        raise UsageError("--all holds everything: leave out the environment and --app")
    if not everything and environment is None:
        raise UsageError("say which environment, or --all for every one")


COMMANDS = {"hold": hold, "resume": resume}
