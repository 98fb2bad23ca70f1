"""`gitops notify`: people are told what happened since they were told last.

Everything is read from Git: commits say who rolled back and held, the ledger what is degraded, the
branches of proposals what waits. How far that went is kept in Git, too, so whoever tells needs no
disk, and may be another one each time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.session import Session
from gitops.actions.context.told import ToldFiles, change_told
from gitops.actions.index.state import IndexedCell, IndexState, read_state
from gitops.core.alerts.verification import (
    VERIFICATIONS_PATH,
    RollbackVerification,
    read_verifications,
)
from gitops.core.environments.environment import Config
from gitops.core.git.commit import CommitInfo
from gitops.core.notifications.event import Event, channels_of, events_of_commits
from gitops.core.notifications.told import (
    MOST_FAILED,
    MOST_SAID,
    PENDING_PATH,
    TOLD_PATH,
    ToldMark,
    Undelivered,
    read_pending,
    read_told,
    write_pending,
)
from gitops.core.notifications.words import body_of, summary_of, title_of
from gitops.core.text.documents import write_document
from gitops.core.text.plain import one_line, timestamp
from gitops.errors import GitopsError, NotFound, UsageError
from gitops.ports.notifier import Notifier

_MOST_MESSAGES = 20  # to one channel, at once; the rest is one more
_MOST_COMMITS = 1000
_MOST_UNTOLD = 200  # commits that are read again each time before the mark is moved past them


class SentMessage(Struct, frozen=True):
    """One message.

    Attributes:
        outcome: `sent`, `planned` for a dry run, `failed`.
        why: it did not go out; None where it did.
    """

    channel: str
    title: str
    body: str
    outcome: Literal["sent", "planned", "failed"]
    why: str | None = None


class NotifyReport(Struct, frozen=True):
    """What was told.

    Attributes:
        begun: nobody was told before: from now on.
        events: what happened since, oldest first.
        sent: messages, in their order.
        unknown: channels of `notify:` that have no address here.
        notes: what a person should know.
    """

    begun: bool
    events: tuple[Event, ...]
    sent: tuple[SentMessage, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def failed(self) -> tuple[SentMessage, ...]:
        """The messages that did not go out."""
        return tuple(one for one in self.sent if one.outcome == "failed")


def notify(
    session: Session,
    notifier: Notifier,
    *,
    page: str | None = None,
    earlier: IndexState | None = None,
    more: Sequence[Event] = (),
) -> NotifyReport:
    """Tell each channel of `notify:` what happened since the last time, and keep how far that was.

    At least once: the mark is moved after sending, so that somebody who dies in between is followed
    by one who tells it again. A message that three tries did not bring out is given up, and kept
    by name.

    Args:
        page: the address of the server's pages, for links.
        earlier: what this process has read, for whichever purpose.
        more: what happened beside, which Git does not know; each id is told once.

    Raises UsageError without `notify:`, and what reading and pushing raise.
    """
    state = read_state(session, earlier)
    config = state.config
    if not config.notify:
        raise UsageError(
            "gitops.yaml has no `notify:`, so nobody is to be told anything",
            hint="notify: [{channel: oncall, environments: [prod]}]",
        )
    known = ToldFiles(session)
    told = read_told(known.read(TOLD_PATH))
    after = read_verifications(known.read(VERIFICATIONS_PATH))
    now = replace(_now_told(state, told), afterwards=_told_verifications(after))
    landed = _Landed() if told is None else _look(session, told, now)
    said = dict(told.said) if told is not None else {}
    pending = read_pending(known.read(PENDING_PATH))
    beside = {one.id: one for one in (*pending, *more) if one.id not in said}
    events = (*(() if told is None else _events(state, told, landed, after)), *beside.values())
    notes = landed.notes
    wanted = {row.channel: None for row in config.notify}
    unknown = tuple(name for name in wanted if name not in notifier.names())
    sent = tuple(_send(session, notifier, config, events, page))
    failed = [
        Undelivered(one.channel, one.title, one.why or "", timestamp(session.clock.now()))
        for one in sent
        if one.outcome == "failed"
    ]
    said |= dict.fromkeys(beside, timestamp(session.clock.now()))
    now = replace(now, said=dict(list(said.items())[-MOST_SAID:]))
    if told is not None:
        now = replace(now, failed=(*told.failed, *failed)[-MOST_FAILED:])
    report = NotifyReport(told is None, events, sent, unknown, notes)
    if not session.dry_run and _is_news(told, now, events, landed):
        note = _keep(known, now)
        report = replace(report, notes=(*notes, note)) if note is not None else report
    return report


def hand_over(session: Session, events: Sequence[Event]) -> None:
    """Leave what Git does not know to whoever tells people.

    Raises what reading and pushing raise.
    """

    def change(files: ToldFiles) -> bytes | None:
        told = read_told(files.read(TOLD_PATH))
        said = told.said if told is not None else {}
        before = read_pending(files.read(PENDING_PATH))
        waiting = {one.id: one for one in (*before, *events) if one.id not in said}
        is_there = waiting.keys() <= {one.id for one in before}
        return None if is_there else write_pending(tuple(waiting.values()))

    message, trouble = (
        "Leave it to whoever tells people",
        "it could not be left to whoever tells people",
    )
    change_told(session, PENDING_PATH, change, f"{message}\n", trouble)


def _now_told(state: IndexState, told: ToldMark | None) -> ToldMark:
    """What there is now, as it will have been told."""
    branches = {state.branch, *(one.branch for one in state.cells.values() if one.branch)}
    before = dict(told.degraded) if told is not None else {}
    degraded = {}
    for label, cell in state.cells.items():
        release = cell.release
        health = _health(cell)
        if release is not None and health == "degraded":
            degraded[label] = release.commit
        elif label in before and health is None:
            degraded[label] = before[label]  # a newer release that nobody has a word on yet
    return ToldMark(
        tips={name: state.tips[name] for name in sorted(branches) if name in state.tips},
        proposals=dict(_proposals(state)),
        degraded=degraded,
        failed=told.failed if told is not None else (),
    )


def _proposals(state: IndexState) -> Iterator[tuple[str, str]]:
    for label, cell in state.cells.items():
        if cell.proposal is not None and cell.proposal.commit is not None:
            yield label, cell.proposal.commit


def _health(cell: IndexedCell) -> str | None:
    return next((one.verdict for one in cell.words if one.verdict in ("stable", "degraded")), None)


class _Landed(Struct, frozen=True):
    """What landed since people were told.

    Attributes:
        commits: of every branch that overlays live on, oldest first.
        behind: how many of them one branch has at most.
        rewritten: a branch lost what was told last.
    """

    commits: tuple[CommitInfo, ...] = ()
    behind: int = 0
    rewritten: bool = False
    notes: tuple[str, ...] = ()


def _events(
    state: IndexState, told: ToldMark, landed: _Landed, after: Mapping[str, RollbackVerification]
) -> tuple[Event, ...]:
    watched = {one.commit for one in after.values()}
    return (
        *events_of_commits(landed.commits),
        *_of_proposals(state, told, {one.commit for one in landed.commits}),
        *_of_health(state, told, watched),
        *_of_verifications(told, after),
    )


def _told_verifications(after: Mapping[str, RollbackVerification]) -> dict[str, str]:
    found = after.items()
    return {name: f"{one.commit} {one.outcome}" for name, one in found if one.outcome != "watching"}


def _of_verifications(told: ToldMark, after: Mapping[str, RollbackVerification]) -> Iterator[Event]:
    for label, one in after.items():
        kind = one.outcome
        if kind == "watching" or told.afterwards.get(label) == f"{one.commit} {kind}":
            continue
        did = "has recovered" if kind == "recovered" else "has not recovered"
        yield Event(
            id=f"{kind}-{label}-{one.commit}",
            kind=kind,
            labels=(label,),
            what=f"{did} since it was rolled back",
            subject=one_line(f"It was rolled back because of {one.cause}", 200),
            reason=one.why,
            time=one.time,
            commit=one.commit,
        )


def _look(session: Session, told: ToldMark, now: ToldMark) -> _Landed:
    """Read what landed since, once."""
    moved = [name for name, tip in now.tips.items() if told.tips.get(name) != tip]
    if not moved or session.archive is None:
        return _Landed()
    archive = session.archive()
    found: dict[str, CommitInfo] = {}
    notes: list[str] = []
    behind, rewritten = 0, False
    for branch in moved:
        before = told.tips.get(branch)
        if before is None:
            continue  # a branch that is new here: its past is nobody's news
        try:
            landed = archive.over(now.tips[branch], before)
        except NotFound:
            rewritten = True
            notes.append(f"{branch} was rewritten: what landed before now is not told")
            continue
        behind = max(behind, len(landed))
        if len(landed) > _MOST_COMMITS:
            notes.append(f"{branch}: only the newest {_MOST_COMMITS} commits were looked at")
        found |= {one.commit: one for one in reversed(landed[:_MOST_COMMITS])}
    return _Landed(tuple(found.values()), behind, rewritten, tuple(notes))


def _of_proposals(state: IndexState, told: ToldMark, landed: Collection[str]) -> Iterator[Event]:
    seen: set[str] = set()
    for label, cell in state.cells.items():
        before = told.proposals.get(label)
        found = cell.proposal
        if found is not None and found.commit is not None and found.commit != before:
            if found.commit not in seen:
                seen.add(found.commit)
                yield Event(
                    id=found.commit,
                    kind="proposal",
                    labels=found.labels,
                    what="waits for approval",
                    by=one_line(found.by or "", 80),
                    time=found.since,
                    commit=found.commit,
                    url=found.url or "",
                    missing=_approvers(state.config, label),
                )
        elif found is None and before is not None:
            release = cell.release
            # A release landed since: it was merged, and not closed.
            if release is not None and release.commit in landed and release.commit not in seen:
                seen.add(release.commit)
                yield Event(
                    id=release.commit,
                    kind="approved",
                    labels=(label,),
                    what="approved",
                    subject=one_line(release.subject, 200),
                    by=one_line(release.author.name, 80),
                    time=release.time,
                    commit=release.commit,
                )


def _approvers(config: Config, label: str) -> tuple[str, ...]:
    """Who may agree, as `access:` and `pullRequest:` say; () where nobody is named."""
    environment = label.rpartition("/")[2]
    named = [
        name
        for row in config.access
        if "approve" in row.may and environment in row.environments
        for name in row.who
    ]
    found = dict.fromkeys([*named, *config.pulls.reviewers])
    return (f"the word of {', '.join(found)}",) if found else ()


def _of_health(state: IndexState, told: ToldMark, watched: Collection[str]) -> Iterator[Event]:
    """Yield what health says; of rollbacks that are watched it is told what came of them."""
    for label, cell in state.cells.items():
        release, health = cell.release, _health(cell)
        before = told.degraded.get(label)
        if release is None or health is None:
            continue
        word = next(one for one in cell.words if one.verdict == health)
        if health == "degraded" and before != release.commit:
            what = "is degraded"
        elif health == "stable" and before is not None and release.commit not in watched:
            what = "is healthy again"
        else:
            continue
        yield Event(
            id=f"{health}-{label}-{release.commit}",
            kind="degraded" if health == "degraded" else "recovered",
            labels=(label,),
            what=what,
            subject=one_line(release.subject, 200),
            by=one_line(word.by, 80),
            reason=one_line(word.reason or "", 300),
            time=word.time,
            commit=release.commit,
        )


def _send(
    session: Session,
    notifier: Notifier,
    config: Config,
    events: Sequence[Event],
    page: str | None,
) -> Iterator[SentMessage]:
    for channel in dict.fromkeys(row.channel for row in config.notify):
        if channel not in notifier.names():
            continue
        mine = [one for one in events if channel in channels_of(one, config.notify)]
        texts = [(title_of(one), body_of(one, page)) for one in mine[:_MOST_MESSAGES]]
        if len(mine) > _MOST_MESSAGES:
            texts[-1] = summary_of(tuple(mine[_MOST_MESSAGES - 1 :]), page)
        for title, body in texts:
            if session.dry_run:
                yield SentMessage(channel, title, body, "planned")
                continue
            why = notifier.send(channel, title, body)
            yield SentMessage(channel, title, body, "sent" if why is None else "failed", why)


def _is_news(
    told: ToldMark | None, now: ToldMark, events: Sequence[Event], landed: _Landed
) -> bool:
    """Say whether the mark is worth a commit: deploys alone would make one for each of them."""
    if told is None or events or landed.rewritten or landed.behind > _MOST_UNTOLD:
        return True
    was, is_ = (
        (one.proposals, one.degraded, one.afterwards, one.tips.keys()) for one in (told, now)
    )
    return was != is_


def _keep(known: ToldFiles, now: ToldMark) -> str | None:
    """Move the mark; return what went wrong about it."""
    try:
        kept = known.keep(TOLD_PATH, write_document(now), "Keep what people were told\n")
    except GitopsError as error:
        return f"people were told, and that could not be kept: {error.message}; it comes again"
    if not kept:
        return "somebody else told people at the same time: they may have heard it twice"
    return None
