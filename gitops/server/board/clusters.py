"""What the clusters say of each overlay, and who is told when that changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from gitops.actions.index.state import IndexState
from gitops.core.argocd.reports import Live

ClusterListener = Callable[[str, str | None, Live | None, Live | None], None]
"""Is told the environment, the app (None: the repository has no apps), what its clusters said
before, and what they say now. None before: it was not looked at yet; None now: it is gone, or no
cluster is set up for it any more. `Live.applications` have the states (`degraded`, …)."""

_log = logging.getLogger("gitops.server")


class ClusterNews:
    """Compares each look at the clusters with the one before it, and tells who listens.

    Attributes:
        lives: name of an overlay -> what its clusters say, as of the last look.
    """

    def __init__(self) -> None:
        self.lives: Mapping[str, Live] = {}
        self._overlays: dict[str, tuple[str, str | None]] = {}
        self._listeners: list[ClusterListener] = []

    def on_change(self, listener: ClusterListener) -> None:
        """Call `listener` from now on for each overlay whose clusters say something else.

        It is called from the thread that looks, which goes on when it returns: what takes longer
        than a moment belongs in a thread of its own. What it raises is logged.
        """
        self._listeners.append(listener)

    def take(self, state: IndexState, lives: Mapping[str, Live]) -> None:
        """Take in one look, and tell what is new."""
        before, self.lives = self.lives, lives
        gone = self._overlays
        self._overlays = {
            name: (one.overlay.environment.name, one.overlay.app)
            for name, one in state.cells.items()
        }
        for name in before.keys() | lives.keys():
            old, new = before.get(name), lives.get(name)
            if old is not new and old != new:
                self._tell(*(self._overlays.get(name) or gone[name]), old, new)

    def _tell(self, environment: str, app: str | None, old: Live | None, new: Live | None) -> None:
        for listener in self._listeners:
            try:
                listener(environment, app, old, new)
            except Exception:  # noqa: BLE001 - one listener must not keep others from hearing
                _log.exception("a change in a cluster could not be dealt with")
