"""What `gitops images` prints."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from gitops.actions.images.removing import Act
from gitops.actions.images_prune import PruneReport
from gitops.cli.render.terminal import (
    aside,
    columns,
    line,
    minute,
    paint,
    print_columns,
    safe,
    warn,
)
from gitops.cli.render.text import print_json
from gitops.core.images.cleanup import Fate
from gitops.core.images.manifest import REVISION, SOURCE
from gitops.core.images.report import ListedImage, ShownImage, Stay
from gitops.core.kustomization.image import ImageValue, describe_value
from gitops.core.text.plain import count, short_age, timestamp
from gitops.documents.reports import JsonDocument, error_document, time_text, value_document

_DIGITS = 19  # of a digest, its algorithm included
_MOST_KEPT = 20
_STYLES = {"delete": "red", "untag": "yellow", "finish": "red", "restore": "green"}


def print_tag(tag: str, output: str) -> int:
    """Print the tag of a build, alone on its line."""
    if output == "json":
        print_json({"tag": tag})
    else:
        line(tag)
    return 0


def print_stays(found: Sequence[Stay], output: str) -> int:
    """Print where an image is and was."""
    if output == "json":
        print_json({"found": [_stay_document(one) for one in found]})
        return 0
    print_columns(_stay_rows(found))
    return 0


def print_shown(found: Sequence[ShownImage], output: str) -> int:
    """Print what an image is, and where it runs."""
    if output == "json":
        print_json({"images": [_shown_document(one) for one in found]})
        return 0
    for one in found:
        manifest, created = one.info.manifest, one.info.created
        joint = "@" if ":" in one.reference else ":"
        line(paint(safe(f"{one.name}{joint}{one.reference}"), "bold", sys.stdout))
        rows = [("digest", manifest.digest), ("platforms", _platforms(one))]
        rows += [("made", _when(created))]
        labels = {**_labels(one), **manifest.annotations}
        rows += [(word, labels[key]) for word, key in _TOLD if key in labels]
        print_columns([(f"  {word}", value) for word, value in rows])
        print_columns([("  " + row[0], *row[1:]) for row in _stay_rows(one.stays)])
        if not one.stays:
            line("  no overlay pins it by this name")
    return 0


_TOLD = (("revision", REVISION), ("source", SOURCE), ("branch", "dev.gitops.branch"))


def print_listed(found: Sequence[ListedImage], output: str) -> int:
    """Print the images of the overlays, or the tags of some."""
    if output == "json":
        print_json({"images": [_listed_document(one) for one in found]})
        return 0
    for one in found:
        at = f" at {one.name}" if one.name is not None else ""
        line(paint(safe(f"{one.image}{at}"), "bold", sys.stdout))
        if one.problem is not None:
            aside("warning", one.problem)
        rows: list[tuple[str, ...]] = [
            (f"  {tag.tag}", tag.digest[:_DIGITS], _age(tag.created), ", ".join(tag.where))
            for tag in one.tags
        ]
        if not rows:
            rows = [
                (f"  {label}", describe_value(ImageValue(None, value.tag, value.digest)))
                for label, value in one.where
            ]
        print_columns(rows)
        if one.more:
            line(f"  and {one.more} older ones (--limit 0 shows all)")
    return 0


def say_act(act: Act, who: str) -> None:
    """Print the audit line of one act, as soon as it is done."""
    fate = act.fate
    also = f", with {count(len(act.also), 'manifest')} of its own" if act.also else ""
    now = timestamp(datetime.now(UTC))
    what = f"{fate.name}:{fate.tag} {fate.digest[:_DIGITS]}"
    line(safe(f"{now} {act.done} {what}{also}: {act.reason} (by {who})"))


def print_prune(report: PruneReport, output: str, who: str, *, acted: bool) -> int:
    """Print a plan, or what was done; exit 1 or more when it ended before its time."""
    code = report.error.exit_code if report.error is not None else 0
    if output == "json":
        document = _prune_document(report, who, acted=acted)
        if report.error is not None:
            document |= error_document(report.error)
        print_json(document)
        return code
    if not acted:
        _print_plan(report.fates)
    for note in report.notes:
        line(safe(note))
    counts = Counter(fate.action for fate in report.fates)
    going = len(report.fates) - counts["keep"]
    if acted:
        done = Counter(act.done for act in report.acts)
        told = ", ".join(f"{number} {word}" for word, number in sorted(done.items()))
        line(paint(told or "nothing to delete", "bold", sys.stdout))
    else:
        words = f"{count(going, 'tag')} would go, {counts['keep']} stay"
        line(paint(words, "bold", sys.stdout))
    warn(report.warnings)
    if report.later:
        aside("hint", f"{report.later} more than --max: run it again for them")
    elif going and not acted:
        aside("hint", "--yes deletes what would go")
    if report.error is not None:
        from gitops.cli.render.text import print_error

        print_error(report.error, as_json=False)
    return code


def _print_plan(fates: Sequence[Fate]) -> None:
    """Print the table: all that goes, and some of what stays for each reason."""
    rows: list[tuple[str, ...]] = []
    shown: Counter[str] = Counter()
    for fate in sorted(fates, key=lambda one: one.action == "keep"):
        if fate.action == "keep":
            shown[fate.reason] += 1
            if sum(shown.values()) > _MOST_KEPT:
                continue
        name = f"{fate.name}:{fate.tag}"
        rows.append((fate.action, name, fate.digest[:_DIGITS], _age(fate.created), fate.reason))
    texts = columns(rows)
    for row, text in zip(rows, texts, strict=True):
        style = _STYLES.get(row[0])
        line(paint(safe(text), style, sys.stdout) if style else safe(text))
    left = sum(shown.values()) - _MOST_KEPT
    if left > 0:
        line(f"and {left} more that stay (-o json tells all)")


def _age(moment: datetime | None) -> str:
    if moment is None:
        return "?"
    return short_age((datetime.now(UTC) - moment).total_seconds())


def _when(moment: datetime | None) -> str:
    return minute(moment) if moment is not None else "unknown"


def _stay_rows(found: Sequence[Stay]) -> list[tuple[str, ...]]:
    return [
        (
            one.overlay.label,
            one.image,
            describe_value(one.value),
            f"since {_when(one.since)}" if one.until is None else f"from {_when(one.since)}",
            "now" if one.until is None else f"until {_when(one.until)}",
            f"{(one.commit or '')[:7]} by {one.by}" if one.by else "",
        )
        for one in found
    ]


def _platforms(one: ShownImage) -> str:
    return ", ".join(map(str, one.info.platforms)) or "unknown"


def _labels(one: ShownImage) -> dict[str, str]:
    return dict(one.info.images[0].config.labels) if one.info.images else {}


def _stay_document(one: Stay) -> JsonDocument:
    return {
        "environment": one.overlay.environment.name,
        "app": one.overlay.app,
        "image": one.image,
        "value": value_document(one.value),
        "commit": one.commit,
        "since": time_text(one.since),
        "until": time_text(one.until),
        "by": one.by,
    }


def _shown_document(one: ShownImage) -> JsonDocument:
    return {
        "repository": str(one.name),
        "reference": one.reference,
        "digest": one.info.manifest.digest,
        "platforms": [str(platform) for platform in one.info.platforms],
        "created": time_text(one.info.created),
        "annotations": dict(one.info.manifest.annotations),
        "labels": _labels(one),
        "found": [_stay_document(stay) for stay in one.stays],
    }


def _listed_document(one: ListedImage) -> JsonDocument:
    return {
        "image": one.image,
        "repository": str(one.name) if one.name is not None else None,
        "pinned": [
            {"overlay": label, "value": value_document(value)} for label, value in one.where
        ],
        "tags": [
            {
                "tag": tag.tag,
                "digest": tag.digest,
                "created": time_text(tag.created),
                "overlays": list(tag.where),
            }
            for tag in one.tags
        ],
        "more": one.more,
        "problem": one.problem,
    }


def _prune_document(report: PruneReport, who: str, *, acted: bool) -> JsonDocument:
    return {
        "action": "prune",
        "outcome": "deleted" if acted and report.acts else "unchanged" if acted else "planned",
        "images": [
            {
                "repository": str(fate.name),
                "tag": fate.tag,
                "digest": fate.digest,
                "created": time_text(fate.created),
                "action": fate.action,
                "reason": fate.reason,
            }
            for fate in report.fates
        ],
        "acts": [
            {
                "repository": str(act.fate.name),
                "tag": act.fate.tag,
                "digest": act.fate.digest,
                "done": act.done,
                "also": list(act.also),
                "reason": act.reason,
                "by": who,
            }
            for act in report.acts
        ],
        "later": report.later,
        "notes": list(report.notes),
        "warnings": list(report.warnings),
    }
