"""The forges of source repositories, where a token may go there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitops.adapters.forges.opening import open_forge
from gitops.adapters.gitrepo.repository import open_repository
from gitops.adapters.local.clock import SystemClock
from gitops.core.environments.environment import Config
from gitops.core.forges.address import parse_remote
from gitops.ports import GatedForge, NoForge


def forge_of_source(
    location: str, environ: Mapping[str, str]
) -> Callable[[str, Config], GatedForge | NoForge]:
    """Return what opens the forge of a source repository, by its URL.

    Only on the host of the repository at `location`: that one was named by the caller. A source is
    named by a file of the repository, and no token goes where only a file says so.
    """

    def forge(url: str, config: Config) -> GatedForge | NoForge:
        with (
            open_repository(location, environ=environ) as own,
            open_repository(url, environ=environ) as source,
        ):
            ours, theirs = parse_remote(own.remote_url() or ""), parse_remote(url)
            if ours is None or theirs is None or ours.origin != theirs.origin:
                return NoForge("it is not on the host of this repository, and no token goes there")
            return open_forge(source, config, SystemClock(), 60.0, environ)

    return forge
