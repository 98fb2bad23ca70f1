"""What an act would do, as somebody is shown it, and the act itself, held to what they saw.

The form carries what was seen: the release to take back, the one to restore, a proposal's head, and
a mark of all that would change. The act is planned once more on the very tip that it is written on;
where that is something else nothing is written, and the new preview is shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView
from gitops.actions.releases.history import releases_of
from gitops.core.kustomization.image import describe_change
from gitops.core.releases.selection import Choice
from gitops.core.report import WriteReport
from gitops.errors import GitopsError, Refused
from gitops.server.acts.orders import AskedFor
from gitops.server.acts.requests import ApproveBody, RollbackBody, Run, UndoBody
from gitops.server.acts.rights import act_of


class ActPreview(Struct, frozen=True):
    """What would be done.

    Attributes:
        report: None where it cannot be done; `error` says why.
        bad, to: of a rollback of one overlay: what is taken back, and what is restored.
        head: of an approval of one proposal: the commit that was looked at.
        rollback: of an undo: the rollback that is taken back.
        mark: of all that would change; "" where nothing would.
    """

    report: WriteReport | None = None
    error: GitopsError | None = None
    bad: str | None = None
    to: str | None = None
    head: str | None = None
    rollback: str | None = None
    mark: str = ""


def preview(session: Session, asked: AskedFor) -> ActPreview:
    """Plan it, and write nothing."""
    dry = replace(session, dry_run=True)
    try:
        if isinstance(asked.body, RollbackBody):
            return _of_rollback(dry, asked.environment, asked.body)
        report = act_of(asked)(dry)
    except GitopsError as error:
        return ActPreview(error=error)
    heads = [one.commit for one in report.proposals if one.commit is not None]
    head = heads[0] if isinstance(asked.body, ApproveBody) and len(heads) == 1 else None
    rollback = asked.body.rollback if isinstance(asked.body, UndoBody) else None
    return ActPreview(report, head=head, rollback=rollback, mark=mark_of(report))


def _of_rollback(session: Session, environment: str, body: RollbackBody) -> ActPreview:
    from gitops.actions.rollback import rollback

    seen: dict[str, tuple[str | None, str | None]] = {}

    def look(view: OverlayView, choice: Choice) -> None:
        newest = next(releases_of(view), None)
        restored = choice.release.commit if choice.release is not None else None
        seen[view.label] = (newest.commit if newest is not None else None, restored)

    report = rollback(session, body.request(environment), guard=look)
    bad, to = next(iter(seen.values())) if len(seen) == 1 else (body.bad, body.to)
    return ActPreview(report, bad=bad, to=to, mark=mark_of(report))


def as_seen(asked: AskedFor, mark: str) -> Run:
    """Return the act, which writes nothing but what has this `mark`; raises Refused instead."""
    act = act_of(asked)

    def run(session: Session) -> WriteReport:
        planned = act(replace(session, dry_run=True))
        if planned.outcome != "unchanged" and mark_of(planned) != mark:
            is_page = asked.via == "page"  # which shows it
            again = "press again" if is_page else "ask again"
            raise Refused(
                "something has changed since you looked, so nothing was done",
                hint=f"this is what would be done now: look at it, and {again}",
                reasons=() if is_page else tuple(_lines(planned)),
            )
        return act(session)

    return run


def _lines(report: WriteReport) -> Iterator[str]:
    """Yield what a plan would do, in words."""
    for one in report.changes:
        old, new = describe_change(one.change)
        yield f"{_label(one)}: {one.change.image} {old} -> {new}"
    yield from report.notes


def mark_of(report: WriteReport) -> str:
    """Return the mark of what a plan changes: images, holds, and the proposals that it touches."""
    told = (
        report.action,
        [(_label(one), one.change) for one in report.changes],
        [(one.overlay.label if one.overlay is not None else "*") for one in report.holds],
        [(one.branch, one.state, one.labels) for one in report.proposals],
        sorted((one.branch or "", one.path) for one in report.diffs),
        # Of an approval the very heads were seen; what a plan would make has another each time.
        [one.commit for one in report.proposals] if report.action == "approve" else [],
    )
    content = msgspec.json.encode(told, enc_hook=str)
    return hashlib.sha256(content).hexdigest()[:32]


def _label(change: object) -> str:
    overlay = getattr(change, "overlay", None)
    return overlay.label if overlay is not None else ""
