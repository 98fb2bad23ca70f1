"""`gitops qa`: QA's word on one release, in the ledger."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from gitops.actions.context.named import Named, overlays_named
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, require_commit, require_words
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.pull_requests.announce import update_pull_requests
from gitops.actions.releases.history import gather_releases, releases_of
from gitops.actions.releases.ledger import Appended, OverlayLedger, append_records, ledger_of
from gitops.core.environments.environment import Overlay
from gitops.core.git.message import told_labels
from gitops.core.kustomization.image import ImageValue, describe_value, parse_image
from gitops.core.ledger import LEDGER_BRANCH
from gitops.core.ledger.records import Record
from gitops.core.ledger.verdicts import LatestVerdicts, judged_sets
from gitops.core.releases.lookup import COMMIT_WORD, find_commit, find_release
from gitops.core.releases.release import Quality, Release
from gitops.core.releases.selection import describe
from gitops.core.report import Committed, Outcome, WriteReport
from gitops.core.text.plain import one_line
from gitops.errors import NotFound, Refused, UsageError

_LISTED = 10
NEWEST = "newest"
"""In place of a release: the one that is there now."""


class QaRequest(Struct, frozen=True):
    """What `gitops qa` was asked for.

    Attributes:
        verdict: qa-passed or qa-failed.
        release: commit of a release (hex, at least 7 digits), a tag, or `newest`; None: the newest,
            after asking.
        expect: images as they must be in that release, with their tag: `shop/api:1.5.0`.
        note: what QA wants to say with it, or None.
    """

    named: Named
    verdict: Quality
    release: str | None = None
    note: str | None = None
    expect: tuple[str, ...] = ()


class QaPreview(Struct, frozen=True):
    """A release that somebody is asked about."""

    label: str
    verdict: Quality
    release: Release


class _Judged(Struct, frozen=True):
    """One overlay, and the release that the word is on."""

    view: OverlayView
    release: Release


def qa(
    session: Session,
    request: QaRequest,
    *,
    confirm: Callable[[Sequence[QaPreview]], bool] | None = None,
) -> WriteReport:
    """Record QA's word on one release of each overlay that is named.

    The word is on the images of exactly that release: one that arrives meanwhile has none. Without
    `request.release` the newest ones are shown to `confirm`; None means that nobody can be asked.
    Where a commit or a tag is named, the overlays are meant that had it as a release. Each overlay
    has a ledger of its own, so that they are written one after the other; the same call again does
    the rest.

    Raises UsageError (no release named, or a word that fits several), NotFound for a commit that is
    no release of these environments, Refused when the answer was no, or a release is not what is
    expected, and what `append_records` does.
    """
    require_words(request.note, "--note")
    if request.release is None and confirm is None:
        raise UsageError(
            "say which release was tested: --release COMMIT",
            hint=f"`gitops history {request.named.text}` lists them",
        )
    tip = open_tip(session)
    views = [view_of(session, tip, overlay) for overlay in overlays_named(tip, request.named)]
    judged, notes = _find_all(views, request.release)
    _check_expected(judged, request.expect)
    if request.release is None and confirm is not None:
        shown = [QaPreview(one.view.label, request.verdict, one.release) for one in judged]
        if not confirm(shown):
            raise Refused("nothing was recorded", hint="`--release COMMIT` names another release")
    done = [_say(one, request) for one in judged]
    stale = update_pull_requests(session, [one.view for one in judged])
    return _report(session, done, notes, stale)


class _Said(Struct, frozen=True):
    """What was recorded of one release."""

    note: str
    appended: Appended
    warnings: tuple[str, ...]


def _say(judged: _Judged, request: QaRequest) -> _Said:
    """Write the word, unless it stands there already."""
    view, release, session = judged.view, judged.release, judged.view.session
    person = session.identity().name
    note = one_line(request.note) if request.note is not None else None
    about = f"{view.label} {describe(release)}: {request.verdict}"
    ledger = ledger_of(view, on=[release], recent=True)
    known = _standing(ledger, release).quality
    if known is not None and (known.verdict, known.reason) == (request.verdict, note):
        return _Said(f"{about} already, by {known.by}", Appended(None, 0, ()), ledger.warnings)
    record = Record(
        commit=release.commit,
        verdict=request.verdict,
        time=session.clock.now(),
        by=person,
        reason=note,
        images=release.images or {},
        intent=session.intent,
    )
    subject = f"{view.label}: {request.verdict} {release.commit[:7]}"
    done = append_records(view, [record], action="qa", subject=subject)
    view.tip.forget(LEDGER_BRANCH)
    return _Said(f"{about} by {person}", done, ledger.warnings)


def _find_all(
    views: Sequence[OverlayView], word: str | None
) -> tuple[list[_Judged], tuple[str, ...]]:
    """Return the releases that are meant; of several overlays those that had such a release."""
    if len(views) > 1:
        gather_releases(views)
    judged: list[_Judged] = []
    missing: list[tuple[OverlayView, NotFound]] = []
    for view in views:
        try:
            judged.append(_Judged(view, _find(view, word)))
        except NotFound as error:
            missing.append((view, error))
    if not judged:
        raise missing[0][1]
    return judged, tuple(f"{view.label}: {error.message}" for view, error in missing)


def _find(view: OverlayView, word: str | None) -> Release:
    """Return the release that `word` names, the newest for None."""
    overlay = view.overlay
    stream = releases_of(view)
    if word is None or word == NEWEST:
        newest = next(stream, None)
        if newest is None:
            raise NotFound(f"{overlay.label} has no release yet", reasons=stream.unseen_reasons())
        return _readable(overlay, newest)
    if re.fullmatch("[0-9a-f]{1,6}", word) and not any(
        value.tag == word for value in view.images.values()
    ):
        require_commit(word, "--release")  # which says how many digits it takes

    def ask(read: Sequence[Release], complete: bool) -> Release:
        found = find_commit(read, word.lower(), complete=complete)
        if found is None and not COMMIT_WORD.fullmatch(word):
            images = {image: value for one in read for image, value in (one.images or {}).items()}
            listing = f"gitops history {overlay.typed}"
            return find_release(read, word, images, complete=complete, other=False, command=listing)
        if found is None:
            raise NotFound(
                f"{word!r} is no release of {overlay.label}: no commit that changed its images",
                hint=f"`gitops history {overlay.typed}` lists them",
                reasons=tuple(describe(release) for release in read[:_LISTED]),
            )
        return found

    return _readable(overlay, stream.until_sure(ask))


def _check_expected(judged: Sequence[_Judged], expect: Sequence[str]) -> None:
    """Raise Refused, with all reasons, where the releases do not pin what is expected.

    Of several overlays those are looked at that have the image; one must.
    """
    reasons = []
    for request in map(parse_image, expect):
        having = [one for one in judged if request.image in (one.release.images or {})]
        wanted = describe_value(request.apply(ImageValue()))
        if not having:
            reasons.append(f"{request.image} is not there, not {wanted}")
        for one in having:
            value = (one.release.images or {})[request.image]
            if request.apply(value) != value:
                where = f"{one.view.label}: " if len(judged) > 1 else ""
                reasons.append(f"{where}{request.image} is {describe_value(value)}, not {wanted}")
    if reasons:
        labels = told_labels([f"{one.view.label} {describe(one.release)}" for one in judged])
        raise Refused(
            f"{labels} is not what was expected: {'; '.join(reasons)}",
            hint="nothing was recorded: `--release COMMIT` names the release that was tested",
            reasons=tuple(reasons),
        )


def _readable(overlay: Overlay, release: Release) -> Release:
    if not release.images:
        raise Refused(f"{overlay.label} {describe(release)} pins no images that can be read")
    return release


def _standing(ledger: OverlayLedger, release: Release) -> LatestVerdicts:
    images = frozenset((release.images or {}).items())
    sets = judged_sets(ledger.entries, [release])
    return next((entry.standing for entry in sets if entry.images == images), LatestVerdicts())


def _report(
    session: Session, done: Sequence[_Said], notes: tuple[str, ...], stale: tuple[str, ...]
) -> WriteReport:
    commits = [one.appended.commit for one in done if one.appended.commit is not None]
    diffs = tuple(diff for one in done for diff in one.appended.diffs)
    outcome: Outcome = "unchanged"
    if commits:
        outcome = "committed"
    elif diffs:
        outcome = "planned"
    return WriteReport(
        action="qa",
        outcome=outcome,
        branch=LEDGER_BRANCH,
        repository=session.repository.describe(),
        commit=commits[-1] if commits else None,
        commits=(Committed(LEDGER_BRANCH, commits[-1]),) if commits else (),
        attempts=sum(one.appended.attempts for one in done),
        notes=(*(one.note for one in done), *notes),
        diffs=diffs,
        warnings=(*(text for one in done for text in one.warnings), *stale),
    )
