"""Rollbacks that nobody asked for, watched until they recovered or a person must know.

Nothing is done about them here: there is no second step by itself. What was seen is kept in Git, so
it does not matter who watches, nor whether they were away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from gitops.actions.context.session import Session
from gitops.actions.context.told import ToldFiles, change_told
from gitops.actions.index.state import IndexedCell, IndexState
from gitops.core.alerts.alert import Alert
from gitops.core.alerts.verification import (
    NEWS,
    VERIFICATIONS_PATH,
    RollbackVerification,
    begin_verification,
    is_cause,
    judge_verification,
    read_verifications,
    went_back_alone,
    write_verifications,
)
from gitops.core.argocd.reports import Live
from gitops.core.releases.release import Release

_MESSAGE = "Keep what came of a rollback\n"


def to_verify(
    state: IndexState, known: Mapping[str, RollbackVerification], now: datetime
) -> dict[str, IndexedCell]:
    """Return the overlays whose rollback by itself is in force, and of which news may come."""
    found = {}
    for name, cell in state.cells.items():
        if cell.release is None or not went_back_alone(cell.release):
            continue
        one = known.get(name)
        if one is None or one.commit != cell.release.commit:
            one = begin_verification(cell.release, now)
        if one is not None and one.outcome != "recovered" and now - one.since <= NEWS:
            found[name] = cell
    return found


def verify_rollbacks(
    session: Session,
    state: IndexState,
    lives: Mapping[str, Live],
    *,
    is_alone: bool = False,
) -> dict[str, RollbackVerification]:
    """Look at each rollback by itself that is in force, and keep what is new about it.

    Args:
        lives: what the clusters say of the cells; one that is missing runs in none that is known.
        is_alone: see `judge_verification`.

    Returns label -> what is known. Raises what reading and pushing raise.
    """
    files = ToldFiles(session)
    known = read_verifications(files.read(VERIFICATIONS_PATH))
    now = session.clock.now()
    cells = to_verify(state, known, now)
    kept = {
        name: one
        for name, one in known.items()
        if one.outcome != "watching" or _at(state.cells.get(name), one)
    }
    for name, cell in cells.items():
        one = _watched(cell, kept.get(name), now)
        if one is None:
            continue
        kept[name] = judge_verification(
            one,
            lives.get(name),
            now,
            cell.overlay.environment.wait.timeout,
            is_stable=_is_stable(cell, one),
            is_alone=is_alone,
        )
    if kept != known and not session.dry_run:
        # Whoever was quicker saw the same; what they did not, the next look does.
        files.keep(VERIFICATIONS_PATH, write_verifications(kept), _MESSAGE)
    return kept


def verification_of(session: Session, name: str, release: Release) -> RollbackVerification | None:
    """Return what is known of a rollback of an overlay; None: nothing. Raises as reading does."""
    known = read_verifications(ToldFiles(session).read(VERIFICATIONS_PATH))
    found = known.get(name)
    return found if found is not None and found.commit == release.commit else None


def note_ended(session: Session, state: IndexState, ended: Iterable[tuple[str, Alert]]) -> None:
    """Keep that alerts ended which overlays went back for; others are no matter here.

    Args:
        ended: overlay, and the alert.

    Raises what reading and pushing raise: the sender comes again then.
    """
    mine = {
        name: (cell, alert)
        for name, alert in ended
        if (cell := state.cells.get(name)) is not None
        and cell.release is not None
        and is_cause(alert, cell.release)
    }
    if not mine:
        return

    def change(files: ToldFiles) -> bytes | None:
        known = read_verifications(files.read(VERIFICATIONS_PATH))
        kept = dict(known)
        for name, (cell, alert) in mine.items():
            one = _watched(cell, known.get(name), session.clock.now())
            if one is not None and one.ended is None:
                kept[name] = replace(one, ended=alert.ends_at or session.clock.now())
        return write_verifications(kept) if kept != known else None

    change_told(session, VERIFICATIONS_PATH, change, _MESSAGE, "what ended could not be kept")


def _is_stable(cell: IndexedCell, one: RollbackVerification) -> bool:
    """Say whether it was called stable since: a word on its images is there from long before."""
    return any(
        word.verdict == "stable" and word.time is not None and word.time > one.since
        for word in cell.words
    )


def _watched(
    cell: IndexedCell, one: RollbackVerification | None, now: datetime
) -> RollbackVerification | None:
    """Return what is known of the rollback in force, from its beginning where that is nothing."""
    if _at(cell, one) or cell.release is None:
        return one
    return begin_verification(cell.release, now)


def _at(cell: IndexedCell | None, one: RollbackVerification | None) -> bool:
    """Say whether the rollback is what is in force."""
    release = cell.release if cell is not None else None
    return one is not None and release is not None and release.commit == one.commit
