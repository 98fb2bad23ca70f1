"""What a pull request says: Markdown, made whole again from a `Review` each time.

Nothing in it depends on who asks or when, only on the proposal and on what stands today: the same
state gives the same text, so whoever comes second changes nothing. What people and files chose
stands as code only (`core.text.markdown`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from gitops.core.environments.environment import Overlay
from gitops.core.forges.web_links import commit_page, compare_page
from gitops.core.git.message import reason_of, subject, told_labels, trailers
from gitops.core.git.revision import parse_revision
from gitops.core.kustomization.image import ImageChange, ImageValue, describe_value
from gitops.core.ledger.verdicts import Aspect, CountedVerdict, standing_of
from gitops.core.policy.promotion import Upstream
from gitops.core.policy.reasons import Reason
from gitops.core.proposals.commands import approving, asking
from gitops.core.releases.release import Release
from gitops.core.releases.selection import Choice, describe
from gitops.core.text.markdown import NOTHING, bullets, code, code_block, link, table

LONGEST_TITLE = 200

_SHORT = 7
_LONGEST_TABLE = 30_000  # characters; GitHub takes 65,536 for a whole body
_LISTED = 50
_KINDS = {"promote": "Promotion", "rollback": "Rollback", "undo": "Undo of a rollback"}
_ACTION = re.compile(r"^Gitops-Action: (\S+)$", re.MULTILINE)
_HEAD = re.compile(r"^gitops approve .*--head ([0-9a-f]{40,64})\b", re.MULTILINE)
_ASPECTS: tuple[tuple[Aspect, str], ...] = (
    ("quality", "no word of QA"),
    ("health", "nobody recorded its health"),
)


class ProposalImage(Struct, frozen=True):
    """One image of a proposal.

    Attributes:
        revision: `Source-Revision` of the new value, None when it is not recorded.
        old: source commit of the value that goes, None when it is not recorded.
        source: URL of the repository that it is built from, None when nobody named it.
    """

    change: ImageChange
    revision: str | None = None
    old: str | None = None
    source: str | None = None


class Review(Struct, frozen=True):
    """A proposal as it stands today, with all that an approver wants to know.

    Attributes:
        head: its commit (all digits).
        message: of the head; its trailers say what was asked for.
        by, since: who made the head, and when.
        befores: what the environments of `after` tell of the images.
        reasons: what stands against it now; nothing that an override of its own covers.
        way_back: what `gitops rollback` would do once this is merged; None: there is no way back.
        restored: for a rollback, the release that it restores and what is known of its health, None
            when it is not known.
        brings_hold: it writes a hold (a rollback).
        adds: it makes entries that the overlay does not have.
    """

    overlay: Overlay
    head: str
    message: str
    by: str
    since: datetime | None
    rows: tuple[ProposalImage, ...]
    befores: tuple[Upstream, ...] = ()
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()
    way_back: Choice | None = None
    restored: tuple[Release, str] | None = None
    brings_hold: bool = False
    adds: bool = False


class PullRequestText(Struct, frozen=True):
    """Title and body (Markdown) of a pull request."""

    title: str
    body: str


def render_pull_request(reviews: Sequence[Review], name: str) -> PullRequestText:
    """Return what the pull request of a proposal says of each overlay that it is about.

    Args:
        name: what a person types for all of them: an environment, a group, `APP/GROUP`.
    """
    if len(reviews) > 1:
        return _render_together(reviews, name)
    (review,) = reviews
    said, action = _said(review)
    told = [_changes(review.rows)]
    if action == "rollback":
        told += _restoring(review)
    elif action != "undo":  # going back is always allowed
        told += _titled("Before it goes in", _verdicts(review))
    told += _titled("Built from", [code(text) for text in said.get("Gitops-Provenance", ())])
    request = asking(
        review.overlay,
        [row.change for row in review.rows],
        review.message,
        adds=review.adds,
        hold=review.brings_hold,
    )
    commands = [request, approving(review.overlay, review.head)]
    return _text(reviews, told, _way_back(review), "ask for the same, and to merge", commands)


def _render_together(reviews: Sequence[Review], name: str) -> PullRequestText:
    _, action = _said(reviews[0])
    rows = [
        (
            code(review.overlay.label),
            code(row.change.image),
            shown_value(row.change.before),
            shown_value(row.change.after),
        )
        for review in reviews
        for row in review.rows
    ]
    # One line for what is the same of many.
    about: dict[str, list[str]] = {}
    for review in reviews if action != "undo" else ():
        for text in _restoring(review) if action == "rollback" else _verdicts(review):
            about.setdefault(text, []).append(review.overlay.label)
    lines = [f"{code(told_labels(some))}: {text}" for text, some in about.items()]
    told = [table(("overlay", "image", "old", "new"), fitting(rows))]
    told += _titled("Before it goes in", lines)
    back = code(shlex.join(["gitops", "rollback", name]))
    approve = shlex.join(["gitops", "approve", name, "--head", reviews[0].head])
    return _text(
        reviews, told, f"{back} takes each to its last stable release.", "merge", [approve]
    )


def _text(
    reviews: Sequence[Review], told: Sequence[str], back: str, does: str, commands: Sequence[str]
) -> PullRequestText:
    """Put what is `told` of a proposal between what every one of them says."""
    first = reviews[0]
    said, action = _said(first)
    labels = told_labels([review.overlay.label for review in reviews])
    parts = [
        f"**{_KINDS.get(action, 'New images')}** {'of' if action == 'rollback' else 'for'} "
        f"{code(labels)}, asked for by {code(first.by)} on {_time(first.since)}, "
        f"at {code(first.head[:_SHORT])}."
    ]
    reason = reason_of(first.message)
    if reason is not None:
        parts.append(f"Reason: {code(reason)}")
    parts += told
    parts += _titled("Passed over", [code(text) for text in said.get("Gitops-Override", ())])
    warnings = dict.fromkeys(text for review in reviews for text in review.warnings)
    parts += _titled("Warnings", [code(text) for text in warnings])
    parts.append(f"**Way back**: {back}")
    parts.append(f"To {does} exactly this:")
    parts.append(code_block(commands, "sh"))
    listed = [f"{key}: {value}" for key, values in said.items() for value in values]
    if listed:
        parts.append(code_block(listed[:_LISTED]))
    return PullRequestText(subject(first.message)[:LONGEST_TITLE], "\n\n".join(parts))


def _said(review: Review) -> tuple[Mapping[str, tuple[str, ...]], str]:
    """Return the trailers of a proposal, and the action that they name."""
    said = trailers(review.message)
    return said, said.get("Gitops-Action", ("deploy",))[-1]


def action_told(body: str) -> str | None:
    """Return the action (`promote`, …) that a body of ours names, None for another text."""
    found = _ACTION.search(body.replace("\r\n", "\n"))
    return found[1] if found is not None else None


def head_told(body: str) -> str | None:
    """Return the head that a body of ours was made for, None for another text."""
    found = _HEAD.search(body.replace("\r\n", "\n"))
    return found[1] if found is not None else None


def _changes(rows: Sequence[ProposalImage]) -> str:
    told = any(row.revision is not None for row in rows)
    compared = any(_comparison(row) is not None for row in rows)
    head = ("image", "old", "new", *["source"] * told, *["changes"] * compared)
    return table(head, fitting([_cells(row, told, compared) for row in rows]))


def _cells(row: ProposalImage, told: bool, compared: bool) -> tuple[str, ...]:
    change = row.change
    cells = [code(change.image), shown_value(change.before), shown_value(change.after)]
    if told:
        cells.append(_source(row))
    if compared:
        cells.append(_comparison(row) or NOTHING)
    return tuple(cells)


def _source(row: ProposalImage) -> str:
    revision = parse_revision(row.revision) if row.revision is not None else None
    if revision is None:
        return NOTHING
    if revision.commit is None:
        return code(revision.branch)
    page = commit_page(row.source, revision.commit) if row.source is not None else None
    return link(f"{revision.branch}@{revision.commit[:_SHORT]}", page)


def _comparison(row: ProposalImage) -> str | None:
    revision = parse_revision(row.revision) if row.revision is not None else None
    if row.source is None or row.old is None or revision is None or revision.commit is None:
        return None
    page = compare_page(row.source, row.old, revision.commit)
    shown = f"{row.old[:_SHORT]}...{revision.commit[:_SHORT]}"
    return link(shown, page) if page is not None else None


def fitting(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Return as many rows as fit, and one that counts the others."""
    kept: list[Sequence[str]] = []
    size = 0
    for row in rows:
        size += sum(len(cell) + 3 for cell in row)
        if size > _LONGEST_TABLE:
            rest = f"and {len(rows) - len(kept)} more"
            return [*kept, (rest, *[NOTHING] * (len(row) - 1))]
        kept.append(row)
    return kept


