"""What came of a rollback by itself: good news where all of it is good, a person after a bound."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gitops.core.alerts.verification import (
    ALERT_EMAIL,
    CLUSTER_EMAIL,
    RollbackVerification,
    begin_verification,
    judge_verification,
    read_verifications,
    write_verifications,
)
from gitops.core.argocd.application import ApplicationRef
from gitops.core.argocd.reports import Live, LiveApplication
from gitops.core.git.commit import Identity
from gitops.core.releases.release import Release

THEN = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)
LATE = THEN + timedelta(minutes=20)
BOUND = timedelta(minutes=15)
WATCHED = RollbackVerification("a" * 40, "Errors", THEN)
ENDED = replace(WATCHED, ended=THEN)


def live(state: Any) -> Live:
    """One Application in a state."""
    ref = ApplicationRef("dev", "argocd", "stage")
    return Live((LiveApplication(ref, state, "api crashes", "Synced", "x"),))


@pytest.mark.parametrize(
    ("known", "sight", "now", "more", "outcome", "words"),
    [
        (WATCHED, None, THEN, {}, "watching", ""),
        (ENDED, None, THEN, {}, "recovered", ""),
        (ENDED, live("degraded"), THEN, {}, "watching", ""),
        (ENDED, live("healthy"), THEN, {}, "recovered", ""),
        (ENDED, live("degraded"), THEN, {"is_stable": True}, "recovered", ""),
        (ENDED, Live(problem="no route"), LATE, {}, "not-recovered", "cannot be read: no route"),
        (WATCHED, live("healthy"), LATE, {}, "not-recovered", "Errors has not ended"),
        (WATCHED, live("degraded"), LATE, {}, "not-recovered", "ended; stage: api crashes"),
        (WATCHED, None, LATE, {"is_alone": True}, "watching", ""),
        (ENDED, None, LATE, {"is_alone": True}, "recovered", ""),
        (replace(WATCHED, by_cluster=True), None, LATE, {}, "not-recovered", "no cluster"),
        (replace(WATCHED, by_cluster=True), live("healthy"), THEN, {}, "recovered", ""),
        (replace(ENDED, outcome="not-recovered"), None, LATE, {}, "recovered", ""),
        (replace(WATCHED, outcome="recovered"), live("degraded"), LATE, {}, "recovered", ""),
    ],
)
def test_outcomes(
    known: RollbackVerification,
    sight: Live | None,
    now: datetime,
    more: Any,
    outcome: str,
    words: str,
) -> None:
    """Recovered: the alert ended, and no cluster says otherwise; that is final."""
    found = judge_verification(known, sight, now, BOUND, **more)

    assert outcome == found.outcome
    assert words in found.why
    assert (found.outcome == known.outcome) is (found == known)


def test_only_what_nobody_asked_for_is_watched() -> None:
    """Not what a person took back, not what is long ago; the cause is the author's name."""
    one = Release("a" * 40, THEN, Identity("gitops on behalf of Errors", ALERT_EMAIL), "", None, {})
    mine = replace(one, action="rollback")

    assert RollbackVerification("a" * 40, "Errors", THEN) == begin_verification(mine, LATE)
    by_cluster = begin_verification(
        replace(mine, author=Identity("gitops on behalf of Degraded", CLUSTER_EMAIL)), LATE
    )
    assert by_cluster is not None
    assert by_cluster.by_cluster
    assert begin_verification(one, LATE) is None
    assert begin_verification(mine, THEN + timedelta(days=2)) is None
    assert begin_verification(replace(mine, author=Identity("Ana", "a@b")), LATE) is None


def test_the_document_is_read_back() -> None:
    """What is written is read; what is no such document is nothing."""
    known = {"stage": replace(ENDED, outcome="recovered", time=LATE), "prod": WATCHED}

    assert known == read_verifications(write_verifications(known))
    for content in (None, b"", b"[]", b'{"stage": 1}', b"{" * 10_000, b"\xff"):
        assert {} == read_verifications(content)
