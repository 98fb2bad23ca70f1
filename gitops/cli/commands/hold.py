"""`gitops hold` and `gitops resume`."""

from typing import TYPE_CHECKING, Annotated

from gitops.cli.options import (
    Apps,
    Argument,
    Option,
    OptionGroup,
    RepositoryOptions,
    WriteOptions,
)
from gitops.cli.session import open_for_writing, server_writes
from gitops.errors import UsageError

if TYPE_CHECKING:
    from gitops.actions.context.named import Named

HeldEnvironments = Annotated[
    tuple[str, ...],
    Argument(
        "[ENV...]",
        "Environments or groups, APP/ENV for one app of it; or all of them: --all.",
        "environment",
    ),
]
Everything = Annotated[bool, Option("--all", help="Every environment: the emergency stop.")]


class HoldOptions(OptionGroup):
    """What is held, and why."""

    reason: Annotated[
        str,
        Option("--reason", metavar="TEXT", help="Why; whoever is stopped by it reads it."),
    ]
    everything: Everything = False
    app: Apps = ()


class ResumeOptions(OptionGroup):
    """What is no longer held."""

    everything: Everything = False
    app: Apps = ()


def hold(
    options: HoldOptions,
    where: RepositoryOptions,
    write: WriteOptions,
    environments: HeldEnvironments = (),
) -> int:
    """Keep automation away from an environment, or from all (--all), until `gitops resume`."""
    named = _named(environments, options.app, everything=options.everything)
    if server_writes():
        from gitops.cli.remote import body_of, send

        return send("hold", environments or ("*",), body_of(options), where, write)
    with open_for_writing(where, write, start="landed") as session:
        from gitops.actions.hold import hold as run
        from gitops.cli.render.text import print_write

        report = run(session(), named, reason=options.reason)
    return print_write(report, where.output)


def resume(
    options: ResumeOptions,
    where: RepositoryOptions,
    write: WriteOptions,
    environments: HeldEnvironments = (),
) -> int:
    """Lift the hold of an environment, or of all (--all), so that automation may write again."""
    named = _named(environments, options.app, everything=options.everything)
    if server_writes():
        from gitops.cli.remote import body_of, send

        return send("resume", environments or ("*",), body_of(options), where, write)
    with open_for_writing(where, write) as session:
        from gitops.actions.hold import resume as run
        from gitops.cli.render.text import print_write

        report = run(session(), named)
    return print_write(report, where.output)


def _named(words: tuple[str, ...], apps: tuple[str, ...], *, everything: bool) -> "Named | None":
    """Return what is named, None for everything: exactly one of the two must be asked for."""
    if everything and (words or apps):
        raise UsageError("--all holds everything: leave out the environment and --app")
    if everything:
        return None
    if not words:
        raise UsageError("say which environment, or --all for every one")
    from gitops.actions.context.named import Named

    return Named(words, apps)


COMMANDS = {"hold": hold, "resume": resume}
