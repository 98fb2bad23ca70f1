"""`gitops images tag`, `list`, `show`, `find`, `prune` and `update`."""

import os
from typing import Annotated

from gitops.cli.options import (
    Argument,
    Format,
    Option,
    OptionGroup,
    Output,
    RepositoryOptions,
    WriteOptions,
)
from gitops.cli.session import open_for_reading, open_for_writing

Image = Annotated[str, Argument("IMAGE", "NAME:TAG or NAME@DIGEST, as overlays name it.", "image")]
Names = Annotated[
    tuple[str, ...],
    Argument("[IMAGE...]", "Images as overlays name them; default: all of them.", "image"),
]


class TagOptions(OptionGroup):
    """What was built, and what its image was called."""

    ref: Annotated[
        str,
        Option(
            "--ref",
            metavar="BRANCH|TAG",
            help="The branch that was built, or refs/tags/NAME; auto: what this CI job builds.",
            values="branch",
        ),
    ] = "auto"
    commit: Annotated[
        str | None,
        Option("--commit", metavar="SHA", help="The commit; default with auto: the CI job's."),
    ] = None
    check: Annotated[
        str | None,
        Option("--check", metavar="TAG", help="Say whether this is the tag; exit 1 when not."),
    ] = None


class ListOptions(OptionGroup):
    """How many tags are shown."""

    limit: Annotated[
        int, Option("--limit", "-n", least=0, help="How many tags of each; 0: all of them.")
    ] = 20


class PruneOptions(OptionGroup):
    """Whether it is done, and how much of it."""

    yes: Annotated[bool, Option("--yes", "-y", help="Delete; else only the plan is shown.")] = False
    most: Annotated[
        int, Option("--max", least=1, help="So many tags at once; the next call goes on.")
    ] = 50
    clusters: Annotated[
        bool,
        Option("--clusters/--no-clusters", help="Ask the clusters that are set up what runs."),
    ] = True


def tag(options: TagOptions, output: Output = Format.text) -> int:
    """Print what a build should call its image: feature-login-5f2c5f2, main-5f2c5f2, 1.4.0."""
    from gitops.actions.context.session import require_commit
    from gitops.cli.fast_path import built_by_job
    from gitops.cli.render.images import print_tag
    from gitops.core.images.convention import tag_for
    from gitops.errors import Differs

    ref, commit = options.ref, options.commit
    if ref == "auto":
        ref, own = built_by_job(os.environ)
        commit = commit or own
    commit = require_commit(commit, "--commit") if commit is not None else None
    made = tag_for(ref, commit)
    if options.check is not None and options.check != made:
        raise Differs(f"a build of {ref} is called {made}, not {options.check}")
    return print_tag(made, output)


def list_(options: ListOptions, where: RepositoryOptions, names: Names = ()) -> int:
    """Show the images of all overlays; with names, the newest tags of these in their registry."""
    with open_for_reading(where) as session:
        from gitops.actions.images_find import list_images
        from gitops.cli.render.images import print_listed

        found = list_images(session(), names, options.limit)
    return print_listed(found, where.output)


def show(image: Image, where: RepositoryOptions) -> int:
    """Show what an image is by its registry, and where it runs since when."""
    with open_for_reading(where, start="history") as session:
        from gitops.actions.images_find import show_image
        from gitops.cli.render.images import print_shown

        found = show_image(session(), image)
    return print_shown(found, where.output)


def find(
    image: Annotated[
        str,
        Argument("IMAGE", "NAME[:TAG][@DIGEST], a tag, or a digest.", "image"),
    ],
    where: RepositoryOptions,
) -> int:
    """Show where an image is and was: which environments, since when, by whom. Asks no registry."""
    with open_for_reading(where, start="history") as session:
        from gitops.actions.images_find import find_image
        from gitops.cli.render.images import print_stays

        found = find_image(session(), image)
    return print_stays(found, where.output)


def prune(options: PruneOptions, where: RepositoryOptions, names: Names = ()) -> int:
    """Show which images may go by `cleanup:` of gitops.yaml, and why; --yes deletes them.

    What any branch, release to go back to, cluster or other tag names stays.
    """
    with open_for_reading(where, start="history") as session:
        from gitops.actions.images_prune import PruneRequest
        from gitops.actions.images_prune import prune as run
        from gitops.cli.render.images import print_prune, say_act

        opened = session()
        who = opened.identity().name if options.yes else ""
        request = PruneRequest(names, options.yes, options.most, options.clusters)
        quiet = where.output == "json"
        report = run(opened, request, (lambda _: None) if quiet else lambda act: say_act(act, who))
    return print_prune(report, where.output, who, acted=options.yes)


def update(where: RepositoryOptions, write: WriteOptions, names: Names = ()) -> int:
    """Deploy the newest pushed tags, by `tags:` of gitops.yaml; for cron, or to try a rule.

    Holds, freezes and policy decide as for `gitops deploy --ref`; nothing ever goes backwards.
    """
    with open_for_writing(where, write) as session:
        from gitops.actions.images_update import images_update
        from gitops.cli.render.image_updates import print_updates

        report = images_update(session(), names)
    return print_updates(report, where.output)


COMMANDS = {
    "images tag": tag,
    "images list": list_,
    "images show": show,
    "images find": find,
    "images prune": prune,
    "images update": update,
}
