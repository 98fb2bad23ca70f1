"""What was found of pushed images, as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from gitops.actions.images_update import UpdateReport
from gitops.actions.pushed.look import TagFinding
from gitops.documents.reports import JsonDocument, time_text, value_document, write_document


def update_document(report: UpdateReport) -> JsonDocument:
    """The document of `gitops images update`."""
    looked = report.looked
    return {
        "action": "images update",
        "images": finding_documents(looked.findings),
        "problems": [
            {"image": image, "code": error.code, "message": error.message}
            for image, error in looked.problems.items()
        ],
        "deploys": [
            {
                "image": one.update.image,
                "tag": one.update.tag.tag,
                "digest": one.update.tag.digest,
                "ref": one.update.tag.fits.branch,
                "commit": one.update.commit,
                "error": None if one.error is None else one.error.message,
                "result": None if one.report is None else write_document(one.report),
            }
            for one in report.done
        ],
    }


def finding_documents(findings: Iterable[TagFinding]) -> list[JsonDocument]:
    """What was found for each image of each overlay."""
    return [_finding_document(one) for one in findings]


def _finding_document(one: TagFinding) -> JsonDocument:
    found = one.found
    return {
        "image": one.image,
        "repository": str(one.name) if one.name is not None else None,
        "environment": one.overlay.environment.name,
        "app": one.overlay.app,
        "running": value_document(one.running),
        "found": None
        if found is None
        else {
            "tag": found.tag,
            "digest": found.digest,
            "created": time_text(found.created),
            "ref": found.fits.branch,
        },
        "decision": "current" if one.is_current else "deploy" if one.is_update else "stay",
        "reason": one.why or None,
    }
