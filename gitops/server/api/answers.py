"""Answers of `/v1`: documents, and the status of each."""

from __future__ import annotations

from starlette.responses import Response

from gitops.core.report import WriteReport
from gitops.documents.reports import JsonDocument, write_document
from gitops.errors import Denied
from gitops.server.acts.waiting import wait_for
from gitops.server.failures import failed, json_answer
from gitops.server.writer.order import Call, Outcome

LONGEST_WAIT = 75.0  # seconds; a call is over after a minute, and what follows it soon after
_WAIT = "wait="


def result_of(name: str, outcome: Outcome) -> Response:
    """Return what came of a call."""
    if outcome.report is None:
        return failed(outcome.error or Denied("nothing came of it"), name)
    return json_answer({"id": name, **report_document(outcome.report)})


def report_document(report: WriteReport) -> JsonDocument:
    """Return the document of a write; of a dry run with the files as they would be."""
    document = write_document(report)
    if report.outcome == "planned":
        document["diffs"] = [
            {
                "path": one.path,
                "branch": one.branch,
                "before": _text(one.before),
                "after": _text(one.after),
            }
            for one in report.diffs
        ]
    return document


def _text(content: bytes | None) -> str | None:
    return content.decode("utf-8", "replace") if content is not None else None


async def answer_of(call: Call, seconds: float) -> Response:
    """Wait for a call, at most so long, and return what came of it, or 202 with where to ask."""
    outcome = await wait_for(call, seconds)
    name = call.order.id
    if outcome is None:
        where = {"Location": f"/v1/calls/{name}", "Retry-After": "1"}
        return json_answer({"id": name, "state": state_of(call)}, 202, where)
    return result_of(name, outcome)


def state_of(call: Call) -> str:
    """Return the word for how far a call is."""
    if call.outcome is not None:
        return "done"
    return "running" if call.began else "queued"


def wait_of(prefer: str) -> float:
    """Return how long `Prefer` (RFC 7240) asks to wait, in seconds: `wait=10`, `respond-async`."""
    for word in (part.strip().lower() for part in prefer.split(",")):
        if word == "respond-async":
            return 0.0
        number = word.removeprefix(_WAIT)
        if word.startswith(_WAIT) and number.isascii() and number.isdecimal():
            return min(float(number[:6]), LONGEST_WAIT)
    return LONGEST_WAIT
