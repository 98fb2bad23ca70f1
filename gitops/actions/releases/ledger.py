"""Read the ledger, and append to it.

It is the branch `gitops/ledger`, fetched only by what needs it and once for each tip; a repository
without one has an empty ledger. Where `gitops.yaml` names `signers`, only lines count that a
commit added which one of their keys signed, and that name this overlay of this repository
(core/ledger/signatures.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView
from gitops.actions.write.retry import Attempts, moved_on
from gitops.core.environments.environment import Overlay
from gitops.core.git.message import CommitMessage
from gitops.core.git.remote_url import normalised_repository
from gitops.core.kustomization.image import ImageValue
from gitops.core.ledger import LARGEST_PART, LEDGER_BRANCH
from gitops.core.ledger.parts import ledger_path, ledger_paths, recent_parts
from gitops.core.ledger.records import (
    Ledger,
    LedgerEntry,
    Record,
    RecordSubject,
    append,
    read_ledger,
    texts_on,
)
from gitops.core.ledger.signatures import (
    ExpectedSubject,
    LedgerCommit,
    SignedLine,
    history_problems,
    judge_signatures,
    line_of,
    why_no_word,
)
from gitops.core.ledger.verdicts import CountedVerdict, judged, judged_sets, verdicts_on
from gitops.core.releases.release import Health, Quality, Release, Verdicts
from gitops.core.report import FileDiff
from gitops.core.text.plain import one_line
from gitops.errors import ManifestError, NotFound, TimedOut, Unavailable, UsageError
from gitops.ports import FileChange, NewCommit, RefUpdate, Snapshot

Concerns = Callable[[Mapping[str, ImageValue]], bool]

_WAY_OUT = (
    "`git push --force origin COMMIT:refs/heads/gitops/ledger` puts the branch back to a commit "
    "before it; let the server refuse pushes to it by others"
)
_NOWHERE = "0" * 40  # no commit: all of the branch is looked at


class OverlayLedger(Struct, frozen=True):
    """What the ledger has on one overlay.

    Attributes:
        entries: the lines that count, oldest first, approvals included.
        warnings: what does not count and why, for `history`, `status` and `rollback` to show.
    """

    entries: tuple[LedgerEntry, ...] = ()
    warnings: tuple[str, ...] = ()

    def verdicts(self, releases: Sequence[Release]) -> Verdicts:
        """Return the verdicts on `releases`, and on other commits that the ledger knows.

        The others tell a rollback that there is a word on older releases than it read.
        """
        alone = judged(self.entries)
        found = verdicts_on(self.entries, releases, alone)
        read = {release.commit for release in releases}
        health: dict[str, Health] = dict(found.health)
        quality: dict[str, Quality] = dict(found.quality)
        for commit, standing in alone.items():
            if commit in read:
                continue
            match standing.health:
                case CountedVerdict(verdict="stable" | "degraded" as seen):
                    health[commit] = seen
            match standing.quality:
                case CountedVerdict(verdict="qa-passed" | "qa-failed" as told):
                    quality[commit] = told
        return Verdicts(health, quality)

    def words(self, releases: Sequence[Release]) -> dict[str, tuple[CountedVerdict, ...]]:
        """Return commit -> what counts of the words on the images of a release: health, then QA."""
        sets = {entry.images: entry.standing for entry in judged_sets(self.entries, releases)}
        found: dict[str, tuple[CountedVerdict, ...]] = {}
        for release in releases:
            standing = sets.get(frozenset((release.images or {}).items()))
            if standing is not None:
                both = (standing.health, standing.quality)
                found[release.commit] = tuple(word for word in both if word is not None)
        return found


class Appended(Struct, frozen=True):
    """What `append_records` did.

    Attributes:
        commit: on the ledger's branch; None when nothing was written.
        attempts: pushes tried.
        diffs: the files before and after.
        found: what the ledger had when `unless` was asked last; None: it was not asked.
    """

    commit: str | None
    attempts: int
    diffs: tuple[FileDiff, ...]
    found: OverlayLedger | None = None


def ledger_of(
    view: OverlayView,
    *,
    about: Concerns | None = None,
    on: Sequence[Release] | None = None,
    unbarred: bool = False,
    recent: bool = False,
) -> OverlayLedger:
    """Read what the ledger has on the overlay; empty when there is no ledger.

    `about` says which sets of images the caller cares for, so that no other signature needs to be
    checked; None: all. Without `signers` it changes nothing. `on`: the only releases that the
    caller asks about, so that no other line needs to be read. `recent`: of the newest words
    alone. `unbarred`: a file that is too large to be read is a warning, so that nobody can bar the
    way back with one; else it is ManifestError.

    Raises NotFound or Denied when this machine cannot check signatures, and Unavailable.
    """
    needles = None
    if on is not None:
        sets = [dict(release.images or {}) for release in on]
        needles = texts_on((release.commit, release.images or {}) for release in on)

        def about(images: Mapping[str, ImageValue]) -> bool:
            return dict(images) in sets

    snapshot = view.tip.beside(LEDGER_BRANCH)
    try:
        return _read(view, snapshot, about, needles, recent)
    except ManifestError as error:
        unread = f"{LEDGER_BRANCH} {error.message}"
        if unbarred:
            return OverlayLedger(warnings=(f"{unread}: no word in it counts; {_WAY_OUT}",))
        raise ManifestError(
            error.problem, path=f"{LEDGER_BRANCH} {error.path}", column=None, hint=_WAY_OUT
        ) from None


def _read(
    view: OverlayView,
    snapshot: Snapshot | None,
    about: Concerns | None,
    needles: Sequence[bytes] | None = None,
    recent: bool = False,
) -> OverlayLedger:
    if snapshot is None:
        return OverlayLedger()
    names = reversed(view.row.names)
    paths = [path for name in names for path in _parts(snapshot, name, view.overlay.app)]
    if recent:
        paths = [path for path, _ in reversed(recent_parts(paths, snapshot.read))]
    if view.tip.config.signers is not None:
        return _signed(view, snapshot, view.tip.config.signers, paths, about)
    last = LARGEST_PART if recent else None
    files = [(path, read_ledger(snapshot.read(path), needles, last=last)) for path in paths]
    return OverlayLedger(
        tuple(entry for _, ledger in files for entry in ledger.entries),
        tuple(warning for path, ledger in files for warning in _warnings(path, ledger)),
    )


def _parts(snapshot: Snapshot, name: str, app: str | None) -> tuple[str, ...]:
    """Return the paths of the files that an environment has in the ledger, oldest first."""
    return ledger_paths(name, app, snapshot.entries(app or ""))


def words_on(
    view: OverlayView, release: Release
) -> tuple[tuple[CountedVerdict, ...], tuple[str, ...]]:
    """Return what counts of the words on one release (health, then QA), and the warnings."""
    ledger = ledger_of(view, on=[release], unbarred=True)
    return ledger.words([release]).get(release.commit, ()), ledger.warnings


def _signed(
    view: OverlayView,
    snapshot: Snapshot,
    signers: str,
    paths: Sequence[str],
    about: Concerns | None,
) -> OverlayLedger:
    """Judge each line of the files at `paths` by the commit that added it."""
    session, tip = view.session, view.tip
    line = line_of(session.evidence.branch_history(snapshot.commit), snapshot.commit)
    listed = tip.snapshot.read(signers)
    warnings = tuple(f"{LEDGER_BRANCH}: {problem}" for problem in history_problems(line))
    entries: list[LedgerEntry] = []
    for path in paths:
        ledger = _signed_file(view, snapshot.commit, path, line, listed, about)
        entries += ledger.entries
        warnings += _warnings(path, ledger)
    if listed is None:
        missing = f"gitops.yaml names signers, and {tip.snapshot.branch} has no file {signers}"
        warnings = (f"{missing}: no line of the ledger counts", *warnings)
    return OverlayLedger(tuple(entries), warnings)


def _signed_file(
    view: OverlayView,
    commit: str,
    path: str,
    line: SignedLine,
    listed: bytes | None,
    about: Concerns | None,
) -> Ledger:
    evidence = view.session.evidence
    changes = [change for change in evidence.file_history(commit, path) if _concerns(change, about)]
    changes.sort(key=lambda change: line.places.get(change.commit.commit, (0, 0, 0)))
    signed: Mapping[str, str] = {}
    if listed is not None:
        wanted = [change.commit.commit for change in changes if change.complete]
        signed = evidence.signed_by(wanted, listed)
    named = names_of(view.session, view.tip, view.overlay)
    labels = view.overlay.labels
    return judge_signatures(
        (_commit(change, signed, line, path, labels) for change in changes), named
    )


def names_of(session: Session, tip: Tip, overlay: Overlay) -> ExpectedSubject:
    """Return what lines about `overlay` must name."""
    address = session.repository.address()
    try:
        names = {normalised_repository(address)}
    except UsageError:
        names = {one_line(address)}
    if tip.config.repository is not None:
        names.add(tip.config.repository)
    row, app = overlay.environment, overlay.app
    place = row.name if app is None else f"{row.name} --app {app}"
    return ExpectedSubject(frozenset(names), frozenset(row.names), app, place)


def _concerns(change: FileChange, about: Concerns | None) -> bool:
    """Say whether a commit must be looked at: a line that matters, or harm to earlier ones."""
    before, after = change.before or b"", change.after or b""
    if about is None or not after.startswith(before):
        return True
    added = read_ledger(after[len(before) :])
    return bool(added.problems) or any(
        not entry.record.images or about(entry.record.images) for entry in added.entries
    )


def _commit(
    change: FileChange,
    signed: Mapping[str, str],
    line: SignedLine,
    path: str,
    labels: tuple[str, ...],
) -> LedgerCommit:
    info = change.commit
    signer = signed.get(info.commit)
    trouble = "is not signed with a listed key"
    if not change.complete:
        signer, trouble = None, "is older than the history that can be read"
    elif signer is not None:
        paths = line.paths.get(info.commit, ())
        if (why := why_no_word(info.message, paths, path, labels)) is not None:
            signer, trouble = None, why
    return LedgerCommit(
        info.commit,
        change.before,
        change.after,
        signer,
        trouble,
        merges=len(info.parents) > 1,
        doubt=line.doubt(info.commit),
    )


def _warnings(path: str, ledger: Ledger) -> tuple[str, ...]:
    return tuple(f"{LEDGER_BRANCH} {path}: {problem}" for problem in ledger.problems)


def append_records(
    view: OverlayView,
    records: Sequence[Record],
    *,
    action: str,
    subject: str,
    unless: Callable[[OverlayLedger], bool] | None = None,
    vet: Callable[[str], None] | None = None,
) -> Appended:
    """Append `records` to the overlay's file, again on the next tip when a push loses.

    `unless` is asked about the ledger that each try builds on, which is read as `ledger_of` reads
    it: when it says True nothing is written. Two machines that say the same at once so
    say it once. `vet` is told each commit before it is pushed, and may raise.

    The branch is made by the first one. Records carry the `intent` of the call, so that after an
    answer that got lost nothing is written twice. With `dry_run` nothing is written.

    Raises Conflict when the budget is spent on lost races, Unavailable or TimedOut when it is
    spent on a server that does not answer, Denied.
    """
    session, overlay = view.session, view.overlay
    about = _about(session, view.tip, overlay)
    pushes = 0
    since = _NOWHERE
    message = CommitMessage(
        action=action,
        environments=[overlay.label],
        changes=[],
        intent=session.intent,
        reason=records[0].reason,
        subject=subject,
    ).render()
    attempts = Attempts(session)
    while True:
        attempts.begin()
        try:
            # Whoever asks nothing of the ledger builds on what was read of it: the push tells.
            known = pushes == 0 and unless is None
            snapshot = view.tip.beside(LEDGER_BRANCH) if known else _newest(session)
            found = _read(view, snapshot, None) if unless is not None else None
            if found is not None and unless is not None and unless(found):
                return Appended(None, pushes, (), found)
            path, before = _last_part(snapshot, overlay, session.intent)
            after = before
            for record in records:
                after = append(after, replace(record, about=about))
            if after == before:
                # Nothing to add: an earlier push landed though its answer was lost.
                landed = session.repository.find_intent(LEDGER_BRANCH, session.intent, since)
                return Appended(landed, pushes, (), found)
            diffs = (FileDiff(path, before, after),)
            if session.dry_run:
                return Appended(None, 0, diffs, found)
            old = snapshot.commit if snapshot is not None else None
            since = old or _NOWHERE
            new = session.repository.create(
                NewCommit(
                    (old,) if old is not None else (),
                    {path: after},
                    message,
                    session.clock.now(),
                )
            )
            if vet is not None:
                vet(new)
            pushes += 1
            lost = session.repository.push([RefUpdate(f"refs/heads/{LEDGER_BRANCH}", old, new)])
            if lost is None:
                return Appended(new, pushes, diffs, found)
            attempts.lost(moved_on(session, LEDGER_BRANCH, pushes, lost))
        except (Unavailable, TimedOut) as error:
            attempts.failed(error)


def _last_part(
    snapshot: Snapshot | None, overlay: Overlay, intent: str
) -> tuple[str, bytes | None]:
    """Return the file that the next line goes into, and what it holds; None: it is a new one.

    One that has become large is left as it is. But what this very call wrote it finds again.
    """
    name, app = overlay.environment.name, overlay.app
    if snapshot is None:
        return ledger_path(name, app), None
    paths = _parts(snapshot, name, app)
    found = recent_parts(paths, snapshot.read)
    for path, content in found:
        if content is not None and content.find(intent.encode(), -LARGEST_PART) >= 0:
            return path, content
    newest = found[0][1]
    if newest is None or len(newest) < LARGEST_PART:
        return paths[-1], newest
    return ledger_path(name, app, len(paths) + 1), None


def _about(session: Session, tip: Tip, overlay: Overlay) -> RecordSubject:
    names = names_of(session, tip, overlay).repositories
    name = tip.config.repository or next(iter(names))
    return RecordSubject(name, overlay.environment.name, overlay.app)


def _newest(session: Session) -> Snapshot | None:
    try:
        return session.repository.snapshot(LEDGER_BRANCH)
    except NotFound:
        return None
