"""The line to a remote: Git's settings are read and the connection is made, before all else.

Needs little, so that both go on in the background while the rest of gitops is loaded. Where the
settings say that git speaks itself (a proxy, another address, ...) nothing is connected to:
`wire/terms.py` decides.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from gitops.adapters.gitrepo.command.address import address
from gitops.adapters.gitrepo.command.process import Git, wait_for
from gitops.adapters.gitrepo.command.settings import KnownSettings, SettingLine

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.wire.wire import Wire

T = TypeVar("T")


class Background(Generic[T]):
    """Work on a thread of its own: the caller loads modules meanwhile, and can be stopped.

    It begins at once; `stop` makes it end soon when nobody waits for it any more. Waiting goes as
    it does for a git that runs: whoever waits over a second is told for whom, and there is a limit.
    """

    def __init__(self, git: Git, work: Callable[[], T], stop: Callable[[], None]) -> None:
        self._git = git
        self._work = work
        self._stop = stop
        self._since = time.monotonic()
        self._done = threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:  # noqa: BLE001 -- raised again where somebody waits
            self._error = error
        finally:
            self._done.set()

    def wait(self, doing: str) -> T:
        """Return what the work returned, or raise what it raised. Raises TimedOut.

        `doing` ("waiting for X") is told to whoever waits over a second.
        """
        try:
            wait_for(self._done.wait, self._git, self._since, doing)
        except BaseException:
            self.stop()
            raise
        return self.join()

    def join(self) -> T:
        """The same, however long it takes: for work that goes on after this one."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return cast("T", self._result)

    def stop(self) -> None:
        """End it, if it still runs."""
        if not self._done.is_set():
            self._stop()


class Line:
    """One remote, before anything is read of it.

    Args:
        url: where it is fetched from, without secrets.
        given: Git's configuration where it is known already (a checkout).

    Attributes:
        git: runs git with the credentials of this remote.
        ssh: git will start ssh.
        settings: Git's configuration as it holds for the remote.
    """

    def __init__(
        self,
        git: Git,
        url: str,
        *,
        ssh: bool = False,
        given: tuple[SettingLine, ...] | None = None,
    ) -> None:
        self.git = git
        self.url = url
        self.ssh = ssh
        self.settings = KnownSettings(git, _empty_repository, given)
        self._begun = False
        self._wire: Wire | None = None
        self._connecting: Background[None] | None = None

    @property
    def is_http(self) -> bool:
        """It may be spoken to in process."""
        return self.url.startswith(("http://", "https://"))

    def begin(self) -> None:
        """Read the settings, and connect; once, in the background."""
        if self._begun:
            return
        self._begun = True
        self.settings.begin()
        if self.is_http:
            self._wire = self._new()
            self._connecting = self._connect(self._wire)

    def _new(self) -> Wire:
        from gitops.adapters.gitrepo.wire.wire import Wire

        return Wire(self.git, self.url, self._lines)

    def _connect(self, wire: Wire) -> Background[None]:
        return Background(self.git, wire.connect, wire.stop)

    def _lines(self) -> Sequence[SettingLine]:
        lines = self.settings.lines(quiet=True)
        if not self.settings.readable:
            from gitops.adapters.gitrepo.wire.pkt import NotGit

            raise NotGit("git does not understand its settings")
        return lines

    def take(self) -> tuple[Wire, Background[None] | None]:
        """Return the connection, and what makes it, where that has begun; later another one."""
        self._begun = True
        found = self._wire or self._new(), self._connecting
        self._wire = self._connecting = None
        return found

    def close(self) -> None:
        """Stop what was begun and nobody took."""
        self.settings.stop()
        if self._connecting is not None:
            self._connecting.stop()
        if self._wire is not None:
            self._wire.close()


def open_line(
    location: str,
    *,
    environ: Mapping[str, str],
    progress: Callable[[str], None] | None = None,
    timeout: float = 60.0,
) -> Line:
    """Return the line to the remote at a URL; nothing is asked yet. Raises UsageError for none.

    Args: as those of `repository.open_repository`.
    """
    where = address(location)
    git = Git(
        environ, after=where.settings, secrets=where.secrets, timeout=timeout, progress=progress
    )
    return Line(git, where.url, ssh=where.ssh)


@contextmanager
def _empty_repository() -> Iterator[Sequence[str]]:
    """Make a repository where the stores are; yield what points git at it."""
    from gitops.adapters.gitrepo.objects.temporary import make_repository, remove_repository

    path, lock = make_repository("sha1")
    try:
        yield (f"--git-dir={path}",)
    finally:
        remove_repository(path, lock)
