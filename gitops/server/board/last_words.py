"""What pods said last, read when somebody looks at an overlay that is not well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from gitops.actions.argocd.last_words import LastWords, read_last_words
from gitops.actions.argocd.live_cells import WITHIN
from gitops.server.board.board import BoardCell
from gitops.server.readings import SharedReadings

if TYPE_CHECKING:
    from gitops.core.environments.environment import Config
    from gitops.ports import Clusters

_PATIENCE = 2.5  # seconds that a page waits
_FRESH = 15.0  # seconds for which what was read is shown
_MOST_KEPT = 200
_NOT_WELL = frozenset({"degraded", "failed", "progressing"})


class LastWordsReader:
    """One reading for all who look at the same overlay; used on the event loop.

    Args:
        run: runs in a thread what blocks.
        clusters: those that are followed; None: none is.
        arrived: called with what messages call an overlay when that was read after all, which a
            page gave up to wait for.
    """

    def __init__(
        self,
        run: Callable[..., Coroutine[Any, Any, Any]],
        clusters: Callable[[], Clusters | None],
        arrived: Callable[[str], None],
    ) -> None:
        self._run = run
        self._clusters = clusters
        self._arrived = arrived
        self._readings: SharedReadings[tuple[LastWords, ...]] = SharedReadings(_MOST_KEPT)

    async def of(self, config: Config, cell: BoardCell) -> tuple[LastWords, ...] | None:
        """Return what is not well there, () where nothing is.

        None: the cluster takes longer than a page waits; `arrived` is called then. Raises
        Unavailable when all threads are busy.
        """
        refs = [one.ref for one in cell.applications if one.state in _NOT_WELL]
        clusters = self._clusters()
        if not refs or clusters is None:
            return ()
        key = (cell.label, tuple(refs))
        reading = self._readings.find(key, _FRESH)
        if reading is None:
            row = cell.environment

            def read() -> tuple[LastWords, ...]:
                return read_last_words(clusters, config, row, refs, within=WITHIN)

            reading = self._readings.begin(key, self._run(read))
        done, _ = await asyncio.wait([reading], timeout=_PATIENCE)
        if done:
            return reading.result()
        reading.add_done_callback(lambda ended: self._tell(cell.label, ended))
        return None

    def _tell(self, label: str, ended: asyncio.Task[tuple[LastWords, ...]]) -> None:
        if not ended.cancelled() and ended.exception() is None:
            self._arrived(label)
