"""Reports as the JSON documents of design section 4; fields are only ever added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gitops.core.environments.environment import Overlay
from gitops.core.hold import Hold
from gitops.core.kustomization.image import ImageValue
from gitops.core.ledger.verdicts import CountedVerdict
from gitops.core.releases.bots import bot_of
from gitops.core.releases.release import Release
from gitops.core.report import (
    CutReport,
    Difference,
    DiffReport,
    HistoryReport,
    OverlayStatus,
    Proposal,
    ReleaseListReport,
    StatusReport,
    WriteReport,
)
from gitops.core.text.plain import timestamp
from gitops.documents.parts import (
    audit_entries,
    passed_over_documents,
    place_document,
    proof_documents,
)
from gitops.errors import GitopsError, Interrupted

if TYPE_CHECKING:
    from gitops.core.argocd.reports import Comeback, LiveApplication, WaitReport, WatchEvent
    from gitops.core.environments.freeze import FreezeHit

JsonDocument = dict[str, Any]


def write_document(report: WriteReport) -> JsonDocument:
    """The document of every verb that writes."""
    return {
        "action": report.action,
        "outcome": report.outcome,
        "commit": report.commit,
        "branch": report.branch,
        "repository": report.repository,
        "commits": [{"branch": one.branch, "commit": one.commit} for one in report.commits],
        "attempts": report.attempts,
        "changes": [
            {
                **_place(entry.overlay),
                "branch": entry.branch,
                "path": entry.path,
                "image": entry.change.image,
                "before": value_document(entry.change.before),
                "after": value_document(entry.change.after),
            }
            for entry in report.changes
        ],
        "skipped": [{**_place(entry.overlay), "reason": entry.reason} for entry in report.skipped],
        "proposals": [proposal_document(entry) for entry in report.proposals],
        "warnings": list(dict.fromkeys(report.warnings)),
        "notes": list(report.notes),
        "hint": report.hint,
        "hold": hold_document(report.hold),
        "holds": [
            {**_place(one.overlay), **(hold_document(one.hold) or {})} for one in report.holds
        ],
        "audit": audit_entries(report),
        "passed_over": passed_over_documents(report.passed_over),
    }


def history_document(report: HistoryReport) -> JsonDocument:
    """The document of `history`."""
    return {
        "environment": report.overlay.environment.name,
        "app": report.overlay.app,
        "branch": report.branch,
        "releases": [
            {
                **_release(release, report.words.get(release.commit, ()), current=index == 0),
                "undone": report.undone.get(release.commit),
            }
            for index, release in enumerate(report.releases)
        ],
        "more": report.more,
        "warnings": list(report.warnings),
    }


def _release(release: Release, words: Sequence[CountedVerdict], *, current: bool) -> JsonDocument:
    return {
        "commit": release.commit,
        "time": time_text(release.time),
        "author": release.author.name,
        "subject": release.subject,
        "action": release.action,
        "bot": bot_of(release),
        "images": images_document(release.images or {}),
        "readable": release.images is not None,
        "restores": release.restores,
        "schema": release.schema,
        "provenance": proof_documents(release.proofs),
        "verdicts": [word_document(word) for word in words],
        "current": current,
    }


def status_document(report: StatusReport, environments: object = None) -> JsonDocument:
    """The document of `status`; `environments`: the documents of its overlays, where they are."""
    if environments is None:
        environments = [*map(overlay_document, report.overlays)]
    return {
        "branch": report.branch,
        "repository": report.repository,
        "environments": environments,
        "warnings": list(report.warnings),
    }


def overlay_document(entry: OverlayStatus) -> JsonDocument:
    """The document of one overlay in `status`."""
    applications = [live_document(one) for one in (entry.live.applications if entry.live else ())]
    return {
        "name": entry.overlay.environment.name,
        "app": entry.overlay.app,
        "branch": entry.branch,
        "images": images_document(entry.images or {}),
        "commit": entry.commit,
        "time": time_text(entry.time),
        "author": entry.by,
        "bot": entry.bot,
        "schema": entry.schema,
        "provenance": proof_documents(entry.proofs),
        "verdicts": [word_document(word) for word in entry.words],
        "hold": hold_document(entry.hold),
        "freeze": freeze_document(entry.freeze),
        "proposals": [proposal_document(proposal) for proposal in entry.proposals],
        "application": next(iter(applications), None),
        "applications": applications,
        "cluster": {"problem": entry.live.problem} if entry.live is not None else None,
        "problem": entry.problem,
    }


def live_document(one: LiveApplication) -> JsonDocument:
    """One Application that feeds an overlay, as `status` saw it."""
    return {
        "cluster": one.ref.cluster,
        "namespace": one.ref.namespace,
        "name": one.ref.name,
        "state": one.state,
        "message": one.text,
        "sync": one.sync,
        "health": one.health,
        "revision": one.revision,
        "release": one.release,
        "since": time_text(one.since),
        "drift": list(one.drift),
        "rollouts": list(one.rollouts),
    }


def wait_document(report: WaitReport) -> JsonDocument:
    """The document of `wait`."""
    release = report.release
    return {
        "environment": report.overlay.environment.name,
        "app": report.overlay.app,
        "verdict": report.verdict,
        "commit": release.commit if release is not None else None,
        "images": images_document(release.images or {}) if release is not None else [],
        "message": report.message,
        "since": time_text(report.since),
        "recorded": report.recorded,
        "applications": [
            {
                "cluster": one.ref.cluster,
                "namespace": one.ref.namespace,
                "name": one.ref.name,
                "state": one.state,
                "sync": one.sync,
                "health": one.health,
                "revision": one.revision,
                "message": one.text,
                "since": time_text(one.since),
                "images": list(one.images),
            }
            for one in report.observations
        ],
        "troubles": [
            {
                "resource": one.resource,
                "reason": one.reason,
                "message": one.message,
                "words": one.words,
            }
            for one in report.diagnoses
        ],
        "notes": list(report.notes),
        "warnings": list(report.warnings),
        **({"rollback": _comeback(report.went_back)} if report.went_back is not None else {}),
    }


def _comeback(back: Comeback) -> JsonDocument:
    return {"outcome": back.outcome, "commit": back.commit, "branch": back.branch}


def event_document(event: WatchEvent) -> JsonDocument:
    """One line of `watch`."""
    return {
        **_place(event.overlay),
        "commit": event.commit,
        "verdict": event.verdict,
        "message": event.text,
        **({"rollback": event.went_back} if event.went_back is not None else {}),
    }


def diff_document(report: DiffReport) -> JsonDocument:
    """The document of `diff`."""
    return {
        "left": report.names[0],
        "right": report.names[1],
        "differences": [
            {
                "image": entry.image,
                "left": value_document(entry.left),
                "right": value_document(entry.right),
                **_made(entry),
            }
            for entry in report.differences
        ],
        "warnings": list(report.warnings),
    }


def _made(entry: Difference) -> JsonDocument:
    """The release that made a difference; nothing where nobody asked."""
    if entry.by is None:
        return {}
    return {
        "commit": entry.by.commit,
        "time": time_text(entry.by.time),
        "author": entry.by.author.name,
        "action": entry.by.action,
        "sources": {"left": entry.sources[0], "right": entry.sources[1], "url": entry.page},
    }


def error_document(error: GitopsError) -> JsonDocument:
    """The document of a call that failed."""
    told: JsonDocument = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "reasons": list(error.reasons),
    }
    if not isinstance(error, Interrupted) or error.id is None:
        return {"error": told}
    # Beside the error, as in any document of a write; and in it, for who keeps only that.
    return {"id": error.id, "error": told | {"id": error.id, "pushes": list(error.pushes)}}


def cut_document(report: CutReport) -> JsonDocument:
    """The document of `release cut`."""
    return {
        "action": "release cut",
        "outcome": report.outcome,
        "version": report.version,
        "branches": [
            {
                "source": entry.url,
                "images": list(entry.images),
                "branch": entry.branch,
                "commit": entry.commit,
            }
            for entry in report.branches
        ],
    }


def releases_document(report: ReleaseListReport) -> JsonDocument:
    """The document of `release list`."""
    return {
        "branches": [
            {
                "source": entry.url,
                "images": list(entry.images),
                "branch": entry.branch,
                "head": entry.head,
                "running": [
                    {
                        **_place(one.overlay),
                        "image": one.image,
                        "commit": one.commit,
                        "is_head": one.commit == entry.head,
                        "verdicts": [word_document(word) for word in one.words],
                    }
                    for one in entry.running
                ],
            }
            for entry in report.branches
        ],
        "warnings": list(report.warnings),
    }


def images_document(images: Mapping[str, ImageValue]) -> list[JsonDocument]:
    """Images of a release as a list, in the order of the file."""
    return [
        {"image": image, "name": value.name, "tag": value.tag, "digest": value.digest}
        for image, value in images.items()
    ]


def value_document(value: ImageValue | None) -> JsonDocument | None:
    """One image value, or None where an overlay does not have the image."""
    if value is None:
        return None
    return {"name": value.name, "tag": value.tag, "digest": value.digest}


def word_document(word: CountedVerdict) -> JsonDocument:
    """One verdict."""
    return {
        "verdict": word.verdict,
        "time": time_text(word.time),
        "by": word.by,
        "reason": word.reason,
    }


def proposal_document(proposal: Proposal) -> JsonDocument:
    """One proposal."""
    return {
        **_proposed_place(proposal),
        "branch": proposal.branch,
        "base": proposal.base,
        "number": proposal.number,
        "url": proposal.url,
        "state": proposal.state,
        "commit": proposal.commit,
        "by": proposal.by,
        "since": time_text(proposal.since),
        "waits_for": list(proposal.waits_for),
        "replaces": proposal.replaced.commit if proposal.replaced is not None else None,
        "overlays": list(proposal.labels),
    }


def _proposed_place(proposal: Proposal) -> JsonDocument:
    """What a proposal is about; of several overlays the word that its branch is called by."""
    if len(proposal.overlays) < 2:
        return _place(proposal.overlay)
    return place_document(proposal.branch.removeprefix("gitops/"))


def hold_document(hold: Hold | None) -> JsonDocument | None:
    """One hold."""
    if hold is None:
        return None
    return {
        "by": hold.by,
        "since": time_text(hold.since),
        "reason": hold.reason,
        "release": hold.release,
    }


def freeze_document(freeze: FreezeHit | None) -> JsonDocument | None:
    """The freeze window that an environment is in."""
    if freeze is None:
        return None
    return {"name": freeze.name, "reason": freeze.reason, "opens": time_text(freeze.opens)}


def time_text(time: datetime | None) -> str | None:
    """RFC 3339 in UTC: `2026-11-24T14:02:00Z`."""
    return timestamp(time) if time is not None else None


def _place(overlay: Overlay | None) -> JsonDocument:
    return place_document(overlay.label if overlay is not None else None)
