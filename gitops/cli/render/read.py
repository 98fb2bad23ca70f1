"""Prints what the commands that only look found: a few aligned lines, or one JSON document."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from gitops.cli.render.kept import KeptText, KeptWords, keep_text, read_text, said_json
from gitops.cli.render.terminal import (
    aligned,
    column_widths,
    columns,
    cut,
    line,
    lines,
    minute,
    minute_on,
    paint,
    print_columns,
    safe,
    screen_width,
    warn,
)
from gitops.cli.render.text import print_json
from gitops.core.git.proof import Proof
from gitops.core.kustomization.image import ImageValue, describe_value
from gitops.core.ledger.verdicts import CountedVerdict
from gitops.core.releases.bots import maker_of
from gitops.core.report import (
    Difference,
    DiffReport,
    HistoryReport,
    OverlayStatus,
    Proposal,
    ReleaseListReport,
    StatusReport,
)
from gitops.errors import Differs

if TYPE_CHECKING:
    from datetime import datetime

    from gitops.core.releases.release import Release
    from gitops.ports import Index

_SHORT = 7


def print_history(report: HistoryReport, output: str) -> int:
    """Print the releases of an overlay, each with what it changed."""
    if output == "json":
        from gitops.documents import reports as documents

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
                minute(release.time),
                release.author.name,
                maker_of(release) + (" (undone)" if release.commit in report.undone else ""),
                _changed(release.images, older)
                + _said(report.words.get(release.commit, ()))
                + _schema(release)
                + built_from(release.proofs),
            )
        )
    width = screen_width()
    for text in columns(rows):
        line(cut(safe(text), width) if width is not None else safe(text))
    if report.more:
        line("there are older ones: --limit 0 shows all")
    warn(report.warnings)
    return 0


def _schema(release: Release) -> str:
    """What it did to the database's schema, where that matters to who goes back."""
    return f"  [schema: {release.schema}]" if release.schema in ("compatible", "breaking") else ""


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


def print_status(
    report: StatusReport,
    output: str,
    index: Index | None = None,
    *,
    wide: bool = False,
    failing: bool = False,
) -> int:
    """Print what is where: a table on a terminal where it fits, else a block for each overlay.

    `index` is where words are kept for the next call. `wide` asks for the blocks; `failing`: the
    rest was left out.
    """
    if output == "json":
        _print_status_json(report, index)
        return 0
    if failing and not report.overlays:
        line("nothing fails")
    table = None if wide else _table(report)
    if table is None:
        _print_blocks(report, index)
    else:
        for text in table:
            line(safe(text))
        for entry in report.overlays:
            for text in _remarkable(entry):
                line(paint(safe(f"! {entry.overlay.label}: {text}"), "yellow", sys.stdout))
    warn(report.warnings)
    return 0


def _print_status_json(report: StatusReport, index: Index | None) -> None:
    from gitops.documents import reports as documents

    try:
        said = said_json(report.parts, index, documents.overlay_document)
    except UnicodeEncodeError:
        said = None
    print_json(documents.status_document(report, said))


def _table(report: StatusReport) -> Sequence[str] | None:
    """Return the lines of a table, None where there is no terminal, or it is too narrow."""
    width = screen_width()
    if width is None:
        return None
    from gitops.cli.render.table import status_table

    return status_table(report.overlays, width)


def _remarkable(entry: OverlayStatus) -> list[str]:
    """What a table has no room for and somebody must know."""
    problem = [entry.problem] if entry.problem is not None else []
    bad = [_word(word) for word in entry.words if word.verdict in ("degraded", "qa-failed")]
    live = entry.live.applications if entry.live is not None else ()
    seen = [f"{one.ref.name}: {one.text}" for one in live if one.state != "healthy"]
    risk = [_schema_words(entry)] if entry.schema == "breaking" else []
    return problem + bad + seen + risk + _standing(entry)


