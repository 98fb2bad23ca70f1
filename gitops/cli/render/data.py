"""What `gitops data` prints."""

from __future__ import annotations

import sys

from gitops.actions.data_check import DataReport
from gitops.actions.manifests.data_checks import FoundData
from gitops.cli.render.annotations import Annotations, mark, printable
from gitops.cli.render.terminal import aside, line, paint, safe, warn
from gitops.cli.render.text import print_json
from gitops.core.text.plain import count
from gitops.documents import reports as documents
from gitops.documents.parts import place_document
from gitops.errors import Refused

_HINT = (
    "`databases:` of gitops.yaml says which hosts, Secrets, stores and settings are of which "
    "class: docs/how-to/data.md"
)
_STYLES = {"error": "red", "warning": "yellow"}


def print_data(report: DataReport, output: str, annotations: Annotations) -> int:
    """Print what `data check` found; exit 1 when something is an error."""
    problems = [one.problem(report.branch) for one in report.found]
    for one in problems:
        title = "gitops data check"
        mark(annotations, output, title, one.level, one.message, one.path, one.line)
    if output == "json":
        document = data_document(report)
        if report.exit_code:
            document |= documents.error_document(_refused(report))
        print_json(document)
        return report.exit_code
    for one, found in zip(problems, report.found, strict=True):
        place = f"{one.path}:{one.line}:{one.column}"
        place = f"{one.branch}:{place}" if one.branch is not None else place
        level = paint(f"{one.level}:", _STYLES[one.level], sys.stdout)
        line(f"{safe(place)}: {level} {safe(one.message)} [{found.finding.rule}]")
    told = ", ".join(f"{name} ({class_ or 'no class'})" for name, class_ in report.environments)
    errors = sum(one.level == "error" for one in problems)
    words = f"{count(errors, 'error')}, {count(len(problems) - errors, 'warning')}"
    summary = f"{words if problems else 'nothing wrong'} in {count(report.overlays, 'overlay')}"
    line(paint(safe(f"{summary}: {told}"), "bold", sys.stdout))
    warn(report.notes)
    if report.exit_code:
        aside("hint", _HINT)
    return report.exit_code


def data_document(report: DataReport) -> documents.JsonDocument:
    """The document of `data check`."""
    return {
        "findings": [_finding_document(one, report.branch) for one in report.found],
        "environments": [
            {"environment": name, "database": class_} for name, class_ in report.environments
        ],
        "overlays": report.overlays,
        "warnings": list(report.notes),
    }


def _finding_document(one: FoundData, here: str) -> documents.JsonDocument:
    problem = one.problem(here)
    label = one.overlay.label if one.overlay is not None else one.environment.name
    return {
        **place_document(label),
        "rule": one.finding.rule,
        "level": problem.level,
        "path": printable(problem.path),
        "line": problem.line,
        "column": problem.column,
        "branch": problem.branch,
        "message": one.finding.message,
    }


def _refused(report: DataReport) -> Refused:
    wrong = [one.problem(report.branch) for one in report.found if one.finding.level == "error"]
    reasons = tuple(f"{one.path}:{one.line}:{one.column}: {one.message}" for one in wrong)
    return Refused(f"{count(len(wrong), 'breach')} of the data rules", hint=_HINT, reasons=reasons)
