"""Prints reports and errors: a few aligned lines for people, one JSON document for programs."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gitops import interrupts
from gitops.cli.render import documents
from gitops.cli.render.terminal import aside, columns, json_text, line, paint, remark, safe
from gitops.core.kustomization.image import ImageChange, ImageValue, describe_value
from gitops.core.ledger.verdicts import CountedVerdict
from gitops.core.report import (
    CutReport,
    DiffReport,
    FileDiff,
    HistoryReport,
    OverlayStatus,
    Proposal,
    ReleaseListReport,
    StatusReport,
    WriteReport,
)
from gitops.core.text.plain import split_lines
from gitops.errors import Differs, GitopsError

if TYPE_CHECKING:
    from gitops.actions.approve import ApprovalPreview
    from gitops.actions.qa import QaPreview
    from gitops.actions.rollback import Preview

_SHORT = 7


def print_json(document: documents.JsonDocument) -> None:
    """Print the one JSON document of a call on standard output.

    An interrupt that comes later is not told: there would be a second one.
    """
    with interrupts.held():
        print(json_text(document, indent=2), flush=True)
        interrupts.take()


def print_error(error: GitopsError, *, as_json: bool) -> None:
    """Print an error: words on standard error, and the document when JSON was asked for."""
    if as_json:
        print_json(documents.error_document(error))
    first, *rest = error.message.split("\n")
    aside("error", first)
    for text in rest:
        remark(f"  {text}")
    for reason in error.reasons:
        if reason not in error.message:
            remark(f"  {reason}")
    if error.hint:
        aside("hint", error.hint)


def print_write(report: WriteReport, output: str) -> int:
    """Print what a write did; return the exit code 0."""
    if output == "json":
        print_json(documents.write_document(report))
        return 0
    for text in change_lines(
        [(entry.overlay.label if entry.overlay else "", entry.change) for entry in report.changes]
    ):
        line(text)
    for skipped in report.skipped:
        line(safe(f"skipped {skipped.overlay.label}: {skipped.reason}"))
    for note in report.notes:
        line(safe(note))
    if report.outcome == "planned":
        branches = list(dict.fromkeys(diff.branch for diff in report.diffs))
        for branch in branches:
            if branch is not None and len(branches) > 1:
                line(safe(f"on {branch}:"))
            for diff in (one for one in report.diffs if one.branch == branch):
                _print_diff(diff)
    for proposal in report.proposals:
        if proposal.url is not None:
            line(safe(f"#{proposal.number} {proposal.state}: {proposal.url}"))
    line(_outcome(report))
    for warning in report.warnings:
        aside("warning", warning)
    if report.hint:
        aside("hint", report.hint)
    return 0


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
    return paint(safe(words[report.outcome]), "bold", sys.stdout)


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
                    f"{describe_value(change.before)} -> {describe_value(change.after)}",
                )
                for change, labels in together.items()
            ]
        )
    ]


def _print_diff(diff: FileDiff) -> None:
    before = split_lines((diff.before or b"").decode("utf-8", "replace"))
    after = split_lines((diff.after or b"").decode("utf-8", "replace"))
    old = f"a/{diff.path}" if diff.before is not None else "/dev/null"
    new = f"b/{diff.path}" if diff.after is not None else "/dev/null"
    for text in difflib.unified_diff(before, after, old, new, lineterm="", n=1):
        style = {"+": "green", "-": "red"}.get(text[:1])
        line(paint(safe(text), style, sys.stdout) if style else safe(text))


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
    for warning in preview.warnings:
        aside("warning", warning)
    return bool(typer.confirm(safe(question), default=False, err=True))


def confirm_approval(preview: ApprovalPreview) -> bool:
    """Show what an approval lets in, and ask; on standard error, which is a terminal."""
    import typer

    for text in change_lines(preview.changes):
        remark(text)
    head = f"{preview.branch} at {preview.head[:_SHORT]}, proposed by {preview.by}"
    for text in (head, *preview.notes, *([preview.url] if preview.url is not None else [])):
        remark(text)
    return bool(typer.confirm(f"Approve it for {safe(preview.label)}?", default=False, err=True))


def confirm_qa(preview: QaPreview) -> bool:
    """Show the newest release, and ask; on standard error, which is a terminal."""
    import typer

    release = preview.release
    since = _minute(release.time)
    head = f"{preview.label} {release.commit[:_SHORT]}, {since} by {release.author.name}:"
    remark(head)
    for image, value in (release.images or {}).items():
        remark(f"  {image} {describe_value(value)}")
    return bool(typer.confirm(f"Record {preview.verdict}?", default=False, err=True))


def print_history(report: HistoryReport, output: str) -> int:
    """Print the releases of an overlay, each with what it changed."""
    if output == "json":
        print_json(documents.history_document(report))
        return 0
    if not report.releases:
        line(f"{report.overlay.label} has no release yet")
        return 0
    rows = []
    for index, release in enumerate(report.releases):
        older = report.releases[index + 1].images if index + 1 < len(report.releases) else None
        rows.append(
            (
                "*" if index == 0 else " ",
                release.commit[:_SHORT],
                _minute(release.time),
                release.author.name,
                release.action or "by hand",
                _changed(release.images, older) + _said(report.words.get(release.commit, ())),
            )
        )
    for text in columns(rows):
        line(safe(text))
    if report.more:
        line("there are older ones: --limit 0 shows all")
    for warning in report.warnings:
        aside("warning", warning)
    return 0


def _said(words: Sequence[CountedVerdict]) -> str:
    """What counts of the verdicts on a release, behind its images."""
    return f"  [{', '.join(word.verdict for word in words)}]" if words else ""


def _changed(
    images: Mapping[str, ImageValue] | None, older: Mapping[str, ImageValue] | None
) -> str:
    if images is None:
        return "(the overlay cannot be read here)"
    changed = {
        image: value
        for image, value in images.items()
        if older is None or older.get(image) != value
    }
    return ", ".join(f"{image} {describe_value(value)}" for image, value in changed.items()) or "-"


def print_status(report: StatusReport, output: str) -> int:
    """Print one block of lines for each overlay: images, since when and by whom, what stands."""
    if output == "json":
        print_json(documents.status_document(report))
        return 0
    rows = [_status_rows(entry, report.branch) for entry in report.overlays]
    texts = columns([row for group in rows for row in group])
    indent = " " * (max((len(entry.overlay.label) for entry in report.overlays), default=0) + 2)
    for entry, group in zip(report.overlays, rows, strict=True):
        for text in texts[: len(group)]:
            line(safe(text))
        del texts[: len(group)]
        for word in entry.words:
            line(safe(f"{indent}{_word(word)}"))
        for text in _live(entry):
            line(safe(f"{indent}{text}"))
        for text in _standing(entry):
            line(paint(safe(f"{indent}! {text}"), "yellow", sys.stdout))
    for warning in report.warnings:
        aside("warning", warning)
    return 0


def _status_rows(entry: OverlayStatus, trunk: str) -> list[tuple[str, ...]]:
    label = entry.overlay.label
    since = _minute(entry.time)
    who = f"{since} by {entry.by} in {(entry.commit or '')[:_SHORT]}" if entry.commit else ""
    who += f" on {entry.branch}" if who and entry.branch != trunk else ""
    rows: list[tuple[str, ...]] = []
    for image, value in (entry.images or {}).items():
        rows.append((label, image, describe_value(value), who))
        label, who = "", ""
    return rows or [(label, entry.problem or "no images")]


def _live(entry: OverlayStatus) -> list[str]:
    """What the clusters say: a line for each Application, and one for what is not known."""
    if entry.live is None:
        return []
    lines = []
    for one in entry.live.applications:
        since = (documents.time_text(one.since) or "").replace("T", " ")[:16]
        words = f"{one.ref.name}: {one.sync or 'Unknown'}, {one.health or 'Unknown'}"
        words += f" since {since}" if since else ""
        if one.release is not None and one.release != entry.commit:
            words += f", live is {one.release[:_SHORT]}"
        if one.state != "healthy":
            words += f" ({one.text})"
        lines.append(words)
        if one.drift and one.state == "healthy":
            lines.append(f"{one.ref.name}: runs what Git does not ask for: {', '.join(one.drift)}")
        lines += [f"{one.ref.name}: {text}" for text in one.rollouts]
    return lines + ([entry.live.problem] if entry.live.problem else [])


def _minute(time: datetime | None) -> str:
    """Return `2026-11-24 14:02`, in UTC."""
    if time is None:
        return "unknown date"
    return (documents.time_text(time) or "").replace("T", " ")[:16]


def _word(word: CountedVerdict) -> str:
    when = _minute(word.time)
    return f"{word.verdict}, {when} by {word.by}" + (f": {word.reason}" if word.reason else "")


def _standing(entry: OverlayStatus) -> list[str]:
    """What stands in the way of the next change."""
    hold = [] if entry.hold is None else [f"held by {entry.hold.by}: {entry.hold.reason}"]
    return hold + _frozen(entry) + [_waiting(proposal) for proposal in entry.proposals]


def _frozen(entry: OverlayStatus) -> list[str]:
    if entry.freeze is None:
        return []
    from gitops.core.policy.promotion import judge_freeze  # only where there are windows

    return [reason.text for reason in judge_freeze(entry.overlay, entry.freeze)]


def _waiting(proposal: Proposal) -> str:
    since = _minute(proposal.since)
    who = f" since {since}, proposed by {proposal.by}" if proposal.by else ""
    if proposal.number is None:
        return f"waits for approval on {proposal.branch}{who}"
    waits = "; ".join(proposal.waits_for) or "nothing: it can be merged"
    return f"#{proposal.number}{who}: {proposal.url} waits for {waits}"


def print_cut(report: CutReport, output: str) -> int:
    """Print the branches that were made, or would be."""
    if output == "json":
        print_json(documents.cut_document(report))
        return 0
    for entry in report.branches:
        line(safe(f"{entry.branch} at {entry.commit[:_SHORT]} in {entry.url}"))
    words = {
        "created": f"created {len(report.branches)} release branches"
        if len(report.branches) > 1
        else "created the release branch",
        "planned": "planned only: nothing was written",
    }
    line(paint(words[report.outcome], "bold", sys.stdout))
    return 0


def print_releases(report: ReleaseListReport, output: str) -> int:
    """Print one line for each release branch, and what runs of it."""
    if output == "json":
        print_json(documents.releases_document(report))
        return 0
    rows = []
    for entry in report.branches:
        head = f"{entry.head[:_SHORT]} in {entry.url}"
        rows.append((entry.branch, "HEAD", head))
        for one in entry.running:
            commit = (one.commit or "")[:_SHORT] or "an unknown commit"
            behind = "" if one.commit == entry.head else ", not its HEAD"
            said = _said(one.words)
            rows.append(("", one.overlay.label, f"{one.image} at {commit}{behind}{said}"))
    for text in columns(rows):
        line(safe(text))
    if not rows:
        line("there is no release branch")
    for warning in report.warnings:
        aside("warning", warning)
    return 0


def print_diff(report: DiffReport, output: str) -> int:
    """Print the differences; exit 1 when there are any."""
    differs = Differs(f"{report.left.label} and {report.right.label} differ")
    if output == "json":
        document = documents.diff_document(report)
        if report.differences:
            document |= documents.error_document(differs)
        print_json(document)
    elif not report.differences:
        line(f"{report.left.label} and {report.right.label} pin the same images")
    else:
        rows = [("image", report.left.label, report.right.label)]
        rows += [
            (entry.image, _side(entry.left), _side(entry.right)) for entry in report.differences
        ]
        for text in columns(rows):
            line(safe(text))
    return differs.exit_code if report.differences else 0


def _side(value: ImageValue | None) -> str:
    return "(not there)" if value is None else describe_value(value)
