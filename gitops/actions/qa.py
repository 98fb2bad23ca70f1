"""`gitops qa`: QA's word on one release, in the ledger."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from gitops.actions.context.named import find_overlay
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, require_commit, require_words
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.pull_requests.announce import update_pull_requests
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.ledger import Appended, OverlayLedger, append_records, ledger_of
from gitops.core.environments.environment import Overlay
from gitops.core.kustomization.image import ImageValue, describe_value, parse_image
from gitops.core.ledger import LEDGER_BRANCH
from gitops.core.ledger.records import Record
from gitops.core.ledger.verdicts import LatestVerdicts, judged_sets
from gitops.core.releases.history import Release
from gitops.core.releases.lookup import find_commit, find_release
from gitops.core.releases.release import Quality
from gitops.core.releases.selection import describe
from gitops.core.report import Committed, Outcome, WriteReport
from gitops.core.text.plain import one_line
from gitops.errors import NotFound, Refused, UsageError

_LISTED = 10
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
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

    environment: str
    verdict: Quality
    release: str | None = None
    note: str | None = None
    app: str | None = None
    expect: tuple[str, ...] = ()


class QaPreview(Struct, frozen=True):
    """The release that somebody is asked about."""

    label: str
    verdict: Quality
    release: Release


def qa(
    session: Session,
    request: QaRequest,
    *,
    confirm: Callable[[QaPreview], bool] | None = None,
) -> WriteReport:
    """Record QA's word on one release of an environment.

    The word is on the images of exactly that release: one that arrives meanwhile has none. Without
    `request.release` the newest one is shown to `confirm`; None means that nobody can be asked.

    Raises UsageError (no release named, or a word that fits several), NotFound for a commit that is
    no release of this environment, Refused when the answer was no, and what `append_records` does.
    """
    require_words(request.note, "--note")
    app = f" --app {request.app}" if request.app is not None else ""
    if request.release is None and confirm is None:
        raise UsageError(
            "say which release was tested: --release COMMIT",
            hint=f"`gitops history {request.environment}{app}` lists them",
        )
    tip = open_tip(session)
    overlay = find_overlay(tip, request.environment, request.app)
    view = view_of(session, tip, overlay)
    release = _find(view, request.release)
    _check_expected(overlay, release, request.expect)
    if request.release is None and confirm is not None:
        preview = QaPreview(overlay.label, request.verdict, release)
        if not confirm(preview):
            raise Refused("nothing was recorded", hint="`--release COMMIT` names another release")
    person = session.identity().name
    note = one_line(request.note) if request.note is not None else None
    about = f"{overlay.label} {describe(release)}: {request.verdict}"
    ledger = ledger_of(view, on=[release])
    known = _standing(ledger, release).quality
    if known is not None and (known.verdict, known.reason) == (request.verdict, note):
        said = Appended(None, 0, ())
        return _report(session, f"{about} already, by {known.by}", said, ledger.warnings)
    record = Record(
        commit=release.commit,
        verdict=request.verdict,
        time=session.clock.now(),
        by=person,
        reason=note,
        images=release.images or {},
        intent=session.intent,
    )
    subject = f"{overlay.label}: {request.verdict} {release.commit[:7]}"
    done = append_records(view, [record], action="qa", subject=subject)

    stale = update_pull_requests(view)
    return _report(session, f"{about} by {person}", done, ledger.warnings + stale)


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
        if found is None and not _COMMIT.fullmatch(word):
            images = {image: value for one in read for image, value in (one.images or {}).items()}
            return find_release(read, word, images, complete=complete, other=False)
        if found is None:
            raise NotFound(
                f"{word!r} is no release of {overlay.label}: no commit that changed its images",
                hint=f"`gitops history {overlay.typed}` lists them",
                reasons=tuple(describe(release) for release in read[:_LISTED]),
            )
        return found

    return _readable(overlay, stream.until_sure(ask))


def _check_expected(overlay: Overlay, release: Release, expect: Sequence[str]) -> None:
    """Raise Refused, with all reasons, where the release does not pin what is expected."""
    images = release.images or {}
    reasons = []
    for request in map(parse_image, expect):
        value = images.get(request.image)
        if value is None or request.apply(value) != value:
            there = "not there" if value is None else describe_value(value)
            wanted = describe_value(request.apply(ImageValue()))
            reasons.append(f"{request.image} is {there}, not {wanted}")
    if reasons:
        raise Refused(
            f"{overlay.label} {describe(release)} is not what was expected: {'; '.join(reasons)}",
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


def _report(session: Session, note: str, done: Appended, warnings: tuple[str, ...]) -> WriteReport:
    outcome: Outcome = "unchanged"
    if done.commit is not None:
        outcome = "committed"
    elif done.diffs:
        outcome = "planned"
    return WriteReport(
        action="qa",
        outcome=outcome,
        branch=LEDGER_BRANCH,
        repository=session.repository.describe(),
        commit=done.commit,
        commits=(Committed(LEDGER_BRANCH, done.commit),) if done.commit is not None else (),
        attempts=done.attempts,
        notes=(note,),
        diffs=done.diffs,
        warnings=warnings,
    )
