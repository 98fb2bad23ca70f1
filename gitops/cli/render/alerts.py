"""What `gitops alerts` prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from gitops.actions.alerts import JudgedAlert
from gitops.cli.render.terminal import line, safe
from gitops.cli.render.text import print_json
from gitops.core.alerts.alert import LARGEST_BODY, AlertBatch, read_alerts
from gitops.core.releases.selection import describe
from gitops.documents.alerts import alert_document
from gitops.errors import NotFound, UsageError


def read_body(file: str) -> AlertBatch:
    """Read the file. Raises NotFound, and UsageError for what is no body."""
    try:
        if file == "-":
            content = sys.stdin.buffer.read(LARGEST_BODY + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(LARGEST_BODY + 1)
    except OSError as error:
        raise NotFound(
            f"{file} cannot be read: {error.strerror}",
            hint="a body as Alertmanager posts it to a webhook; `-` is standard input",
        ) from None
    try:
        return read_alerts(content)
    except ValueError as error:
        raise UsageError(
            f"{file}: {error}", hint="Alertmanager's webhook sends such bodies (version 4)"
        ) from None


def print_judged(judged: Sequence[JudgedAlert], output: str) -> int:
    """Print what would be done; 1 when nothing would be taken back."""
    if output == "json":
        print_json({"action": "alerts test", "alerts": [alert_document(one) for one in judged]})
    else:
        if not judged:
            line("no alert in it")
        for one in judged:
            _print(one)
    return 0 if any(one.action in ("propose", "rollback") for one in judged) else 1


_WORDS = {
    "rollback": "would be rolled back",
    "propose": "a rollback would be proposed",
    "tell": "people would be told",
    "none": "nothing would be done",
}


def _print(one: JudgedAlert) -> None:
    where = one.label or "no overlay"
    line(safe(f"{one.alert.name}  {where}  {_WORDS[one.action]}"))
    if one.release is not None and one.action in ("propose", "rollback"):
        line(safe(f"  takes back {describe(one.release)}"))
    if one.why:
        line(safe(f"  {one.why}"))
