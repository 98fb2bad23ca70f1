"""What the server tells of itself: figures, and lines of JSON."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from gitops.server.board.board import Board, BoardCell
from gitops.server.telemetry.logs import JsonLines, set_up_logs


def figures(client: TestClient) -> dict[tuple[str, ...], float]:
    """Return (name, label values by the order of the labels' names…) -> value."""
    text = client.get("/metrics").text
    return {
        (one.name, *(text for _, text in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_prometheus_reads_what_runs_since_when(shop: TestClient) -> None:
    """Releases with their time, holds, what needs a look; and how old that is."""
    told = figures(shop)

    assert told["gitops_release_timestamp_seconds", "api", "prod"] > 1_700_000_000
    assert told["gitops_held", "api", "prod"] == 1
    assert told["gitops_held", "web", "prod"] == 0
    assert told["gitops_needs_a_look", "web", "dev"] == 1
    assert told["gitops_proposed", "worker", "prod"] == 1
    assert told["gitops_board_age_seconds",] < 60


def test_overlays_are_told_by_no_thread_that_answers(
    shop: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of them take a moment: once for a board, and while others are answered."""
    first = figures(shop)
    workers: list[bool] = []

    def generate(registry: CollectorRegistry) -> bytes:
        with suppress(RuntimeError):  # the event loop runs in this thread
            workers.append(asyncio.get_running_loop() is not None)
        return generate_latest(registry)

    def cells(board: Board) -> Iterator[BoardCell]:
        raise AssertionError("all overlays were gone through once more")

    monkeypatch.setattr("gitops.server.telemetry.metrics.generate_latest", generate)
    monkeypatch.setattr(Board, "cells", cells)
    again = figures(shop)
    assert [] == workers
    for name in ("gitops_held", "gitops_needs_a_look", "gitops_release_timestamp_seconds"):
        assert first[name, "api", "prod"] == again[name, "api", "prod"]


def test_what_was_done_is_counted(shop: TestClient) -> None:
    """The writer's queue and pushes, alerts, messages: also before there was any."""
    told = figures(shop)

    for name in ("writer_pushes", "writer_calls", "alerts_acted", "messages_sent"):
        assert told[f"gitops_{name}_total",] >= 0
    assert told["gitops_messages_failed_total",] == 0
    assert told["gitops_writer_waiting",] == 0


def test_requests_are_counted_by_patterns(shop: TestClient) -> None:
    """However many addresses strangers try, the figures stay as many as there are routes."""
    before = figures(shop)
    shop.get("/e/prod/api")
    for number in range(5):
        shop.get(f"/nowhere/{number}")
    after = figures(shop)

    name = "gitops_http_requests_total"
    page = (name, "GET", "/e/{environment}/{app}", "200")
    assert after[page] == before.get(page, 0) + 1
    assert after[name, "GET", "none", "404"] >= 5
    assert not [key for key in after if any("nowhere" in part for part in key)]


def test_a_line_of_the_log_is_one_document() -> None:
    """What came from outside begins no line of its own; an exception stays inside."""
    record = logging.LogRecord(
        "gitops.x", logging.INFO, "f", 1, "asked\n{%s}", ("\u2028a\x1b",), None
    )
    record.person = "user:ana@example.com"

    line = JsonLines().format(record)

    assert "\n" not in line
    told = json.loads(line)
    assert told["person"] == "user:ana@example.com"
    assert told["level"] == "info"
    assert "\x1b" not in told["message"]


def test_requests_are_logged_without_their_query(shop: TestClient) -> None:
    """Who asked for what, and how it ended; probes say nothing, and no query is kept."""
    stream = io.StringIO()
    set_up_logs(stream)
    try:
        shop.get("/holds?code=secret")
        shop.get("/healthz")
    finally:
        logging.getLogger("gitops").handlers = []
        logging.getLogger("gitops").propagate = True

    lines = [json.loads(one) for one in stream.getvalue().splitlines()]
    assert [(one["path"], one["status"], one["person"]) for one in lines] == [
        ("/holds", 200, "user:ana@example.com")
    ]
    assert "secret" not in stream.getvalue()


def test_a_bug_is_a_page_without_a_traceback(
    shop: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 500, its kind, and nothing of the inside."""

    def break_down(*_: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr("gitops.server.pages.routes.shown_board", break_down)
    quiet = TestClient(shop.app, base_url=str(shop.base_url), raise_server_exceptions=False)
    answer = quiet.get("/?q=never+asked")

    assert answer.status_code == 500
    assert "this is a bug in gitops: RuntimeError" in answer.text
    assert "the secret inside" not in answer.text
