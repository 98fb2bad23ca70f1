"""`gitops doctor`."""

from gitops.cli.options import RepositoryOptions


def doctor(where: RepositoryOptions) -> int:
    """Say what is missing here for this repository, and how to get it; exit 3 when anything is."""
    from gitops.cli.render.doctor import print_doctor
    from gitops.wiring.setup import doctor as run

    return print_doctor(run(where.repo, where.branch), where.output)


COMMANDS = {"doctor": doctor}
