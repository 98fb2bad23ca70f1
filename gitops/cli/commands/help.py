"""`gitops help`, `gitops version` and `gitops completion`."""

from enum import StrEnum
from typing import Annotated

from gitops.cli.options import Argument
from gitops.errors import UsageError


class Shell(StrEnum):
    """Shells that gitops completes words in."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def help_(
    words: Annotated[
        tuple[str, ...], Argument("[COMMAND...]", "The command; default: all of them.", "command")
    ] = (),
) -> int:
    """Show how gitops, or one of its commands, is used."""
    import click

    from gitops.cli.app import root_command
    from gitops.cli.render.terminal import line

    command: click.Command
    command, context = root_command()
    for word in words:
        names = command.list_commands(context) if isinstance(command, click.Group) else []
        found = None
        if isinstance(command, click.Group):
            found = command.get_command(context, word)
        if found is None:
            raise _unknown(word, names)
        command, context = found, click.Context(found, info_name=word, parent=context)
    line(command.get_help(context))
    return 0


def _unknown(word: str, names: list[str]) -> UsageError:
    from gitops.core.text.plain import nearest_word

    near = nearest_word(word, names)
    hint = f"did you mean `gitops help {near}`?" if near else "`gitops help` lists the commands"
    return UsageError(f"there is no command {word!r}", hint=hint)


def version() -> int:
    """Print the version."""
    from gitops import __version__
    from gitops.cli.render.terminal import line

    line(f"gitops {__version__}")
    return 0


def completion(
    shell: Annotated[Shell, Argument("SHELL", "bash, zsh or fish.")],
) -> int:
    """Print the script that completes commands, options and names in a shell.

    Names of environments, apps, images and releases come from the checkout and from what gitops
    keeps of repositories, never from the network.
    """
    from gitops.cli.completion.scripts import SCRIPTS
    from gitops.cli.render.terminal import line

    line(SCRIPTS[shell].rstrip())
    return 0


COMMANDS = {"help": help_, "version": version, "completion": completion}
