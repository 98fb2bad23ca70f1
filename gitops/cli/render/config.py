"""What `gitops config` prints."""

from __future__ import annotations

import sys

from gitops.actions.config import ConfigEdit
from gitops.cli.render.terminal import aside, lines, paint, safe, there
from gitops.cli.render.text import diff_lines, print_json


def print_edit(edit: ConfigEdit, output: str, directory: str) -> int:
    """Print what was edited in a folder; return the exit code 0."""
    if output == "json":
        print_json({"outcome": edit.outcome, "path": edit.diff.path, "notes": list(edit.notes)})
        return 0
    changed = diff_lines(edit.diff) if edit.diff.before != edit.diff.after else ()
    words = {"edited": "edited", "planned": "would edit", "unchanged": "unchanged:"}
    done = paint(f"{words[edit.outcome]} {safe(edit.diff.path)}", "bold", sys.stdout)
    lines([*changed, *map(safe, edit.notes), done])
    if edit.outcome == "edited":
        aside("hint", f"`gitops validate{there(directory)}`; then commit it")
    return 0