def _schema_words(entry: OverlayStatus) -> str:
    """What its newest release did to the database's schema."""
    about = ": going back from it asks for --accept-schema-risk"
    return f"the database's schema: {entry.schema}{about if entry.schema == 'breaking' else ''}"


def _print_blocks(report: StatusReport, index: Index | None) -> None:
    # On a terminal a time is as long ago as it is by now, and words are coloured.
    kept = KeptWords(None if sys.stdout.isatty() else index, f"text {report.branch}")
    known = [read_text(kept, part) for part in report.parts]
    told = {
        place: _Blocks(part.overlays, report.branch)
        for place, (part, text) in enumerate(zip(report.parts, known, strict=True))
        if text is None
    }
    needed = [text.widths if text else told[place].widths for place, text in enumerate(known)]
    widths = tuple(map(max, zip_longest(*needed, fillvalue=0)))
    texts = []
    for place, (part, text) in enumerate(zip(report.parts, known, strict=True)):
        if text is None or text.laid != widths:
            blocks = told.get(place) or _Blocks(part.overlays, report.branch)
            text = KeptText(blocks.widths, widths, blocks.text(widths))
            keep_text(kept, part, text)
        texts.append(text.text)
    lines([*filter(None, texts)])


class _Blocks:
    """What is told of some overlays.

    Attributes:
        widths: the longest label, and what each column needs.
    """

    def __init__(self, overlays: Sequence[OverlayStatus], trunk: str) -> None:
        self._rows: list[tuple[str, ...]] = []
        self._beneath: dict[int, tuple[Sequence[str], Sequence[str]]] = {}
        shown = minute_on()
        for entry in overlays:
            self._rows += _status_rows(entry, trunk, shown)
            told, standing = _beneath(entry), _standing(entry)
            if told or standing:  # of most nothing
                self._beneath[len(self._rows)] = told, standing
        longest = max((len(entry.overlay.label) for entry in overlays), default=0)
        self.widths = (longest, *column_widths(self._rows))

    def text(self, widths: Sequence[int]) -> str:
        """Return its lines; `widths` are those of all that is printed."""
        indent, at = " " * (widths[0] + 2), 0
        texts, found = aligned(self._rows, widths[1:]), []
        if not "".join(texts).isprintable():
            texts = [*map(safe, texts)]
        for end, (told, standing) in self._beneath.items():
            found += texts[at:end]
            found += (safe(indent + one) for one in told)
            found += (paint(safe(f"{indent}! {one}"), "yellow", sys.stdout) for one in standing)
            at = end
        return "\n".join(found + texts[at:])


def _beneath(entry: OverlayStatus) -> Sequence[str]:
    """What is told of an overlay below its images: of most nothing."""
    if not (entry.words or entry.schema or entry.proofs or entry.live):
        return ()
    words = [_word(word) for word in entry.words]
    schema = [_schema_words(entry)] if entry.schema is not None else []
    return [*words, *schema, *proof_lines(entry.proofs), *_live(entry)]


def _status_rows(
    entry: OverlayStatus, trunk: str, shown: Callable[[datetime | None], str]
) -> list[tuple[str, ...]]:
    label, who = entry.overlay.label, ""
    if entry.commit:
        by = entry.by if entry.bot is None else f"{entry.bot} (bot)"
        who = f"{shown(entry.time)} by {by} in {entry.commit[:_SHORT]}"
        who += f" on {entry.branch}" if entry.branch != trunk else ""
    rows: list[tuple[str, ...]] = []
    for image, value in (entry.images or {}).items():
        rows.append((label, image, describe_value(value), who))
        label, who = "", ""
    return rows or [(label, entry.problem or "no images")]