def _verdicts(review: Review) -> list[str]:
    """What the environments before say, and what policy says of it all as of now."""
    lines: list[str] = []
    wanted = {row.change.image: row.change.after for row in review.rows}
    for before in review.befores:
        if before.problem is not None:
            lines.append(f"{code(before.overlay)} cannot be asked: {code(before.problem)}")
            continue
        for aspect, silence in _ASPECTS:
            asked = before.in_its_words(wanted)
            covered = standing_of(before.sets, asked, before.present, aspect)
            words = {
                image: found.about(aspect) if found else None for image, found in covered.items()
            }
            lines += _sayings(before.overlay, words, silence)
    against = [f"stands against it: {code(str(reason))}" for reason in review.reasons]
    return [*lines, *against] if against else [*lines, "policy has nothing against it"]


def _sayings(overlay: str, words: Mapping[str, CountedVerdict | None], silence: str) -> list[str]:
    """One line for each different word, with its images unless it is about all of them."""
    lines: list[str] = []
    for word in dict.fromkeys(words.values()):
        about = [image for image, found in words.items() if found == word]
        text = silence
        if word is not None:
            note = f": {code(word.reason)}" if word.reason else ""
            text = f"{code(word.verdict)} by {code(word.by)}, {_time(word.time)}{note}"
        which = "" if len(about) == len(words) else f" ({', '.join(map(code, about[:_LISTED]))})"
        lines.append(f"{code(overlay)}: {text}{which}")
    return lines


