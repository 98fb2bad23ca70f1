"""`gitops init` and `gitops demo`: the first minute."""

import sys
from typing import Annotated

from gitops.cli.options import Argument, DryRun, Format, Option, OptionGroup, Output, Yes, may_ask


class CiOptions(OptionGroup):
    """The file for a CI system, in place of all else."""

    ci: Annotated[
        str | None,
        Option(
            "--ci",
            metavar="SYSTEM",
            help="Write the file that calls gitops in github, gitlab, jenkins or argo, and "
            "nothing else; --repo-url is the manifest repository then.",
        ),
    ] = None
    kit: Annotated[
        str | None,
        Option("--kit", metavar="URL@COMMIT", help="With --ci: your copy of gitops."),
    ] = None


def init(
    caller: CiOptions,
    directory: Annotated[str, Argument("[DIR]", "Where to; default: here.", "folder")] = ".",
    repo_url: Annotated[
        str | None,
        Option(
            "--repo-url", metavar="URL", help="What the Argo CD Applications read; default: origin."
        ),
    ] = None,
    sample: Annotated[
        bool,
        Option("--sample", help="Write the sample, also where other manifests lie."),
    ] = False,
    add_images: Annotated[
        bool,
        Option(
            "--add-images",
            help="Write missing entries of images: from what is built, as it is today.",
        ),
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = Format.text,
) -> int:
    """Write gitops.yaml for the overlays that are there, else a whole sample; never overwrites."""
    if caller.ci is not None:
        from gitops.cli.render.init import print_caller
        from gitops.wiring.setup import write_caller

        made = write_caller(directory, caller.ci, caller.kit, repo_url, dry_run=dry_run)
        return print_caller(made, output)
    from gitops.actions.init import InitRequest
    from gitops.cli.render.init import confirm_adoption, print_init
    from gitops.wiring.folders import init as run

    ask = may_ask(output, yes, dry_run)
    request = InitRequest(repo_url, sample, dry_run, add_images)
    return print_init(run(directory, request, confirm_adoption if ask else None), output)


def demo(
    directory: Annotated[
        str | None,
        Argument("[DIR]", "Keep the repository here; default: throw it away.", "folder"),
    ] = None,
    no_pause: Annotated[
        bool,
        Option("--no-pause", help="Do not wait for a key after each step on a terminal."),
    ] = False,
) -> int:
    """Tell the whole story on a throw-away repository, printing each command that it runs."""
    from gitops.cli.commands.demo import tell, wait_for_key

    steps = not no_pause and sys.stdin.isatty() and sys.stdout.isatty()
    return tell(directory, pause=wait_for_key if steps else None)


COMMANDS = {"init": init, "demo": demo}
