"""Marks for the page of a CI job: one line that the runner of GitHub Actions understands.

Runners of Gitea and Forgejo know the same words. What stands in a line comes from people and
files, so it is escaped as the runner demands (actions/toolkit, packages/core, `command.ts`).
"""

from __future__ import annotations

from enum import StrEnum

from gitops.cli import streams
from gitops.core.text.plain import one_line

_LEVELS = {"error": "error", "warning": "warning", "notice": "notice"}


def github_line(
    level: str, message: str, *, title: str, path: str | None = None, line: int | None = None
) -> str:
    """Return the command that marks `path` (None: the whole job) with `message`."""
    properties = {"file": path, "line": str(line) if line is not None else None, "title": title}
    told = ",".join(
        f"{key}={_property(value)}" for key, value in properties.items() if value is not None
    )
    return f"::{_LEVELS.get(level, 'notice')} {told}::{_data(one_line(message, 2000))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def mark(
    annotations: Annotations,
    output: str,
    title: str,
    level: str,
    message: str,
    path: str | None,
    line: int | None = None,
) -> None:
    """Print a mark where the page of a CI job is to have them; `path` may hold any bytes."""
    if annotations is Annotations.github:
        # Runners read both streams; on standard output there is one document.
        say = streams.tell if output == "json" else streams.write
        place = printable(path) if path is not None else None
        say(github_line(level, message, title=title, path=place, line=line))


def printable(path: str) -> str:
    """Return a path that any encoding can hold: bytes that are no text become U+FFFD."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Annotations(StrEnum):
    """Which marks for the page of a CI job are printed beside the result."""

    none = "none"
    github = "github"
