"""What came of a rollback that nobody asked for: it recovered, or a person is told.

Watched until a bound, and never a second step. What was seen of it stands in Git beside what people
were told, so that whoever watches next goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.alerts.alert import Alert
from gitops.core.argocd.reports import Live
from gitops.core.releases.release import Release
from gitops.core.text.documents import read_document, write_document
from gitops.core.text.plain import one_line, short_age

VERIFICATIONS_PATH = "afterwards.json"
"""Where it is, on the branch of what people were told (`core/notifications/told.py`)."""

ALERT_EMAIL = "alerts@gitops.invalid"
"""The address of who commits for an alert: what is counted as automatic (RFC 2606)."""

CLUSTER_EMAIL = "cluster@gitops.invalid"
"""The same, for what a cluster says."""

ON_BEHALF = "gitops on behalf of "

NEWS = timedelta(hours=24)
"""A rollback that is older when it is seen first is not watched any more."""

_MOST_KEPT = 200

VerificationOutcome = Literal["watching", "recovered", "not-recovered"]


class RollbackVerification(Struct, frozen=True, omit_defaults=True):
    """What is known of one rollback by itself.

    Attributes:
        commit: the rollback.
        cause: the name of the alert, or what the cluster said.
        since: when it landed, UTC.
        ended: when its alert ended, None while that is not known.
        by_cluster: no alert caused it, and so none will end.
        time: when the outcome was seen.
        why: it has not recovered.
    """

    commit: str
    cause: str
    since: datetime
    ended: datetime | None = None
    by_cluster: bool = False
    outcome: VerificationOutcome = "watching"
    time: datetime | None = None
    why: str = ""


def went_back_alone(release: Release | None) -> bool:
    """Say whether a release is a rollback that an alert or a cluster caused."""
    return (
        release is not None
        and release.action == "rollback"
        and release.author.email in (ALERT_EMAIL, CLUSTER_EMAIL)
    )


def is_cause(alert: Alert, release: Release) -> bool:
    """Say whether a rollback by itself is the doing of an alert: of it, or of another instance of
    its rule (one for each pod, or with labels that change) that began about then."""
    if not went_back_alone(release) or release.time is None:
        return False
    if release.intent == alert.intent_against(release.rolled_back or ""):
        return True
    same = release.author.name == f"{ON_BEHALF}{alert.name}"
    return same and abs(alert.starts_at - release.time) <= NEWS


def begin_verification(release: Release, now: datetime) -> RollbackVerification | None:
    """Begin to watch a rollback; None for one that is none, or that is long ago."""
    if not went_back_alone(release) or release.time is None or now - release.time > NEWS:
        return None
    cause = one_line(release.author.name.removeprefix(ON_BEHALF), 120)
    by_cluster = release.author.email == CLUSTER_EMAIL
    return RollbackVerification(release.commit, cause, release.time, by_cluster=by_cluster)


def judge_verification(
    known: RollbackVerification,
    live: Live | None,
    now: datetime,
    patience: timedelta,
    *,
    is_stable: bool = False,
    is_alone: bool = False,
) -> RollbackVerification:
    """Return what is known now.

    Args:
        live: what the cluster says; None: none is known, and the alert alone says it.
        patience: how long it may take.
        is_stable: the ledger calls the rollback stable.
        is_alone: what ended meanwhile may not have come in yet, so only good news counts.
    """
    if known.outcome == "recovered":
        return known
    against = list(filter(None, (_alert(known), None if is_stable else _cluster(known, live))))
    if not against:
        return replace(known, outcome="recovered", time=now, why="")
    if known.outcome == "watching" and now - known.since >= patience and not is_alone:
        after = short_age(patience.total_seconds())
        why = f"after {after}: {'; '.join(against)}"
        return replace(known, outcome="not-recovered", time=now, why=one_line(why, 300))
    return known


def _alert(known: RollbackVerification) -> str | None:
    return f"{known.cause} has not ended" if known.ended is None and not known.by_cluster else None


def _cluster(known: RollbackVerification, live: Live | None) -> str | None:
    if live is None:
        return "no cluster is known any more" if known.by_cluster else None
    if live.problem is not None:
        return f"the cluster cannot be read: {live.problem}"
    bad = (one for one in live.applications if one.state != "healthy")
    return next((f"{one.ref.name}: {one.text}" for one in bad), None)


def read_verifications(content: bytes | None) -> dict[str, RollbackVerification]:
    """Return label -> what is known there; {} where the document is none."""
    return read_document(content, dict[str, RollbackVerification]) or {}


def write_verifications(known: Mapping[str, RollbackVerification]) -> bytes:
    """Return the document; of very many the newest."""
    newest = sorted(known.items(), key=lambda pair: pair[1].since, reverse=True)[:_MOST_KEPT]
    return write_document(dict(newest))
