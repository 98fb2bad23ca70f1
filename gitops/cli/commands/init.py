"""`gitops init` and `gitops demo`: the first minute."""

from typing import TYPE_CHECKING, Annotated

from gitops.cli.options import Argument, DryRun, Format, Option, Output, flat

if TYPE_CHECKING:
    import typer


def register(app: "typer.Typer") -> None:
    """Add the commands of this file to `app`."""
    app.command("init")(flat(init))
    app.command("demo")(flat(demo))


def init(
    directory: Annotated[str, Argument("[DIR]", "Where to; default: here.")] = ".",
    repo_url: Annotated[
        str | None,
        Option(
            "--repo-url", metavar="URL", help="What the Argo CD Applications read; default: origin."
        ),
    ] = None,
    dry_run: DryRun = False,
    output: Output = Format.text,
) -> int:
    """Write gitops.yaml, base/, five overlays/ and Argo CD Applications; never overwrites."""
    from gitops.cli.render.text import print_init
    from gitops.wiring import init as run

    return print_init(run(directory, repo_url, dry_run=dry_run), output)


def demo(
    directory: Annotated[
        str | None,
        Argument("[DIR]", "Keep the repository here; default: throw it away."),
    ] = None,
) -> int:
    """Tell the whole story on a throw-away repository, printing each command that it runs."""
    from gitops.cli.commands.demo import tell

    return tell(directory)
