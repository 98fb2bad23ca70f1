"""What passed policy in a call: a member of its JSON document, and the line of `--audit`."""

from __future__ import annotations

import json
import sys

from gitops.core.report import WriteReport


def entries(report: WriteReport) -> list[dict[str, str | None]]:
    """Return what passed policy, or tried to, as the JSON documents have it."""
    return [
        {
            "kind": entry.kind,
            "environment": entry.environment,
            "by": entry.by,
            "reason": entry.reason,
            "passed": entry.passed,
        }
        for entry in report.audit
    ]


def print_audit(report: WriteReport) -> None:
    """Print it as one line of JSON on standard error; nothing where nothing was passed."""
    if not report.audit:
        return
    document = {
        "audit": entries(report),
        "action": report.action,
        "outcome": report.outcome,
        "repository": report.repository,
        "branch": report.branch,
        "commit": report.commit,
    }
    print(json.dumps(document), file=sys.stderr)
