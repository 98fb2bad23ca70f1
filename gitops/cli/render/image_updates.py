"""What `gitops images update` prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gitops.actions.images_update import Updated, UpdateReport
from gitops.actions.pushed.look import TagFinding
from gitops.cli.render.terminal import aside, line, minute, paint, print_columns, safe
from gitops.cli.render.text import note_write, print_json
from gitops.core.kustomization.image import describe_value
from gitops.documents.image_updates import update_document
from gitops.errors import GitopsError, TryAgain


def print_updates(report: UpdateReport, output: str) -> int:
    """Print what was found and done; what went wrong makes the exit code, trying again first."""
    for one in report.done:
        if one.report is not None:
            note_write(one.report)
    if output == "json":
        print_json(update_document(report))
        return _code(report.errors)
    looked = report.looked
    if not looked.findings and not looked.problems:
        line("no image of gitops.yaml says `on: push`")
    shown = ""
    rows: list[tuple[str, ...]] = []
    for found in looked.findings:
        title = f"{found.image}{f' at {found.name}' if found.name is not None else ''}"
        if title != shown:
            print_columns(rows)
            rows, shown = [], title
            line(paint(safe(title), "bold", sys.stdout))
        rows.append(_row(found, report.done))
    print_columns(rows)
    for image, error in looked.problems.items():
        aside("warning", f"{image}: {error.message}")
        if error.hint:
            aside("hint", error.hint)
    return _code(report.errors)


def _row(found: TagFinding, done: Sequence[Updated]) -> tuple[str, ...]:
    label, running = found.overlay.label, describe_value(found.running.nameless)
    new = found.found
    if new is None or found.is_current:
        return (f"  {label}", running, "current" if found.is_current else found.why)
    made = f", made {minute(new.created)}" if new.created is not None else ""
    if found.why:
        return (f"  {label}", running, f"{new.tag}{made} stays out: {found.why}")
    told = next(
        (one.told_of(label) for one in done if one.update.image == found.image and _is(one, found)),
        "not deployed: `on: never`",
    )
    return (f"  {label}", running, f"-> {new.tag}{made}: {told}")


def _is(done: Updated, found: TagFinding) -> bool:
    return done.update.tag == found.found and found.overlay.label in done.update.expected


def _code(errors: Sequence[GitopsError]) -> int:
    ordered = sorted(errors, key=lambda error: not isinstance(error, TryAgain))
    return ordered[0].exit_code if ordered else 0
