"""`gitops doctor`."""

from gitops.cli.options import RepositoryOptions


def doctor(where: RepositoryOptions) -> int:
    """Say what is missing here for this repository, and how to get it; exit 3 when anything is."""
    import os

    from gitops.cli.fast_path import ci_build
    from gitops.cli.render.doctor import print_doctor
    from gitops.core.git.ci_build import VARIABLES
    from gitops.wiring.setup import doctor as run

    in_job = any(os.environ.get(name) for name in VARIABLES)
    built = (lambda: ci_build(os.environ)) if in_job else None
    return print_doctor(run(where.repo, where.branch, built), where.output)


COMMANDS = {"doctor": doctor}
