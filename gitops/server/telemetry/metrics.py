"""`/metrics`: how the server fares, and what runs where since when.

Names and units follow Prometheus' own advice (prometheus.io/docs/practices/naming). Rules may say
`time() - gitops_release_timestamp_seconds < 1800` themselves: "newly released".
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gitops import __version__
from gitops.server.board.board import Board, BoardCell

if TYPE_CHECKING:
    from gitops.server.images.updater import ImageUpdater
    from gitops.server.service import Service

_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PLACE = ("environment", "app")
_IMAGE_PLACE = ("image", *_PLACE)


class Metrics:
    """The figures of one server."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "gitops_http_requests",
            "Requests that were answered, by route and status",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "gitops_http_request_seconds",
            "How long an answer took, streams apart",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(self)
        self._lock = threading.Lock()
        self._told: tuple[Board, bytes] | None = None  # of the last board that was asked about

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; `route` is a pattern of ours, never what somebody typed."""
        self._requests.labels(method, route, str(status)).inc()
        if route != "/events":
            self._seconds.labels(route).observe(seconds)

    def collect(self) -> Iterable[Metric]:
        """Tell what is known now; asked by the registry."""
        service = self._service
        keeper = service.board
        yield _gauge("gitops_build_info", "The version that runs", 1.0, version=__version__)
        yield _gauge("gitops_streams", "Pages that listen for events", service.hub.listening)
        yield _gauge("gitops_workers_busy", "Calls that run or wait", service.workers.busy)
        yield _gauge("gitops_board_looks", "Looks at Git since the start", keeper.looks)
        yield _gauge("gitops_board_age_seconds", "Age of the last look that worked", keeper.age())
        yield from _images(service.images)
        yield from self._done()

    def _done(self) -> Iterator[Metric]:
        """Yield what writer, alerts and messages came to since the start."""
        service, writer = self._service, self._service.desk.writer
        waiting = writer.waiting if writer is not None else 0
        yield _gauge("gitops_writer_waiting", "Calls that wait for their round", waiting)
        figures = writer.figures if writer is not None else None
        for name, help_text, count in (
            ("gitops_writer_pushes", "Pushes that were tried", figures.pushes if figures else 0),
            ("gitops_writer_calls", "Calls that pushes carried", figures.carried if figures else 0),
            ("gitops_alerts_acted", "Alerts that something was done about", service.alerts.acted),
            ("gitops_messages_sent", "Messages that went out", service.teller.sent),
            ("gitops_messages_failed", "Messages that were given up", service.teller.failed),
        ):
            yield CounterMetricFamily(name, help_text, count)

    def describe(self) -> Iterable[Metric]:
        """Tell nothing before the first question; asked by the registry."""
        return ()

    def render(self) -> bytes:
        """Return the whole page; for any thread, since a large board takes a moment."""
        return generate_latest(self._registry) + self._of_board()

    def _of_board(self) -> bytes:
        """Return what is told of each overlay: worked out once for a board, whoever asks."""
        board = self._service.board.current()
        if board is None:
            return b""
        with self._lock:
            if self._told is None or self._told[0] is not board:
                registry = CollectorRegistry()
                registry.register(_Overlays(board))
                self._told = board, generate_latest(registry)
            return self._told[1]


def metric_routes(metrics: Metrics) -> list[BaseRoute]:
    """Return `/metrics`."""

    async def page(_request: Request) -> Response:
        return Response(await asyncio.to_thread(metrics.render), media_type=_TYPE)

    return [Route("/metrics", page, methods=["GET"])]


def _gauge(name: str, help_text: str, value: float, **labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=tuple(labels))
    family.add_metric(tuple(labels.values()), value)
    return family


def _images(updater: ImageUpdater) -> Iterator[GaugeMetricFamily]:
    """Yield how looking for pushed images goes."""
    yield _gauge("gitops_image_looks", "Looks at registries since the start", updater.looks)
    deploys = GaugeMetricFamily(
        "gitops_image_deploys", "Deploys of pushed images since the start", labels=("outcome",)
    )
    for outcome, number in sorted(updater.outcomes.items()):
        deploys.add_metric((outcome,), number)
    yield deploys
    known = updater.known
    if known is None:
        return
    waiting = GaugeMetricFamily(
        "gitops_image_stays_out", "Whether a newer pushed image stays out", labels=_IMAGE_PLACE
    )
    for one in known.images:
        found = one.finding
        place = (found.image, found.overlay.environment.name, found.overlay.app or "")
        waiting.add_metric(place, float(found.found is not None and bool(found.why)))
    yield waiting
    yield _gauge(
        "gitops_image_problems", "Images that registries tell nothing of", len(known.problems)
    )


class _Overlays:
    """A collector of what is known of each overlay."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterable[Metric]:
        """Tell it."""
        return _cells(self._board.cells())


def _cells(cells: Iterable[BoardCell]) -> Iterator[GaugeMetricFamily]:
    """Yield what is known of each overlay; `app` is empty where there are none."""
    released = GaugeMetricFamily(
        "gitops_release_timestamp_seconds", "When the newest release was committed", labels=_PLACE
    )
    held = GaugeMetricFamily("gitops_held", "Whether automation is kept away", labels=_PLACE)
    bad = GaugeMetricFamily("gitops_needs_a_look", "Whether what is known is bad", labels=_PLACE)
    waits = GaugeMetricFamily("gitops_proposed", "Whether a change waits", labels=_PLACE)
    for cell in cells:
        place = (cell.environment.name, cell.app or "")
        if cell.release is not None and cell.release.time is not None:
            released.add_metric(place, cell.release.time.timestamp())
        held.add_metric(place, float(cell.hold is not None))
        bad.add_metric(place, float(cell.is_bad))
        waits.add_metric(place, float(cell.proposal is not None))
    yield from (released, held, bad, waits)
