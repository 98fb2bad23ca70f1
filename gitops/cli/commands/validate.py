"""`gitops validate`: the repository as it is, a change beside a branch, rules of the forge."""

import os
from typing import Annotated

from gitops.cli.options import DryRun, Marks, Option, OptionGroup, RepositoryOptions
from gitops.cli.render.annotations import Annotations
from gitops.cli.session import open_for_reading
from gitops.errors import UsageError


class ValidateOptions(OptionGroup):
    """What is asked beside the repository itself."""

    against: Annotated[
        str | None,
        Option(
            "--against",
            metavar="BASE",
            help="Also say what the checked-out commit changes beside BASE (a branch or a commit): "
            "images, files, policy, and the manifests that are built.",
            values="branch",
        ),
    ] = None
    comment: Annotated[
        str | None,
        Option(
            "--comment",
            metavar="FILE",
            help="With --against: write it as Markdown, too.",
            values="file",
        ),
    ] = None
    require_isolation: Annotated[
        bool,
        Option(
            "--require-isolation",
            help="With --against: build nothing where a build could see this machine or a network.",
        ),
    ] = False
    build: Annotated[
        bool | None,
        Option(
            "--build/--no-build",
            help="Build all overlays with kustomize or kubectl, or none; default: some, where one "
            "is at hand.",
        ),
    ] = None
    forge: Annotated[
        bool,
        Option(
            "--forge", help="Compare `branches:` with the rules that the forge keeps for branches."
        ),
    ] = False
    fix: Annotated[
        bool, Option("--fix", help="With --forge: set what is missing there, where it can.")
    ] = False
    annotations: Marks = Annotations.none


def validate(options: ValidateOptions, where: RepositoryOptions, dry_run: DryRun = False) -> int:
    """Check gitops.yaml, every overlay and every hold.

    A checkout is checked as it stands, uncommitted edits included; --branch, a URL or a bare
    repository: the newest tip.
    """
    if options.comment is not None and options.against is None:
        raise UsageError("--comment tells what changes: say beside what, with --against BASE")
    if options.require_isolation and options.against is None:
        raise UsageError("--require-isolation is about what --against builds")
    if (options.fix or dry_run) and not options.forge:
        raise UsageError("--fix and --dry-run go with --forge")
    if options.forge and options.against is not None:
        raise UsageError("--forge and --against are two questions: ask one after the other")
    if options.against is not None:
        return _against(options.against, options, where)
    if options.forge:
        return _forge(options, where, dry_run=dry_run)
    from gitops.cli.render.validate import print_problems
    from gitops.wiring.folders import validate as run

    report = run(where.repo, where.branch, build=options.build)
    return print_problems(report, where.output, options.annotations)


def _against(base: str, options: ValidateOptions, where: RepositoryOptions) -> int:
    """Compare what is checked out with `base`."""
    from gitops.cli.render.validate import print_comparison, write_comment
    from gitops.wiring import open_renderer

    with open_for_reading(where) as session:
        from gitops.actions.validate_against import compare
        from gitops.core.audit.ci_branch import read_ci_branch

        renderer = open_renderer(require_isolation=options.require_isolation)
        ci = read_ci_branch(os.environ) if where.branch is None else None
        report, comparison = compare(session(), base, renderer, ci)
    if options.comment is not None:
        write_comment(options.comment, report, comparison)
    return print_comparison(report, comparison, where.output, options.annotations)


def _forge(options: ValidateOptions, where: RepositoryOptions, *, dry_run: bool) -> int:
    """Compare `branches:` with the rules of the forge."""
    from gitops.cli.render.validate import print_protection
    from gitops.wiring import forge_of_source

    with open_for_reading(where, dry_run=dry_run) as session:
        from gitops.actions.context.policy_branch import open_tip
        from gitops.actions.validate_forge import check_protection

        opened = session()
        config = open_tip(opened).config
        found = check_protection(opened, config, forge_of_source(where.repo), fix=options.fix)
    return print_protection(found, where.output, options.annotations)


COMMANDS = {"validate": validate}
