"""What `gitops init` wrote, or found in a repository and proposes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops.actions.init import AdoptReport, ScaffoldReport
    from gitops.actions.manifests.ci_caller import CallerReport

import sys

from gitops.actions.init import AdoptReport, ScaffoldReport
from gitops.cli import streams
from gitops.cli.render.terminal import aside, line, paint, remark, safe, there, warn
from gitops.cli.render.text import print_json
from gitops.core.kustomization.image import describe_value
from gitops.core.text.plain import split_lines
from gitops.documents import reports as documents


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
    warn(report.warnings)
    aside("hint", f"commit and push them, then: `gitops status{there(report.directory)}`")
    return 0


def print_caller(report: CallerReport, output: str) -> int:
    """Print what `init --ci` wrote, and what is left to do."""
    if output == "json":
        print_json(
            {
                "outcome": report.outcome,
                "directory": report.directory,
                "files": [report.path],
                "warnings": list(report.warnings),
            }
        )
        return 0
    if report.outcome == "planned":
        for text in split_lines(report.content):
            line(safe(text))
    verb = "wrote" if report.outcome == "written" else "would write"
    place = f"{verb} {report.path} to {report.directory}"
    line(paint(safe(place), "bold", sys.stdout))
    warn(report.warnings)
    return 0


def confirm_adoption(report: AdoptReport) -> bool:
    """Show the `gitops.yaml` that is proposed, and ask."""
    import typer

    for text in split_lines(report.content):
        remark(text)
    for text in _added(report):
        remark(text)
    warn(report.warnings)
    what = "these entries" if not report.content else "gitops.yaml"
    what += " and these entries" if report.content and report.added else ""
    return bool(typer.confirm(f"Write {what}?", default=True, err=True))


def _added(report: AdoptReport) -> list[str]:
    """Return a line for each entry that is added."""
    return [
        f"{one.path}: {image} {describe_value(value)}"
        for one in report.added
        for image, value in one.images
    ]


def _print_adoption(report: AdoptReport) -> int:
    if report.outcome == "unchanged":
        line("nothing was written")
        warn(report.warnings)
        return 0
    if report.outcome == "planned":
        for text in split_lines(report.content):
            line(safe(text))
    for text in _added(report):
        line(safe(text))
    verb = "wrote" if report.outcome == "written" else "would write"
    if not report.content:
        where = f"{len(report.added)} kustomizations"
        line(paint(safe(f"{verb} entries of images: to {where}"), "bold", sys.stdout))
        warn(report.warnings)
        aside("hint", "rendered, nothing changes: commit and push them")
        return 0
    count = len(report.layout.environments)
    what = "1 environment" if count == 1 else f"{count} environments"
    line(paint(safe(f"{verb} gitops.yaml to {report.directory}: {what}"), "bold", sys.stdout))
    warn(report.warnings)
    where = there(report.directory)
    first = f"read it, then: `gitops validate{where}`"
    aside("hint", f"{first}; commit and push it, then: `gitops status{where}`")
    return 0


def init_document(report: ScaffoldReport | AdoptReport) -> documents.JsonDocument:
    """The document of `init`."""
    from gitops.actions.init import AdoptReport

    if isinstance(report, AdoptReport):
        return {
            "action": "init",
            "outcome": "edited" if report.outcome == "written" else report.outcome,
            "directory": report.directory,
            "files": [
                *(["gitops.yaml"] if report.content else []),
                *(one.path for one in report.added),
            ],
            "content": report.content,
            "environments": [
                {"name": row.name, "overlay": row.overlay, "overlays": list(row.patterns)}
                for row in report.layout.environments
            ],
            "images": [
                {"path": one.path, "image": image, **(documents.value_document(value) or {})}
                for one in report.added
                for image, value in one.images
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
