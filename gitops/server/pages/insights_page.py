"""How releases went, in numbers: a page, CSV and JSON, of what `gitops insights` reads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gitops.core.insights.numbers import Insights, Numbers
from gitops.documents.insights import csv_lines, insights_document
from gitops.server.pages.insights_plots import (
    day_of,
    duration_plot,
    failure_plot,
    week_plot,
)
from gitops.server.pages.language import translations
from gitops.server.pages.render import Pages, language_of
from gitops.server.pages.words import N_, Translate
from gitops.server.readings import SharedReadings

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.server.service import Service

PERIODS: Mapping[str, tuple[int, str]] = {
    "7d": (7, N_("7 days")),
    "30d": (30, N_("30 days")),
    "90d": (90, N_("90 days")),
    "365d": (365, N_("a year")),
}
_USUAL = "90d"
_LONGEST = 200  # characters of a name
_ROWS = 100  # of a table
_KEPT = 32  # answers that are kept
_FRESH = 600.0  # seconds: the end of a period is now, and now moves on
_CHANGES: Mapping[str, Mapping[str, str]] = {
    "deployments": {"more": N_("more deployments"), "less": N_("fewer deployments")},
    "failures": {"more": N_("more of them failed"), "less": N_("fewer of them failed")},
    "lead": {"more": N_("a longer lead time"), "less": N_("a shorter lead time")},
}
_UNITS = {"s": N_("%s s"), "min": N_("%s min"), "h": N_("%s h"), "d": N_("%s d")}


class InsightsQuestion(Struct, frozen=True):
    """What is asked for; "" is everything."""

    environment: str = ""
    app: str = ""
    since: str = _USUAL

    @property
    def query(self) -> str:
        """The query of an address that asks for the same, with its `?`."""
        given = {"environment": self.environment, "app": self.app, "since": self.since}
        told = {key: one for key, one in given.items() if one and one != _USUAL}
        return f"?{urlencode(told)}" if told else ""


def read_question(given: Mapping[str, str]) -> InsightsQuestion:
    """Read the query of an address; a period that is none is the usual one."""
    since = given.get("since", _USUAL)
    return InsightsQuestion(
        given.get("environment", "").strip()[:_LONGEST],
        given.get("app", "").strip()[:_LONGEST],
        since if since in PERIODS else _USUAL,
    )


def insights_routes(service: Service) -> list[BaseRoute]:
    """Return `/insights` in its three forms, one of which is `/v1/insights`, too."""
    pages = _InsightsPages(service)
    return [
        Route("/insights", pages.page, methods=["GET"]),
        Route("/insights.csv", pages.csv, methods=["GET"]),
        Route("/insights.json", pages.json, methods=["GET"]),
        Route("/v1/insights", pages.json, methods=["GET"]),
    ]


class _InsightsPages:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._pages = Pages(service)
        self._readings: SharedReadings[Insights] = SharedReadings(_KEPT)

    async def page(self, request: Request) -> Response:
        """The numbers, with pictures."""
        asked = read_question(request.query_params)
        found = await self._found(asked)
        _ = translations(language_of(request)).gettext
        rows = found.environments or (found.total,)
        series = [("rollback", lambda one: one.to_rollback), ("build", lambda one: one.lead)]
        if found.total.lead_from_commit.samples:
            series.append(("commit", lambda one: one.lead_from_commit))
        board = self._pages.board()
        groups = [one.name for one in board.config.groups]
        return self._pages.render(
            request,
            "insights.html",
            here="insights",
            asked=asked,
            found=found,
            rows=rows,
            apps=found.apps[:_ROWS],
            more_apps=len(found.apps) - _ROWS,
            names=[row.name for row in board.environments if row.change != "work-tree"] + groups,
            all_apps=[row.app for row in board.rows if row.app is not None],
            example=next(iter(board.cells()), None),
            periods=[(key, _(text)) for key, (_days, text) in PERIODS.items()],
            weeks=week_plot(found.total.weeks),
            failures=failure_plot(rows),
            durations=duration_plot(rows, series[::-1]),
            trend=trend_text(found.total, _),
            length=lambda seconds: length_text(seconds, _),
            day=day_of,
        )

    async def csv(self, request: Request) -> Response:
        """Every deployment of the period, a line each."""
        found = await self._found(read_question(request.query_params))
        return Response(
            "".join(csv_lines(found)),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="gitops-insights.csv"'},
        )

    async def json(self, request: Request) -> Response:
        """The document of `gitops insights -o json`."""
        return JSONResponse(
            insights_document(await self._found(read_question(request.query_params)))
        )

    async def _found(self, asked: InsightsQuestion) -> Insights:
        """Return the numbers; whoever asks for the same as of the same commits shares them."""
        tips = tuple(sorted(self._pages.board().state.tips.items()))
        reading = self._readings.find((asked, tips), _FRESH)
        if reading is None:
            run = self._service.read(lambda session: _read(session, asked))
            reading = self._readings.begin((asked, tips), run)
        return await asyncio.shield(reading)


def _read(session: Session, asked: InsightsQuestion) -> Insights:
    from gitops.actions.insights import read_insights

    return read_insights(
        session,
        (asked.environment,) if asked.environment else (),
        apps=(asked.app,) if asked.app else (),
        period=timedelta(days=PERIODS[asked.since][0]),
    )


def trend_text(total: Numbers, _: Translate) -> str:
    """Say what the later half is like beside the earlier one; "" where chance may be the reason."""
    trend = total.trend
    told = zip(_CHANGES, (trend.deployments, trend.failures, trend.lead), strict=True)
    return ", ".join(_(_CHANGES[name][change]) for name, change in told if change in _CHANGES[name])


def length_text(seconds: float, _: Translate) -> str:
    """Return `12 min`, as the command line has it, in the language of the page."""
    from gitops.core.text.plain import duration_words

    number, unit = duration_words(seconds).split(" ")
    return _(_UNITS[unit]) % number
