"""What `gitops doctor` prints."""

from __future__ import annotations

import sys

from gitops.actions.doctor import DoctorCheck, DoctorReport
from gitops.cli.render.terminal import aside, columns, line, paint, safe
from gitops.cli.render.text import print_json
from gitops.core.text.plain import count

_MARKS = {"ok": ("ok", "green"), "optional": ("-", "dim"), "missing": ("no", "red")}


def print_doctor(report: DoctorReport, output: str) -> int:
    """Print what was looked at; exit 3 when something that is wanted does not work."""
    missing = report.missing
    if output == "json":
        print_json({"checks": [_document(one) for one in report.checks], "missing": len(missing)})
        return 3 if missing else 0
    rows = [(_MARKS[one.state][0], one.name, safe(one.found)) for one in report.checks]
    for one, text in zip(report.checks, columns(rows), strict=True):
        line(paint(text, _MARKS[one.state][1], sys.stdout) if one.state != "ok" else text)
        if one.hint is not None:
            line(paint(f"      {safe(one.hint)}", "dim", sys.stdout))
    if missing:
        names = ", ".join(dict.fromkeys(one.name for one in missing))
        aside("error", f"{count(len(missing), 'thing')} missing: {names}")
        return 3
    line(paint("nothing is missing", "bold", sys.stdout))
    return 0


def _document(check: DoctorCheck) -> dict[str, str | None]:
    return {
        "name": check.name,
        "state": check.state,
        "found": check.found,
        "hint": check.hint,
    }