def _restoring(review: Review) -> list[str]:
    parts = []
    if review.restored is not None:
        release, stability = review.restored
        parts.append(f"It restores {code(describe(release))}: {stability}.")
    if review.brings_hold:
        resume = code(f"gitops resume {review.overlay.typed}")
        label = code(review.overlay.label)
        parts.append(f"It brings a hold along: automation leaves {label} alone until {resume}.")
    return parts


def _way_back(review: Review) -> str:
    command = code(f"gitops rollback {review.overlay.typed}")
    choice = review.way_back
    if choice is None or choice.release is None:
        return f"{command} finds no earlier release to go back to."
    over = f", passing over {choice.passed_over} that nobody judged" if choice.passed_over else ""
    return f"{command} would restore {code(describe(choice.release))}: {choice.stability}{over}."


def _titled(title: str, items: Sequence[str]) -> list[str]:
    """Return a title and a list below it, cut where it is long; nothing without items."""
    if not items:
        return []
    more = [f"and {len(items) - _LISTED} more"] if len(items) > _LISTED else []
    return [f"**{title}**", bullets([*items[:_LISTED], *more])]


def shown_value(value: ImageValue | None) -> str:
    return NOTHING if value is None else code(describe_value(value))


def _time(moment: datetime | None) -> str:
    if moment is None:
        return "an unknown date"
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
