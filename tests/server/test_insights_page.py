"""Insights on the page: the numbers of `gitops insights`, read once, drawn with nothing inline."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from gitops.actions import insights as action
from gitops.core.insights.numbers import Insights, Week
from gitops.core.insights.statistics import Quantiles
from gitops.server.pages import insights_page
from gitops.server.pages.insights_page import InsightsQuestion, read_question
from gitops.server.pages.insights_plots import HIGH, WIDE, duration_plot, week_plot


def test_three_forms_of_one_answer(shop: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page, JSON and CSV tell the same, and Git is read for the first of them only."""
    reads: list[object] = []
    read = action.read_insights

    def counted(*words: object, **more: object) -> Insights:
        reads.append(more)
        return read(*words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(action, "read_insights", counted)
    query = "?environment=prod&app=api&since=30d"
    page = shop.get(f"/insights{query}").text
    document = shop.get(f"/v1/insights{query}").json()
    table = list(csv.DictReader(io.StringIO(shop.get(f"/insights.csv{query}").text)))

    assert 1 == len(reads)
    assert ["prod"] == [one["group"] for one in document["environments"]]
    assert len(table) == document["total"]["deployments"] > 0
    assert f"<strong>{len(table)}</strong>" in page
    assert f'href="/insights.csv{query.replace("&", "&amp;")}"' in page
    assert "<option selected>prod</option>" in page
    assert {"api"} == {one["app"] for one in table}


def test_the_page_draws_every_group(shop: TestClient) -> None:
    """Each environment and app has a row; what failed stands in its week; few samples are told."""
    text = shop.get("/insights").text
    table = text[text.index("By environment") :]

    for name in ("dev", "test", "stage", "prod", "payments"):
        assert f'<th scope="row">{name}</th>' in table
    assert re.search(r"[1-9]\d* deployments, [12] failed, [1-9] rollbacks", text)
    assert text.count('<svg class="plot') == 3
    assert "of 1" in table


def test_nothing_yet_teaches(shop: TestClient) -> None:
    """Where nothing was deployed the page says what counts, and what to type."""
    text = shop.get("/insights?environment=prod&app=mail&since=7d").text

    assert "No deployment in this period" in text
    assert re.search(r"<code>gitops deploy \S+:TAG --to \w+</code>", text)
    assert '<svg class="plot' not in text


def test_what_is_not_there(shop: TestClient) -> None:
    """A name that is none is told, and asked for anew the next time; a strange period is ours."""
    for _ in range(2):
        assert 404 == shop.get("/insights?environment=moon").status_code
    assert 404 == shop.get("/insights.json?app=nobody").status_code
    assert InsightsQuestion() == read_question({"since": "1000y", "environment": "  "})
    assert "?app=a%26b&since=7d" == read_question({"app": "a&b", "since": "7d"}).query
    assert 200 == len(read_question({"app": "x" * 999}).app)


def test_answers_are_not_kept_for_ever(shop: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Now moves on: after a while the same is read again."""
    reads: list[object] = []
    read = action.read_insights
    monkeypatch.setattr(
        action, "read_insights", lambda *words, **more: reads.append(1) or read(*words, **more)
    )
    monkeypatch.setattr(insights_page, "_FRESH", -1.0)
    for _ in range(2):
        shop.get("/insights?environment=test")
    assert 2 == len(reads)


def test_korean(shop: TestClient) -> None:
    """Words and lengths are Korean."""
    text = shop.get("/insights", headers={"Accept-Language": "ko"}).text

    assert "변경 실패율" in text
    assert re.search(r"\d시간", text)


def test_where_marks_stand() -> None:
    """Bars end at the right, none is higher than the picture; a scale has room for one value."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    weeks = [Week(start + timedelta(days=7 * n), n * 7, n, 0) for n in range(30)]
    plot = week_plot(weeks)

    assert all(one.lasted + one.failed <= HIGH + 1e-9 for one in plot.bars)
    assert WIDE * 0.98 < plot.bars[-1].x + plot.bars[-1].width < WIDE
    assert 13 >= sum(one.has_label for one in plot.bars)
    assert plot.bars[-1].has_label
    assert week_plot([Week(start, 0, 0, 0)]).bars[0].lasted == 0
    assert duration_plot([], [("build", lambda _: Quantiles(0))]) is None
