"""Puts adapters behind the ports. The only place that imports them, inside functions.

A session is opened in two steps: `open_session` starts the fetch in the background, and the
function that it yields makes the session; the command imports its action in between, so that
start-up and network overlap.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any

from gitops import interrupts

if TYPE_CHECKING:
    from gitops.actions.context.session import Combining, Session
    from gitops.adapters.gitrepo import GitRepository
    from gitops.adapters.gitrepo.offline import OfflineRepository
    from gitops.adapters.local.progress import Progress
    from gitops.adapters.registry.first_look import FirstLook
    from gitops.adapters.server.client import ServerClient
    from gitops.core.environments.environment import Config, ForgeSetting
    from gitops.core.text.counting import Count
    from gitops.ports import Clusters, GatedForge, NoForge, Renderer, Sources
    from gitops.ports.repository import Start
    from gitops.ports.signatures import Signatures


_LONGEST_LOOK = 30.0  # seconds that one question to a registry may take

_begun: dict[tuple[str, str | None], GitRepository] = {}
_looks: dict[tuple[str, str | None], FirstLook] = {}


def begin(location: str, branch: str | None, start: Start, images: Sequence[str] = ()) -> None:
    """Begin to read what `open_session` will be asked for; what is wrong with it is said then.

    `images`: of a deploy, which are looked up where the one before has looked them up.
    """
    from gitops.errors import GitopsError

    atexit.register(_close_begun)
    if images and "://" in location:
        _look_ahead(location, branch, images)  # on its way while all else is loaded
    line = None
    try:
        if location.startswith(("http://", "https://")):
            from gitops.adapters.gitrepo.remote.line import open_line

            line = open_line(location, environ=os.environ, progress=say)
            line.begin()
        from gitops.adapters.gitrepo.repository import open_repository

        repository = open_repository(location, environ=os.environ, progress=say, line=line)
    except GitopsError:
        if line is not None:
            line.close()
        return
    try:
        repository.begin(branch, start)
    except GitopsError:
        repository.close()
        return
    _begun[location, branch] = repository


def _look_ahead(location: str, branch: str | None, images: Sequence[str]) -> None:
    """Begin to look images up where the last deploy to this URL did."""
    from gitops.adapters.gitrepo.cache.index import KeptIndex, shelf_of
    from gitops.ports.index import LOOKS

    shelf = shelf_of(os.environ, None, location)
    if shelf is None or not (index := KeptIndex(shelf)).page(LOOKS):
        return
    from gitops.actions.images.known import recall

    asked = list(recall(index, images))
    look = _looks[location, branch] = _first_look(_LONGEST_LOOK)
    for name, reference in asked:
        look.begin(name, reference)


def _close_begun() -> None:
    """Stop what nobody asked for: the command line turned out to be wrong, or was another one."""
    while _begun:
        _begun.popitem()[1].close()


@contextmanager
def open_session(
    location: str,
    branch: str | None,
    *,
    dry_run: bool = False,
    budget: float = 60.0,
    writes: bool = False,
    start: Start = "tip",
    combines: bool = False,
    verbose: bool = False,
) -> Iterator[Callable[[], Session]]:
    """Open the repository at `location` and yield a function that makes the session.

    `start` says what the command will need first. `combines`: a key in the environment lets
    writers carry each other's changes. `verbose`: tell what else goes on.
    Raises NotFound when there is no repository, UsageError for a key that is none.
    """
    from gitops.adapters.gitrepo.repository import open_repository

    timeout = max(min(budget, 60.0) if writes and budget > 0 else 60.0, 1.0)
    begun = _begun.pop((location, branch), None)
    with ExitStack() as opened:
        repository = begun or open_repository(
            location, environ=os.environ, progress=say, timeout=timeout
        )
        opened.callback(repository.close)
        if begun is None:
            repository.begin(branch, start)
        repository.wait_at_most(timeout)
        if writes and os.environ.get("GITOPS_SIGN"):
            from gitops.adapters.forges import opening

            repository.signer = opening.open_signer(repository, os.environ, timeout)

        def session() -> Session:
            from msgspec.structs import replace

            made = new_session(opened, repository, location, branch, budget=budget, timeout=timeout)
            return replace(
                made,
                dry_run=dry_run,
                work_tree=repository.work_tree(),
                combining=_combining(repository) if combines else None,
                detail=say if verbose else made.detail,
            )

        yield session


def new_session(
    opened: ExitStack,
    repository: GitRepository,
    location: str,
    branch: str | None,
    *,
    budget: float,
    timeout: float,
) -> Session:
    """Return the session of one call, with an intent of its own."""
    from gitops.actions.context.session import Session
    from gitops.adapters.local.clock import SystemClock
    from gitops.config import load_config

    clusters = _Late(opened, lambda: _clusters(repository, location))
    interrupts.writes(intent := new_id())
    return Session(
        repository=repository,
        evidence=repository,
        clock=SystemClock(),
        load_config=load_config,
        identity=repository.identity,
        intent=intent,
        branch=branch,
        budget=budget,
        sources=_Late(opened, lambda: _sources(repository, timeout)),
        forge=_forge_opener(repository, budget),
        archive=repository.commits,
        index=repository.index(),
        clusters=clusters,
        jobs=clusters,
        renderer=open_renderer,
        registry=_Late(opened, lambda: _registry(location, branch, timeout)),
        signatures=_Late(opened, _signatures),
        say=say,
        retry=_retry,
        count=who_counts(),
    )


class _Late:
    """A port that is opened when it is used first, and closed with the session."""

    def __init__(
        self, opened: ExitStack, way: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._opened = opened
        self._way = way

    def __getattr__(self, name: str) -> Any:
        if "_port" not in vars(self):
            self._port = self._opened.enter_context(self._way())
        return getattr(self._port, name)


@contextmanager
def open_kept(location: str, branch: str | None = None) -> Iterator[Callable[[], Session]]:
    """Open a repository for many calls of one process, and yield what makes the session of each.

    The connection, the store and what was read of it stay, so a call costs what has changed since
    the one before. What decides is read anew: a write is tried on the newest commit that is known
    and lands only where that is the newest, all else asks the remote.

    One call at a time: the next session ends the one before. Raises what `open_session` does.
    """
    from msgspec.structs import replace

    from gitops.actions.context.kept import KeptOverlays
    from gitops.adapters.gitrepo.repository import open_repository
    from gitops.config import load_config

    kept, read = KeptOverlays(), lru_cache(4)(load_config)
    with (
        ExitStack() as opened,
        open_repository(location, environ=os.environ, progress=say) as repository,
    ):

        def session() -> Session:
            opened.close()
            repository.again()
            made = new_session(opened, repository, location, branch, budget=60.0, timeout=60.0)
            return replace(made, work_tree=repository.work_tree(), load_config=read, kept=kept)

        yield session


def _sources(repository: GitRepository, timeout: float) -> AbstractContextManager[Sources]:
    from gitops.adapters.gitrepo.remote.sources import GitSources

    home = repository.remote_url
    return GitSources(os.environ, home=home, progress=say, timeout=timeout)


def _clusters(repository: GitRepository, location: str) -> AbstractContextManager[Clusters]:
    from gitops.adapters.argocd.clusters import open_clusters

    return open_clusters(os.environ, repository.describe(), location)


def _signatures() -> AbstractContextManager[Signatures]:
    from gitops.adapters.registry.verify import ImageSignatures  # only few calls check signatures

    return nullcontext(ImageSignatures())


def _registry(
    location: str, branch: str | None, timeout: float
) -> AbstractContextManager[FirstLook]:
    begun = _looks.pop((location, branch), None)
    return closing(begun or _first_look(min(timeout, _LONGEST_LOOK)))


def _first_look(within: float) -> FirstLook:
    from gitops.adapters.local.clock import SystemClock
    from gitops.adapters.registry.first_look import FirstLook  # few ask registries

    return FirstLook(os.environ, SystemClock(), within)


def open_offline(location: str, branch: str | None) -> AbstractContextManager[OfflineRepository]:
    """Open what is known of a repository without asking anybody; None: its default branch."""
    from gitops.adapters.gitrepo.offline import open_offline as opened

    return opened(location, branch, os.environ)


def _combining(repository: GitRepository) -> Combining | None:
    """Return what combining needs, None where no key is given (an empty one is none)."""
    text = os.environ.get("GITOPS_COMBINE_KEY", "").strip()
    if not text:
        return None
    from gitops.actions.context.session import Combining
    from gitops.core.batch.intents import key_from

    return Combining(repository.intents(), key_from(text), repository.address())


def _forge_opener(
    repository: GitRepository, budget: float
) -> Callable[[Config], GatedForge | NoForge]:
    """Return what opens the forge of a repository: once for a call, and nothing before."""
    opened: dict[ForgeSetting | None, GatedForge | NoForge] = {}

    def forge(config: Config) -> GatedForge | NoForge:
        if config.forge not in opened:
            from gitops.adapters.forges.opening import open_forge
            from gitops.adapters.local.clock import SystemClock

            seconds = max(budget, 15.0)
            opened[config.forge] = open_forge(
                repository, config, SystemClock(), seconds, os.environ
            )
        return opened[config.forge]

    return forge


def app_credential(asked: Mapping[str, str]) -> dict[str, str]:
    """Answer Git as a credential helper: what a GitHub App of the environment may write with."""
    from gitops.adapters.forges import opening

    return opening.app_credential(asked, os.environ)


def forge_of_source(location: str) -> Callable[[str, Config], GatedForge | NoForge]:
    """Return what opens the forge of a source repository, by its URL."""
    from gitops.adapters.forges.opening import forge_of_source

    return forge_of_source(location, os.environ)


def open_renderer(*, require_isolation: bool = False) -> Renderer | None:
    """Return the kustomize that is at hand, None when there is none.

    Raises Denied with `require_isolation` where its builds could see this machine.
    """
    from gitops.adapters.local.kustomize import find_kustomize

    return find_kustomize(os.environ, require_isolation=require_isolation)


@cache
def _progress() -> Progress:
    from gitops.adapters.local.progress import Progress

    return Progress()


def say(text: str) -> None:
    """Tell a waiting person what is going on, on standard error."""
    _progress().say(text)


def who_counts() -> Count:
    """Return what tells them how far some work is: somebody who sits at a terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        return _progress().count
    return lambda _doing, _done, _total: None


def _retry(trouble: str, tries: str) -> None:
    """Tell them of one more try."""
    _progress().retry(trouble, tries)


def new_id() -> str:
    """Return the id of a call that begins now."""
    import time

    from gitops.core.git.commit import timed_id

    return timed_id(time.time(), os.urandom(10))


def open_server(url: str, tell: Callable[[str], None]) -> ServerClient:
    """Return what calls the server at `url`. Raises UsageError for what is no address.

    `tell` is told when it does not answer, and is waited for.
    """
    from gitops.adapters.server.client import ServerClient, find_token

    return ServerClient(url, partial(find_token, os.environ), os.environ, tell)
