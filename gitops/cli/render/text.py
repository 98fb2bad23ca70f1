"""Prints reports and errors: a few aligned lines for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gitops import interrupts
from gitops.cli import streams
from gitops.cli.render.terminal import (
    aside,
    columns,
    json_text,
    lines,
    minute,
    paint,
    remark,
    safe,
    warn,
)
from gitops.core.kustomization.image import ImageChange, describe_change, describe_value
from gitops.core.report import (
    CutReport,
    FileDiff,
    Proposal,
    WriteReport,
)
from gitops.core.text.plain import split_lines
from gitops.documents.parts import audit_entries
from gitops.errors import GitopsError

if TYPE_CHECKING:
    from gitops.actions.approve import ApprovalPreview
    from gitops.actions.qa import QaPreview
    from gitops.actions.rollback import Preview
    from gitops.documents.reports import JsonDocument

_SHORT = 7
_MOST_REASONS = 30  # lines of an error on a terminal


def print_json(document: JsonDocument) -> None:
    """Print the one JSON document of a call on standard output.

    An interrupt that comes later is not told: there would be a second one.
    """
    with interrupts.held():
        streams.write(json_text(document, indent=2))
        streams.flush()
        interrupts.take()


def print_error(error: GitopsError, *, as_json: bool) -> None:
    """Print an error: words on standard error, and the document when JSON was asked for."""
    if as_json:
        from gitops.documents.reports import error_document

        print_json(error_document(error))
    first, *rest = error.message.split("\n")
    aside("error", first)
    for text in rest:
        remark(f"  {text}")
    reasons = [reason for reason in error.reasons if reason not in error.message]
    # A hint below two screens of reasons is read by nobody; a log has them all.
    shown = _MOST_REASONS if len(reasons) > _MOST_REASONS and sys.stderr.isatty() else len(reasons)
    for reason in reasons[:shown]:
        remark(f"  {reason}")
    if reasons[shown:]:
        remark(f"  … and {len(reasons) - shown} more lines: `-o json` has all of them")
    if error.hint:
        aside("hint", error.hint)


def print_write(report: WriteReport, output: str) -> int:
    """Print what a write did; return the exit code 0."""
    outcome = note_write(report)
    if output == "json":
        from gitops.documents.reports import write_document

        print_json(write_document(report))
        return 0
    texts = change_lines(
        [(entry.overlay.label if entry.overlay else "", entry.change) for entry in report.changes]
    )
    texts += [safe(f"skipped {one.overlay.label}: {one.reason}") for one in report.skipped]
    texts += map(safe, report.notes)
    if report.outcome == "planned":
        texts += _diff_lines(report)
    texts += [
        safe(f"#{proposal.number} {proposal.state}: {proposal.url}")
        for proposal in report.proposals
        if proposal.url is not None
    ]
    lines([*texts, paint(outcome, "bold", sys.stdout)])
    warn(dict.fromkeys(report.warnings))
    if report.hint:
        aside("hint", report.hint)
    return 0


def _diff_lines(report: WriteReport) -> Iterator[str]:
    """Yield the lines of what would be written, branch by branch."""
    branches = list(dict.fromkeys(diff.branch for diff in report.diffs))
    for branch in branches:
        if branch is not None and len(branches) > 1:
            yield safe(f"on {branch}:")
        for diff in (one for one in report.diffs if one.branch == branch):
            yield from diff_lines(diff)


def _outcome(report: WriteReport) -> str:
    landed = " and ".join(f"{one.commit[:_SHORT]} to {one.branch}" for one in report.commits)
    short = (report.commit or "")[:_SHORT]
    tries = f" after {report.attempts} tries" if report.attempts > 1 else ""
    words = {
        "committed": f"committed {landed} of {report.repository}{tries}",
        "proposed": f"proposed {short} on {_branches(report.proposals)} of {report.repository}",
        "closed": f"closed {_branches(report.proposals)} of {report.repository}",
        "edited": f"edited {', '.join(diff.path for diff in report.diffs)}, nothing committed",
        "unchanged": "unchanged: nothing to do",
        "planned": "planned only: nothing was written",
    }
    return safe(words[report.outcome])


def note_write(report: WriteReport) -> str:
    """Remember what was done, should standard output not take the report; return it in words."""
    outcome = _outcome(report)
    files = sys.modules.get("gitops.cli.job_files")
    if files is not None:
        files.wrote(report)
    if report.outcome not in ("unchanged", "planned"):
        streams.note(outcome)
    return outcome


def _branches(proposals: Sequence[Proposal]) -> str:
    return ", ".join(proposal.branch for proposal in proposals)


def change_lines(changes: Sequence[tuple[str, ImageChange]]) -> list[str]:
    """One aligned line for each image, the overlays that get the same change together."""
    together: dict[ImageChange, list[str]] = {}
    for label, change in changes:
        together.setdefault(change, []).append(label)
    return [
        safe(text).lstrip()
        for text in columns(
            [
                (
                    ", ".join(labels),
                    change.image,
                    " -> ".join(describe_change(change)),
                )
                for change, labels in together.items()
            ]
        )
    ]


def diff_lines(diff: FileDiff) -> Iterator[str]:
    """Yield the lines of a unified difference, coloured where somebody sees colour."""
    import difflib

    before = split_lines((diff.before or b"").decode("utf-8", "replace"))
    after = split_lines((diff.after or b"").decode("utf-8", "replace"))
    old = f"a/{diff.path}" if diff.before is not None else "/dev/null"
    new = f"b/{diff.path}" if diff.after is not None else "/dev/null"
    for text in difflib.unified_diff(before, after, old, new, lineterm="", n=1):
        style = {"+": "green", "-": "red"}.get(text[:1])
        yield paint(safe(text), style, sys.stdout) if style else safe(text)


def confirm_rollback(preview: Preview) -> bool:
    """Show what a rollback will do, and ask; on standard error, which is a terminal."""
    return _confirm(preview, f"Roll back {preview.label}?")


def confirm_undo(preview: Preview) -> bool:
    """Show what an undo will do, and ask; on standard error, which is a terminal."""
    return _confirm(preview, f"Undo the newest rollback of {preview.label}?")


def _confirm(preview: Preview, question: str) -> bool:
    import typer

    for text in (*change_lines(preview.changes), *preview.notes):
        remark(text)
    warn(preview.warnings)
    return bool(typer.confirm(safe(question), default=False, err=True))


def confirm_approval(preview: ApprovalPreview) -> bool:
    """Show what an approval lets in, and ask; on standard error, which is a terminal."""
    import typer

    for text in change_lines(preview.changes):
        remark(text)
    for text in (*preview.heads, *preview.notes, *preview.urls):
        remark(text)
    return bool(typer.confirm(f"Approve it for {safe(preview.label)}?", default=False, err=True))


def confirm_qa(previews: Sequence[QaPreview]) -> bool:
    """Show the newest releases, and ask; on standard error, which is a terminal."""
    import typer

    for preview in previews:
        release = preview.release
        since = minute(release.time, sys.stderr)
        head = f"{preview.label} {release.commit[:_SHORT]}, {since} by {release.author.name}:"
        remark(head)
        for image, value in (release.images or {}).items():
            remark(f"  {image} {describe_value(value)}")
    return bool(typer.confirm(f"Record {previews[0].verdict}?", default=False, err=True))


def print_cut(report: CutReport, output: str) -> int:
    """Print the branches that were made, or would be."""
    if report.outcome == "created":
        streams.note(f"created {len(report.branches)} release branches")
    if output == "json":
        from gitops.documents.reports import cut_document

        print_json(cut_document(report))
        return 0
    cut = [f"{one.branch} at {one.commit[:_SHORT]} in {one.url}" for one in report.branches]
    words = {
        "created": f"created {len(report.branches)} release branches"
        if len(report.branches) > 1
        else "created the release branch",
        "planned": "planned only: nothing was written",
    }
    lines([*map(safe, cut), paint(words[report.outcome], "bold", sys.stdout)])
    return 0


def print_audit(report: WriteReport) -> None:
    """Print it as one line of JSON on standard error; nothing where nothing was passed."""
    if not report.audit:
        return
    document = {
        "audit": audit_entries(report),
        "action": report.action,
        "outcome": report.outcome,
        "repository": report.repository,
        "branch": report.branch,
        "commit": report.commit,
    }
    print(json.dumps(document), file=sys.stderr)
