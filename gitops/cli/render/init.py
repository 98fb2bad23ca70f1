"""What `gitops init` wrote, or found in a repository and proposes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops.actions.init import AdoptReport, ScaffoldReport

import sys

from gitops.actions.init import AdoptReport, ScaffoldReport
from gitops.cli import streams
from gitops.cli.render import documents
from gitops.cli.render.terminal import aside, line, paint, remark, safe
from gitops.cli.render.text import print_json
from gitops.core.text.plain import split_lines


def print_init(report: ScaffoldReport | AdoptReport, output: str) -> int:
    """Print what `init` wrote, and what comes next."""
    if report.outcome == "written":
        streams.note(f"files in {report.directory}")
    if output == "json":
        print_json(init_document(report))
        return 0
    if isinstance(report, AdoptReport):
        return _print_adoption(report)
    for path in report.files:
        line(safe(path))
    verb = "wrote" if report.outcome == "written" else "would write"
    line(paint(safe(f"{verb} {len(report.files)} files to {report.directory}"), "bold", sys.stdout))
    for warning in report.warnings:
        aside("warning", warning)
    aside("hint", "commit and push them, then: gitops status")
    return 0


def confirm_adoption(report: AdoptReport) -> bool:
    """Show the `gitops.yaml` that is proposed, and ask."""
    import typer

    for text in split_lines(report.content):
        remark(text)
    for warning in report.warnings:
        aside("warning", warning)
    return bool(typer.confirm("Write gitops.yaml?", default=True, err=True))


def _print_adoption(report: AdoptReport) -> int:
    if report.outcome == "unchanged":
        line("nothing was written")
        return 0
    if report.outcome == "planned":
        for text in split_lines(report.content):
            line(safe(text))
    count = len(report.layout.environments)
    what = "1 environment" if count == 1 else f"{count} environments"
    verb = "wrote" if report.outcome == "written" else "would write"
    line(paint(safe(f"{verb} gitops.yaml to {report.directory}: {what}"), "bold", sys.stdout))
    for warning in report.warnings:
        aside("warning", warning)
    aside("hint", "read it, then: gitops validate; commit and push it, then: gitops status")
    return 0


def init_document(report: ScaffoldReport | AdoptReport) -> documents.JsonDocument:
    """The document of `init`."""
    from gitops.actions.init import AdoptReport

    if isinstance(report, AdoptReport):
        return {
            "action": "init",
            "outcome": "edited" if report.outcome == "written" else report.outcome,
            "directory": report.directory,
            "files": ["gitops.yaml"],
            "content": report.content,
            "environments": [
                {"name": row.name, "overlay": row.overlay} for row in report.layout.environments
            ],
            "warnings": list(report.warnings),
        }
    return {
        "action": "init",
        "outcome": "planned" if report.outcome == "planned" else "edited",
        "directory": report.directory,
        "files": list(report.files),
        "warnings": list(report.warnings),
    }
