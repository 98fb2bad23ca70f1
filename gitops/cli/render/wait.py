"""Prints what `wait` sees and what it found out."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitops.cli import streams
from gitops.cli.render.interruption import interruption
from gitops.cli.render.terminal import json_text, line, paint, remark, safe, warn
from gitops.cli.render.text import note_write, print_error, print_json, print_write
from gitops.core.argocd.reports import GOOD, WaitReport, worst_error
from gitops.documents import reports as documents
from gitops.errors import GitopsError

if TYPE_CHECKING:
    from gitops.actions.argocd.tracker import ReleaseTracker
    from gitops.actions.context.session import Session
    from gitops.actions.wait import WaitOptions
    from gitops.core.argocd.reports import WatchEvent
    from gitops.core.report import WriteReport

_SHORT = 7
_STYLES = {"healthy": "green", "degraded": "red", "failed": "red", "unrendered": "red"}


@contextmanager
def view(output: str) -> Iterator[Callable[[Sequence[ReleaseTracker]], None]]:
    """Yield a function that shows progress: live lines on a terminal, else a line per change.

    All of it goes to standard error.
    """
    if output == "text" and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        live = _Live()
        try:
            yield live.show
        finally:
            live.clear()
    else:
        yield _Log().show


def _rows(tracker: ReleaseTracker) -> Iterator[tuple[str, str, str]]:
    """Yield (who, state, words) for each Application, and for what is about all of them."""
    label = tracker.overlay.label
    if tracker.progress.unreadable is not None:
        yield label, "unknown", f"{tracker.progress.unreadable}; trying again"
    elif not tracker.observations:
        yield label, "unseen", "waiting for Git to ask for it"
    for one in tracker.observations:
        at = f" at {one.revision[:_SHORT]}" if one.revision is not None else ""
        state = f"{one.sync or '-'}/{one.health or '-'}{at}"
        yield f"{label} {one.ref.name}", one.state, f"{state}: {one.text}"
    for diagnosis in tracker.diagnoses[:3]:
        yield label, "progressing", str(diagnosis)


class _Log:
    """One line for each change."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, int], str] = {}

    def show(self, trackers: Sequence[ReleaseTracker]) -> None:
        """Print what is new."""
        for tracker in trackers:
            for number, (who, _, words) in enumerate(_rows(tracker)):
                if self._said.get((who, number)) != words:
                    self._said[who, number] = words
                    remark(f"… {who}: {words}")


class _Live:
    """One line for each Application, written over and over."""

    def __init__(self) -> None:
        self._lines = 0

    def show(self, trackers: Sequence[ReleaseTracker]) -> None:
        """Write the lines anew."""
        width = shutil.get_terminal_size().columns
        rows = [row for tracker in trackers for row in _rows(tracker)]
        self.clear()
        for who, state, words in rows:
            text = f"{safe(who)}: {safe(words)}"[: max(width - 1, 20)]
            style = _STYLES.get(state)
            remark(text, style)
        self._lines = len(rows)
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the lines away, so that what comes next stands in their place."""
        if self._lines:
            sys.stderr.write(f"\x1b[{self._lines}A\x1b[J")
            sys.stderr.flush()
        self._lines = 0


def print_waits(reports: Sequence[WaitReport], output: str, *, several: bool) -> int:
    """Print what became of one release, or of `several`; return the exit code."""
    if several:
        return _print_all(reports, output, {})
    (report,) = reports
    error = report.error
    if output == "json":
        document = documents.wait_document(report)
        print_json(document | (documents.error_document(error) if error is not None else {}))
    else:
        _print_report(report)
    if error is not None:
        print_error(error, as_json=False)
    return error.exit_code if error is not None else 0


def _print_all(found: Sequence[WaitReport], output: str, document: documents.JsonDocument) -> int:
    """Print several, in JSON into `document`; return the exit code of the worst."""
    problem = worst_error(tuple(found))
    if output == "json":
        document["wait"] = [documents.wait_document(one) for one in found]
        print_json(document | (documents.error_document(problem) if problem is not None else {}))
        if problem is not None:
            print_error(problem, as_json=False)
    else:
        for one in found:
            _print_report(one)
            if one.error is not None:
                print_error(one.error, as_json=False)
    return problem.exit_code if problem is not None else 0


def follow(session: Session, report: WriteReport, options: WaitOptions, output: str) -> int:
    """Print what a write did, and what became of it; return the exit code."""
    from gitops.actions.wait import wait_for

    note_write(report)
    if output == "text":
        print_write(report, output)
        streams.flush()
    try:
        with view(output) as show:
            found = wait_for(session, report, options, show=show)
    except (GitopsError, KeyboardInterrupt) as problem:
        # What was written stays written: one document has both.
        if output == "text":
            raise
        error = problem if isinstance(problem, GitopsError) else interruption()
        document = documents.write_document(report) | {"wait": []}
        print_json(document | documents.error_document(error))
        print_error(error, as_json=False)
        return error.exit_code
    files = sys.modules.get("gitops.cli.job_files")
    if files is not None:
        files.waited(found)
    code = _print_all(found, output, documents.write_document(report) if output == "json" else {})
    if not found and output == "text":
        line("nothing to wait for: nothing of it is on a branch that Argo CD follows")
    return code


def _print_report(report: WaitReport) -> None:
    for note in report.notes:
        line(safe(note))
    if report.verdict in GOOD:
        line(paint(safe(f"{report.name}: {report.message}"), "bold", sys.stdout))
    if report.recorded is not None:
        line(safe(f"the ledger says {report.recorded}"))
    warn(report.warnings)
    if report.went_back is not None:
        for change in report.went_back.changes:
            line(safe(f"{report.overlay.label}  {change}"))
        line(paint(safe(f"{report.overlay.label}: {report.went_back}"), "bold", sys.stdout))


def print_event(event: WatchEvent, output: str) -> None:
    """Print one line of `watch`, or one JSON document on one line; at once."""
    if output == "json":
        line(json_text(documents.event_document(event)))
        streams.flush()
        return
    who = event.overlay.label if event.overlay is not None else "everything"
    at = f" {event.commit[:_SHORT]}" if event.commit is not None else ""
    text = safe(f"{who}{at}: {event.text}")
    style = {"stable": "green", "degraded": "red"}.get(event.verdict or "")
    line(paint(text, style, sys.stdout) if style else text)
    streams.flush()
