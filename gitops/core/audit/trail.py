"""Who did what, when and why, as commits tell it: one entry for each."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.git.message import reason_of, subject, trailers


class TrailEntry(Struct, frozen=True):
    """One commit of the repository, or of its ledger.

    Attributes:
        time: None for a date that no calendar has.
        action: deploy, rollback, qa, …; None: the commit does not say, so it is by hand.
        labels: the overlays that it says it is about.
        reason: in the words of whoever did it.
        overrides: what passed policy, each with its reason.
        via: what it came through where that was no command line: page, api, alert.
        actor: who asked for it there, as their sign-in names them.
        intent: `Gitops-Id`.
    """

    commit: str
    branch: str
    time: datetime | None
    author: Identity
    action: str | None
    labels: tuple[str, ...]
    summary: str
    reason: str | None = None
    overrides: tuple[str, ...] = ()
    via: str | None = None
    actor: str | None = None
    intent: str | None = None


def trail_entry(info: CommitInfo, branch: str) -> TrailEntry:
    """Return what a commit tells; a merge without trailers tells what it brought in."""
    messages = (info.message, *info.merged)
    message = next((one for one in messages if "Gitops-Action" in trailers(one)), info.message)
    told = trailers(message)
    return TrailEntry(
        commit=info.commit,
        branch=branch,
        time=info.time,
        author=info.author,
        action=told.get("Gitops-Action", (None,))[-1],
        labels=told.get("Gitops-Environment", ()),
        summary=subject(info.message),
        reason=reason_of(message),
        overrides=told.get("Gitops-Override", ()),
        via=told.get("Gitops-Via", (None,))[-1],
        actor=told.get("Gitops-Actor", (None,))[-1],
        intent=told.get("Gitops-Id", (None,))[-1],
    )
