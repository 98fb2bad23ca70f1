"""`gitops config set`, `unset` and `migrate`."""

from typing import Annotated

from gitops.cli.options import Argument, DryRun, Format, Option, Output

Key = Annotated[
    str,
    Argument(
        "KEY",
        "Words with dots: environments.prod.soak; an entry of a list by its name, or its number.",
    ),
]
Folder = Annotated[
    str,
    Option("--dir", metavar="DIR", help="The folder with gitops.yaml.", values="folder"),
]


def set_(
    key: Key,
    value: Annotated[str, Argument("VALUE", "As YAML: 24h, 2, [main], {required: 2}.")],
    directory: Folder = ".",
    dry_run: DryRun = False,
    output: Output = Format.text,
) -> int:
    """Set one value of gitops.yaml, with every comment where it was; refused if it would break.

    Edits the file of the folder, and commits nothing.
    """
    from gitops.cli.render.config import print_edit
    from gitops.wiring.setup import set_config

    return print_edit(set_config(directory, key, value, dry_run=dry_run), output, directory)


def unset(
    key: Key,
    directory: Folder = ".",
    dry_run: DryRun = False,
    output: Output = Format.text,
) -> int:
    """Take a key, or an entry of a list, out of gitops.yaml; refused if it would break."""
    from gitops.cli.render.config import print_edit
    from gitops.wiring.setup import set_config

    return print_edit(set_config(directory, key, None, dry_run=dry_run), output, directory)


def migrate(directory: Folder = ".", dry_run: DryRun = False, output: Output = Format.text) -> int:
    """Bring gitops.yaml to what this gitops reads: its name, apiVersion and kind."""
    from gitops.cli.render.config import print_edit
    from gitops.wiring.setup import migrate_config

    return print_edit(migrate_config(directory, dry_run=dry_run), output, directory)


COMMANDS = {"config set": set_, "config unset": unset, "config migrate": migrate}
