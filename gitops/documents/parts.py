"""Parts of documents: places, what passed policy or was passed over, what images prove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitops.core.environments.environment import split_label
from gitops.core.text.plain import timestamp

if TYPE_CHECKING:
    from gitops.core.git.proof import Proof
    from gitops.core.releases.selection import LeftOut
    from gitops.core.report import WriteReport


def place_document(label: str | None) -> dict[str, str | None]:
    """Return environment and app of a label (`prod`, `shop/prod`); None: of nothing."""
    environment, app = split_label(label) if label else (None, None)
    return {"environment": environment, "app": app}


def audit_entries(report: WriteReport) -> list[dict[str, str | None]]:
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


def passed_over_documents(left_out: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """Return what stands under `passed_over`."""
    return [
        {
            "commit": entry.release.commit,
            "time": timestamp(entry.release.time) if entry.release.time is not None else None,
            "subject": entry.release.subject,
            "verdicts": list(entry.seen),
            "kind": entry.objection.kind,
            "reason": entry.objection.text,
            **({"overlay": entry.overlay} if entry.overlay is not None else {}),
        }
        for entry in left_out
    ]


def proof_documents(proofs: Sequence[Proof]) -> list[dict[str, Any]]:
    """Return the document of each."""
    return [
        {
            "image": proof.image,
            "source": proof.source,
            "revision": proof.revision,
            "by": proof.by,
            "signed": proof.signed,
            "signer": proof.signer,
        }
        for proof in proofs
    ]
