"""Has Argo CD look at Git when a release lies there that it has not seen."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from gitops.actions.argocd.live_cells import WITHIN
from gitops.actions.argocd.refresh import REFRESH_AGAIN, refresh_applications
from gitops.core.argocd.application import ApplicationRef
from gitops.core.argocd.reports import Live
from gitops.core.environments.environment import label_of
from gitops.errors import Denied, GitopsError
from gitops.server.polling import Poller

if TYPE_CHECKING:
    from gitops.core.environments.environment import Config
    from gitops.ports import Clusters

_TRIES: Final = 5  # each twice as far from the one before; then Argo CD's own interval is left
_REST: Final = 3600.0  # seconds, where Argo CD may not be asked

_log = logging.getLogger("gitops.server")


class _Unseen(Struct):
    environment: str
    app: str | None
    due: float
    tries: int = 0


class ApplicationRefresher(Poller):
    """Listens to what changes in the clusters (`server/board/clusters.py`); for any thread.

    Whoever wrote the release, nobody waits for Argo CD's own interval: an approval that a forge
    merged, a deploy of CI, a revert by hand. Argo CD is asked nothing else, and again only while
    it has not looked.

    Args:
        policy: what gitops.yaml said when it was read last, None before that.
        lives: overlay -> what its clusters say now.
        clusters: those that are followed; None: none is.
        is_my_turn: whether this replica does that, right now.
        again: seconds until the second time.
    """

    def __init__(
        self,
        policy: Callable[[], Config | None],
        lives: Callable[[], Mapping[str, Live]],
        clusters: Callable[[], Clusters | None],
        is_my_turn: Callable[[], bool],
        *,
        again: float = REFRESH_AGAIN,
    ) -> None:
        super().__init__("gitops-refresh")
        self._policy = policy
        self._lives = lives
        self._clusters = clusters
        self._is_my_turn = is_my_turn
        self._again = again
        self._lock = threading.Lock()
        self._unseen: dict[str, _Unseen] = {}
        self._denied: dict[str, float] = {}  # cluster -> until when it is not asked

    def heard(
        self, environment: str, app: str | None, _before: Live | None, now: Live | None
    ) -> None:
        """Take in what a cluster says now."""
        if not _behind(now):
            return
        with self._lock:
            self._unseen.setdefault(
                label_of(environment, app), _Unseen(environment, app, time.monotonic())
            )
        self.wake()

    def _keep(self) -> None:
        while not self._stopping:
            self._wake.clear()
            now = time.monotonic()
            with self._lock:
                ripe = {label: one for label, one in self._unseen.items() if one.due <= now}
            for label, one in ripe.items():
                if self._stopping:
                    return
                if not self._look(label, one):
                    with self._lock:
                        del self._unseen[label]
            with self._lock:
                due = min((one.due for one in self._unseen.values()), default=now + _REST)
            self._rest(due, now)

    def _look(self, label: str, one: _Unseen) -> bool:
        """Ask for an overlay whose turn it is; say whether it is worth another look."""
        refs = _behind(self._lives().get(label))
        if not refs:
            return False
        one.due = time.monotonic() + self._again * 2**one.tries
        config, clusters = self._policy(), self._clusters()
        if config is None or clusters is None or not self._is_my_turn():
            return True
        row = config.find(one.environment)
        if row is None:
            return False
        now = time.monotonic()
        refs = tuple(ref for ref in refs if self._denied.get(ref.cluster, now) <= now)
        try:
            failed = refresh_applications(clusters, config, row, refs, within=WITHIN)
        except GitopsError as error:
            _log.info("Argo CD was not asked to look at %s: %s", label, error.message)
        except Exception:  # noqa: BLE001 - one that fails must not keep others from being asked for
            _log.exception("Argo CD was not asked to look at %s", label)
        else:
            self._note(failed)
        one.tries += 1
        return one.tries < _TRIES

    def _note(self, failed: dict[ApplicationRef, GitopsError]) -> None:
        for ref, error in failed.items():
            if not isinstance(error, Denied):
                _log.info("%s was not refreshed: %s", ref.name, error.message)
            elif self._denied.get(ref.cluster, 0.0) < time.monotonic():
                self._denied[ref.cluster] = time.monotonic() + _REST
                _log.warning(
                    "Argo CD looks at Git by itself, every few minutes, since it may not be asked: "
                    "%s",
                    error.message,
                )


def _behind(live: Live | None) -> tuple[ApplicationRef, ...]:
    """Return the Applications that have not looked at the newest release."""
    if live is None:
        return ()
    return tuple(one.ref for one in live.applications if one.state == "unseen")
