"""What a write leaves for the CI job that called it: its summary, and values for the next steps.

The page of a job is read by people, so what stands there is Markdown in which foreign words are
code; the values are one line each, since a second line would be another value.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gitops.cli import streams
from gitops.core.kustomization.image import describe_value
from gitops.core.text.markdown import bullets, code, link, table
from gitops.core.text.plain import one_line

if TYPE_CHECKING:
    from gitops.core.argocd.reports import WaitReport
    from gitops.core.report import WriteReport
    from gitops.errors import GitopsError

SUMMARY = "GITHUB_STEP_SUMMARY"
"""Names the file of the summary in jobs of GitHub, Gitea and Forgejo."""

OUTPUTS = (
    *("GITOPS_OUTCOME", "GITOPS_CHANGED", "GITOPS_COMMIT", "GITOPS_BRANCH"),
    *("GITOPS_ENVIRONMENTS", "GITOPS_SKIPPED", "GITOPS_PROPOSAL", "GITOPS_VERDICT"),
)
"""What `--outputs` writes; the last one only with `--wait`."""

_MARKS = {"committed": "✅", "proposed": "⏳", "edited": "✅", "unchanged": "➖", "planned": "📝"}
_MOST_ROWS = 200


class _Files:
    """Where this call writes; nothing until `begin`.

    Attributes:
        told: what the write did stands there already.
    """

    summary: str | None = None
    outputs: str | None = None
    told: bool = False


def begin(summary: str | None, outputs: str | None, environ: Mapping[str, str]) -> None:
    """Remember where this call writes."""
    _Files.summary = summary if summary is not None else environ.get(SUMMARY) or None
    _Files.outputs = outputs
    _Files.told = False


def wrote(report: WriteReport) -> None:
    """Tell what a write did, once."""
    if _Files.told:
        return
    _Files.told = True
    _append(_Files.summary, summary_of(report))
    _append(
        _Files.outputs, "".join(f"{key}={value}\n" for key, value in outputs_of(report).items())
    )


def waited(reports: Sequence[WaitReport]) -> None:
    """Tell what became of it in the cluster."""
    rows = [(code(one.overlay.label), code(one.verdict), code(one.message, 300)) for one in reports]
    if rows:
        _append(_Files.summary, f"{table(('environment', 'seen', 'why'), rows)}\n\n")
        verdict = ",".join(dict.fromkeys(one.verdict for one in reports))
        _append(_Files.outputs, f"GITOPS_VERDICT={_value(verdict)}\n")


def failed(error: GitopsError) -> None:
    """Tell why it came to nothing."""
    told = [code(one_line(error.message, 1000))]
    told += [code(one_line(one, 300)) for one in error.reasons[:20] if one not in error.message]
    told += [f"➡️ {code(error.hint, 300)}"] if error.hint else []
    _append(_Files.summary, f"### ❌ gitops: {error.code}\n\n{bullets(told)}\n\n")
    code_ = _value(error.code)
    # What was written before stays written.
    values = f"GITOPS_OUTCOME={code_}\nGITOPS_CHANGED=false\n"
    _append(_Files.outputs, f"GITOPS_VERDICT={code_}\n" if _Files.told else values)


def summary_of(report: WriteReport) -> str:
    """Return the Markdown of one write."""
    at = f" {code(report.commit[:7])}" if report.commit else ""
    where = f" to {code(report.branch)}" if report.outcome == "committed" else ""
    head = (
        f"### {_MARKS.get(report.outcome, '')} gitops {report.action}: {report.outcome}{at}{where}"
    )
    return "\n\n".join([head, *_parts(report)]) + "\n\n"


def _parts(report: WriteReport) -> Iterator[str]:
    rows = [
        (
            code(one.overlay.label if one.overlay is not None else "."),
            code(one.change.image),
            code(describe_value(one.change.before)),
            code(describe_value(one.change.after)),
        )
        for one in report.changes[:_MOST_ROWS]
    ]
    if rows:
        yield table(("environment", "image", "before", "after"), rows)
    if len(report.changes) > _MOST_ROWS:
        yield f"and {len(report.changes) - _MOST_ROWS} more"
    notes = [
        f"skipped {code(one.overlay.label)}: {code(one.reason, 300)}" for one in report.skipped
    ]
    notes += [
        f"proposal {link(one.branch, one.url)} waits for {code(', '.join(one.labels), 300)}"
        for one in report.proposals
    ]
    notes += [f"⚠️ {code(one, 300)}" for one in report.warnings]
    if notes:
        yield bullets(notes[:_MOST_ROWS])


def outputs_of(report: WriteReport) -> dict[str, str]:
    """Return what the next steps of a job may want to know, each value one line."""
    pull = next((one for one in report.proposals if one.url or one.branch), None)
    return {
        "GITOPS_OUTCOME": _value(report.outcome),
        "GITOPS_CHANGED": str(report.outcome not in ("unchanged", "planned")).lower(),
        "GITOPS_COMMIT": _value(report.commit or ""),
        "GITOPS_BRANCH": _value(report.branch),
        "GITOPS_ENVIRONMENTS": _value(
            ",".join(dict.fromkeys(one.overlay.label for one in report.changes if one.overlay))
        ),
        "GITOPS_SKIPPED": _value(
            ",".join(dict.fromkeys(one.overlay.label for one in report.skipped))
        ),
        "GITOPS_PROPOSAL": _value((pull.url or pull.branch) if pull is not None else ""),
    }


def _value(text: str) -> str:
    return one_line(text, 2000)


def _append(path: str | None, text: str) -> None:
    """Write behind what is there; a file that cannot be written costs a warning, no exit code."""
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        name = os.path.basename(path)
        streams.tell(f"warning: {name} cannot be written: {error.strerror}")
