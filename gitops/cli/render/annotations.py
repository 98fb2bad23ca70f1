"""Marks for the page of a CI job: one line that the runner of GitHub Actions understands.

Runners of Gitea and Forgejo know the same words. What stands in a line comes from people and
files, so it is escaped as the runner demands (actions/toolkit, packages/core, `command.ts`).
"""

from __future__ import annotations

from enum import StrEnum

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


class Annotations(StrEnum):
    """Which marks for the page of a CI job are printed beside the result."""

    none = "none"
    github = "github"
