"""What a rollback passes over, as JSON, and what is new where, for who has to choose."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitops.cli.render.terminal import columns, safe
from gitops.core.kustomization.image import describe_value
from gitops.core.releases.bots import maker_of
from gitops.core.text.plain import timestamp
from gitops.errors import UsageError

if TYPE_CHECKING:
    from gitops.core.report import NewestChange


def ask_which(news: Sequence[NewestChange]) -> str:
    """Show what is new in each environment, newest first, and ask for one; returns its label.

    On standard error, which is a terminal. Raises UsageError for an answer that is none of them.
    """
    import typer

    for text in columns([_row(entry) for entry in news]):
        print(safe(text).rstrip(), file=sys.stderr)
    answer = str(typer.prompt("Roll back which environment?", err=True)).strip()
    labels = [entry.overlay.label for entry in news]
    if answer not in labels:
        raise UsageError(f"no environment {answer!r}; there are {', '.join(labels)}")
    return answer


def _row(entry: NewestChange) -> tuple[str, ...]:
    release = entry.release
    if release is None:
        return (entry.overlay.label, "no release yet", "", "", "", "")
    when = timestamp(release.time).replace("T", " ")[:16] if release.time is not None else "unknown"
    what = ", ".join(
        f"{change.image} {describe_value(change.before)} -> {describe_value(change.after)}"
        for change in entry.changes
    )
    author, action = release.author.name, maker_of(release)
    return (entry.overlay.label, when, release.commit[:7], author, action, what or "-")
