"""Folders and checkouts as they stand: looked at, edited and filled, without a session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from gitops.wiring import open_renderer, say, who_counts

if TYPE_CHECKING:
    from gitops.actions.data_check import DataReport
    from gitops.actions.init import AdoptReport, InitRequest, ScaffoldReport
    from gitops.actions.validate import ValidateReport
    from gitops.adapters.gitrepo import GitRepository
    from gitops.core.environments.environment import Config, Overlay
    from gitops.core.releases.release import Release
    from gitops.core.report import WriteReport
    from gitops.ports import Renderer, Snapshot

_MOST_BUILDS = 30  # overlays that `validate` builds unasked: a few seconds


def set_image(directory: str, images: list[str], *, add: bool, dry_run: bool) -> WriteReport:
    """Edit the kustomization of a local folder. See `gitops.actions.set_image`."""
    from gitops.actions.set_image import set_image as run
    from gitops.adapters.local.folder import LocalFolder

    return run(LocalFolder(directory), directory, images, add=add, dry_run=dry_run)


def validate(location: str, branch: str | None, *, build: bool | None = None) -> ValidateReport:
    """Check a checkout as it stands, or the newest tip of a branch.

    `build`: build all overlays, or none; None: some, where there is a kustomize. Raises NotFound
    when there is none and all are wanted.
    """
    from gitops.actions.manifests.trial_build import TrialBuilds
    from gitops.actions.validate import validate as run
    from gitops.adapters.gitrepo.remote.sources import GitSources
    from gitops.adapters.gitrepo.repository import open_repository
    from gitops.adapters.local.clock import SystemClock

    with (
        open_repository(location, environ=os.environ, progress=say) as repository,
        GitSources(os.environ, home=repository.remote_url, progress=say) as sources,
    ):
        snapshot = repository.directory_snapshot() if branch is None else None
        looked_at = snapshot or repository.snapshot(branch)
        builds = TrialBuilds(_renderer(build), None if build else _MOST_BUILDS, count=who_counts())
        now = SystemClock().now()
        released = _released(repository, here=snapshot is not None)
        report = run(
            *(looked_at, _load_config, now, repository.snapshot, builds, released, sources.heads),
            index=repository.index(),
        )
        tree = repository.work_tree() if snapshot is not None and report.exit_code else None
        if tree is None or not tree.sparse:
            return report
        from msgspec.structs import replace

        left_out = (
            "this checkout is sparse: what Git left out of it counts as missing; "
            f"`gitops validate --branch {tree.branch or 'main'}` looks at what was pushed"
        )
        return replace(report, notes=(*report.notes, left_out))


def data_check(location: str, branch: str | None, names: Sequence[str]) -> DataReport:
    """Follow the ways to databases in a checkout as it stands, or the newest tip of a branch.

    Raises NotFound without a kustomize, and what `gitops.actions.data_check` raises.
    """
    from gitops.actions.data_check import data_check as run
    from gitops.adapters.gitrepo.repository import open_repository

    with open_repository(location, environ=os.environ, progress=say) as repository:
        snapshot = repository.directory_snapshot() if branch is None else None
        looked_at = snapshot or repository.snapshot(branch)
        return run(looked_at, _load_config, repository.snapshot, require_renderer(), names)


def require_renderer() -> Renderer:
    """Return the kustomize that is at hand. Raises NotFound where there is none."""
    from gitops.errors import NotFound

    renderer = open_renderer()
    if renderer is None:
        what = "what an overlay reaches is only known of its manifests, and no kustomize is at hand"
        raise NotFound(what, hint="install kustomize or kubectl")
    return renderer


def _released(
    repository: GitRepository, *, here: bool
) -> Callable[[Snapshot, Overlay], Iterator[Release]]:
    """Return what tells the releases of an overlay on a tip; `here`: on what is checked out."""
    from gitops.actions.releases.renames import Past, releases_through

    past = Past(repository.history, repository.at, repository.changed, _load_config)
    archive = repository.commits() if here else None
    if archive is not None:
        past = Past(archive.history, archive.tree, archive.changed, _load_config)

    def released(home: Snapshot, overlay: Overlay) -> Iterator[Release]:
        head = (home.commit or "") if archive is None else archive.find(None)
        return releases_through(past, overlay, head)

    return released


def _renderer(build: bool | None) -> Renderer | None:
    from gitops.errors import NotFound

    renderer = None if build is False else open_renderer()
    if build and renderer is None:
        raise NotFound("--build needs a kustomize", hint="install kustomize or kubectl")
    return renderer


def _load_config(content: bytes) -> Config:
    from gitops.config import load_config

    return load_config(content)


def init(
    directory: str, request: InitRequest, confirm: Callable[[AdoptReport], bool] | None
) -> ScaffoldReport | AdoptReport:
    """Write the first files of a manifest repository. See `gitops.actions.init`."""
    from gitops.actions.init import init as run
    from gitops.adapters.local.folder import LocalFolder, sample_files

    folder, sample = LocalFolder(directory), sample_files()
    renderer = require_renderer() if request.add_images else None
    return run(
        folder, sample, request, load_config=_load_config, confirm=confirm, renderer=renderer
    )
