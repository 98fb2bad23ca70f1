"""Puts adapters behind the ports of what sets gitops up: `wiring` has those of one call."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops.actions.config import ConfigEdit
    from gitops.actions.context.session import Session
    from gitops.actions.doctor import DoctorReport
    from gitops.actions.manifests.ci_caller import CallerReport
    from gitops.adapters.gitrepo import GitRepository
    from gitops.core.git.ci_build import CiBuild
    from gitops.core.insights.numbers import Insights


def doctor(location: str, branch: str | None, built: Callable[[], CiBuild] | None) -> DoctorReport:
    """Look at this machine, its CI job, and a repository. See `gitops.actions.doctor`."""
    from gitops.actions.doctor import doctor as run
    from gitops.adapters.local.machine import LocalMachine
    from gitops.adapters.registry.docker_config import DockerConfig
    from gitops.wiring import open_session

    def login(host: str) -> str | None:
        found = DockerConfig(os.environ).credential(host)
        return found.source if found is not None else None

    opened: list[GitRepository] = []
    with ExitStack() as stack:

        def session() -> Session:
            made = stack.enter_context(open_session(location, branch))()
            opened.append(cast("GitRepository", made.repository))
            return made

        return run(
            LocalMachine(os.environ, login=login),
            session,
            lambda: opened[0].try_push(),
            lambda: opened[0].remote_url(),
            built,
        )


def draw_insights(found: Insights, kind: str) -> bytes:
    """Return the picture of numbers, `svg` or `png`. Raises NotFound without the library."""
    from gitops.adapters.plots.insights import draw

    return draw(found, kind)


def set_config(directory: str, key: str, value: str | None, *, dry_run: bool) -> ConfigEdit:
    """Set a value of `gitops.yaml` in a folder, None takes it out. See `actions.config`."""
    from gitops.actions.config import set_value
    from gitops.adapters.local.config_editor import ConfigEditor
    from gitops.adapters.local.folder import LocalFolder
    from gitops.config import load_config

    folder = LocalFolder(directory)
    return set_value(folder, key, value, ConfigEditor, load_config, dry_run=dry_run)


def migrate_config(directory: str, *, dry_run: bool) -> ConfigEdit:
    """Bring `gitops.yaml` of a folder up to date. See `actions.config`."""
    from gitops.actions.config import migrate
    from gitops.adapters.local.config_editor import ConfigEditor
    from gitops.adapters.local.folder import LocalFolder
    from gitops.config import load_config

    return migrate(LocalFolder(directory), ConfigEditor, load_config, dry_run=dry_run)


def write_caller(
    directory: str, system: str, kit: str | None, repo_url: str | None, *, dry_run: bool
) -> CallerReport:
    """Write the file that calls gitops in a CI system. See `actions.manifests.ci_caller`."""
    from gitops.actions.init import check_repo_url
    from gitops.actions.manifests.ci_caller import write_caller as run
    from gitops.adapters.local.folder import LocalFolder

    url = check_repo_url(repo_url) if repo_url is not None else None
    return run(LocalFolder(directory), system, kit, url, dry_run=dry_run)