def _live(entry: OverlayStatus) -> list[str]:
    """What the clusters say: a line for each Application, and one for what is not known."""
    if entry.live is None:
        return []
    told = []
    for one in entry.live.applications:
        since = minute(one.since) if one.since is not None else ""
        words = f"{one.ref.name}: {one.sync or 'Unknown'}, {one.health or 'Unknown'}"
        words += f" since {since}" if since else ""
        if one.release is not None and one.release != entry.commit:
            words += f", live is {one.release[:_SHORT]}"
        if one.state != "healthy":
            words += f" ({one.text})"
        told.append(words)
        if one.drift and one.state == "healthy":
            told.append(f"{one.ref.name}: runs what Git does not ask for: {', '.join(one.drift)}")
        told += [f"{one.ref.name}: {text}" for text in one.rollouts]
    return told + ([entry.live.problem] if entry.live.problem else [])


def _word(word: CountedVerdict) -> str:
    when = minute(word.time)
    return f"{word.verdict}, {when} by {word.by}" + (f": {word.reason}" if word.reason else "")


def _standing(entry: OverlayStatus) -> list[str]:
    """What stands in the way of the next change: of most nothing."""
    if entry.hold is None and entry.freeze is None and not entry.proposals:
        return []
    hold = [] if entry.hold is None else [f"held by {entry.hold.by}: {entry.hold.reason}"]
    return hold + _frozen(entry) + [_waiting(proposal) for proposal in entry.proposals]


def _frozen(entry: OverlayStatus) -> list[str]:
    if entry.freeze is None:
        return []
    from gitops.core.policy.promotion import judge_freeze  # only where there are windows

    return [reason.text for reason in judge_freeze(entry.overlay, entry.freeze)]


def _waiting(proposal: Proposal) -> str:
    since = minute(proposal.since)
    who = f" since {since}, proposed by {proposal.by}" if proposal.by else ""
    if proposal.number is None:
        return f"waits for approval on {proposal.branch}{who}"
    waits = "; ".join(proposal.waits_for) or "nothing: it can be merged"
    return f"#{proposal.number}{who}: {proposal.url} waits for {waits}"


def print_releases(report: ReleaseListReport, output: str) -> int:
    """Print one line for each release branch, and what runs of it."""
    if output == "json":
        from gitops.documents import reports as documents

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
    print_columns(rows)
    if not rows:
        line("there is no release branch")
    warn(report.warnings)
    return 0


def print_diff(report: DiffReport, output: str) -> int:
    """Print the differences; exit 1 when there are any."""
    left, right = report.names
    differs = Differs(f"{left} and {right} differ")
    if output == "json":
        from gitops.documents import reports as documents

        document = documents.diff_document(report)
        if report.differences:
            document |= documents.error_document(differs)
        print_json(document)
    elif not report.differences:
        line(f"{left} and {right} pin the same images")
    else:
        told = any(entry.by is not None for entry in report.differences)
        rows = [("image", left, right, *(("since", "by", "source") if told else ()))]
        rows += [
            (entry.image, _side(entry.left), _side(entry.right), *(_made(entry) if told else ()))
            for entry in report.differences
        ]
        print_columns(rows)
    if output != "json":
        warn(report.warnings)
    return differs.exit_code if report.differences else 0


def _made(entry: Difference) -> tuple[str, str, str]:
    """When, by whom, and the source commits between the two values."""
    if entry.by is None:
        return "", "", ""
    old, new = ((commit or "?")[:_SHORT] for commit in entry.sources)
    source = "" if entry.sources == (None, None) else f"{old}..{new}"
    if entry.page is not None:
        source += f" {entry.page}"
    return minute(entry.by.time), f"{entry.by.author.name} in {entry.by.commit[:_SHORT]}", source


def _side(value: ImageValue | None) -> str:
    return "(not there)" if value is None else describe_value(value)


def built_from(proofs: Sequence[Proof]) -> str:
    """Return what stands behind the images of a release: each commit once; "" for nothing."""
    told = dict.fromkeys(f"{proof.short} ({proof.how})" for proof in proofs)
    return f"  [built from {', '.join(told)}]" if told else ""


def proof_lines(proofs: Sequence[Proof]) -> list[str]:
    """Return a line for each image."""
    return [
        f"{proof.image} was built from {proof.source}@{proof.short} ({proof.how})"
        for proof in proofs
    ]
