"""What passed policy in a call: the line of `--audit`."""

from __future__ import annotations

import json
import sys

from gitops.core.report import WriteReport
from gitops.documents.parts import audit_entries


def print_audit(report: WriteReport) -> None:
    """Print it as one line of JSON on standard error; nothing where nothing was passed."""
    if not report.audit:
        return
    document = {
        "audit": audit_entries(report),
        "action": report.action,
        "outcome": report.outcome,
        "repository": report.repository,
        "branch": report.branch,
        "commit": report.commit,
    }
    print(json.dumps(document), file=sys.stderr)
