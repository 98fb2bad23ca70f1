"""Puts adapters behind the ports of a process that lives long: one repository, many calls at once.

`open_kept` of `gitops.wiring` serves one call at a time. Only the server imports this.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.adapters.argocd.clusters import ArgoClusters
    from gitops.adapters.gitrepo import GitRepository
    from gitops.core.environments.environment import Config
    from gitops.core.forges.token import OwnToken
    from gitops.ports import Clock, GatedForge, NoForge, Registry
    from gitops.ports.kept import KeptRepository

_LONGEST_ANSWER = 15.0  # seconds that one question to a registry may take


class Door(Struct, frozen=True):
    """A repository that stays open, and the sessions of the calls that use it.

    Attributes:
        repository: for one thread at a time, whoever it is.
        session: makes the session of a call; what it opens is closed with the stack. Whoever calls
            says by `replace` who writes, and through what the repository is seen.
        forge_as: opens the forge with the token of whoever acts there in their own name; without
            one it raises Denied where there is a forge.
    """

    repository: KeptRepository
    session: Callable[[ExitStack], Session]
    forge_as: Callable[[OwnToken | None], Callable[[Config], GatedForge | NoForge]]


def follow_clusters(name: str, location: str, news: Callable[[], None]) -> ArgoClusters:
    """Return control planes whose Applications are followed; `news` is called when they change.

    Args:
        name: what the repository at `location` calls itself.
    """
    from gitops.adapters.argocd.clusters import open_clusters

    return open_clusters(os.environ, name, location, news)


@contextmanager
def open_door(location: str, branch: str | None = None, *, budget: float = 60.0) -> Iterator[Door]:
    """Open the repository at `location` for many calls, whose sessions may stand side by side.

    `budget`: seconds that lost races and a server that does not answer may cost a call. Raises
    NotFound when there is no repository, UsageError for an address that is none.
    """
    from msgspec.structs import replace

    from gitops import wiring
    from gitops.actions.context.kept import KeptOverlays
    from gitops.adapters.gitrepo.repository import open_repository
    from gitops.config import load_config

    kept, read = KeptOverlays(), lru_cache(4)(load_config)
    timeout = max(min(budget, 60.0), 1.0)
    with open_repository(location, environ=os.environ, timeout=timeout) as repository:

        def session(opened: ExitStack) -> Session:
            made = wiring.new_session(
                opened, repository, location, branch, budget=budget, timeout=timeout
            )
            silent = {"say": _nobody, "retry": _nobody}
            tree = repository.work_tree()
            return replace(made, work_tree=tree, load_config=read, kept=kept, **silent)

        yield Door(repository, session, lambda token: _forge_as(repository, token, budget))


def system_clock() -> Clock:
    """Return the time of this machine."""
    from gitops.adapters.local.clock import SystemClock

    return SystemClock()


def open_registry() -> AbstractContextManager[Registry]:
    """Open registries for whoever asks them beside a session, by the credentials of now."""
    from gitops.adapters.registry.registry import OciRegistry

    return closing(OciRegistry(os.environ, system_clock(), _LONGEST_ANSWER))


def _forge_as(
    repository: GitRepository, token: OwnToken | None, budget: float
) -> Callable[[Config], GatedForge | NoForge]:
    """Return what opens the forge for one person; see `Door`."""

    def opened(config: Config) -> GatedForge | NoForge:
        from gitops.adapters.forges.opening import open_forge
        from gitops.adapters.local.clock import SystemClock
        from gitops.errors import Denied
        from gitops.ports import NoForge

        seconds = max(budget, 15.0)
        forge = open_forge(repository, config, SystemClock(), seconds, os.environ, token)
        if token is None and not isinstance(forge, NoForge):
            raise Denied(
                f"{forge.describe()} must hear it from you, and this server has no token of yours",
                hint="approve it there, or sign in here by that forge",
            )
        return forge

    return opened


def _nobody(*_: str) -> None:
    """Nobody waits at a terminal."""
