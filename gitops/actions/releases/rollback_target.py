"""Which release a rollback would take: the rule, fed with as much history as it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from gitops.actions.context.view import OverlayView
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.core.environments.environment import Overlay
from gitops.core.kustomization.image import ImageValue, describe_value
from gitops.core.releases.bad_release import BadRelease, find_bad
from gitops.core.releases.release import Release
from gitops.core.releases.rollback import choose
from gitops.core.releases.selection import Choice
from gitops.errors import Refused


def choose_release(
    view: OverlayView,
    current: Mapping[str, ImageValue],
    *,
    only: frozenset[str] | None = None,
    to: str | None = None,
    override: str | None = None,
    upcoming: Release | None = None,
) -> Choice:
    """Choose the release that a rollback of the overlay restores: `core.releases.rollback.choose`.

    `upcoming` is taken for the newest release: one that is not there yet.
    Raises what `choose` raises, but NeedMore.
    """
    history = releases_of(view)
    ledger = ledger_of(view, unbarred=True)

    def ask(read: Sequence[Release], complete: bool) -> Choice:
        return choose(
            read,
            current,
            only=only,
            to=to,
            override=override,
            verdicts=ledger.verdicts(read),
            complete=complete,
            command=rollback_command(view.overlay),
        )

    choice = history.until_sure(ask, *(() if upcoming is None else (upcoming,)))
    warnings = (*choice.warnings, *history.unseen_reasons(), *ledger.warnings)
    return replace(choice, warnings=warnings)


def judge_bad(
    view: OverlayView,
    current: Mapping[str, ImageValue],
    word: str,
    *,
    only: frozenset[str] | None = None,
) -> BadRelease:
    """Say what became of the release that `word` names: `core.releases.bad_release.find_bad`.

    Raises what that raises, but NeedMore.
    """

    def ask(read: Sequence[Release], complete: bool) -> BadRelease:
        listing = rollback_command(view.overlay).replace("rollback", "history", 1)
        return find_bad(read, current, word, only=only, complete=complete, command=listing)

    return releases_of(view).until_sure(ask)


def preview_lines(
    view: OverlayView, current: Mapping[str, ImageValue], *, only: frozenset[str] | None = None
) -> tuple[str, ...]:
    """Say what a rollback would do now: image by image, and what is passed over."""
    try:
        choice = choose_release(view, current, only=only)
    except Refused as error:
        return (f"a rollback now is refused: {error.message}",)
    changes = (
        f"{request.image} {describe_value(current[request.image])} -> "
        f"{describe_value(request.apply(current[request.image]))}"
        for request in choice.requests
        if request.apply(current[request.image]) != current[request.image]
    )
    return (*(f"a rollback now: {change}" for change in changes), *choice.notes)


def rollback_command(overlay: Overlay) -> str:
    """Return what a person types to roll `overlay` back."""
    return f"gitops rollback {overlay.typed}"


def foresee(
    view: OverlayView, current: Mapping[str, ImageValue], upcoming: Release
) -> Choice | None:
    """Return what `gitops rollback` would choose once `upcoming` has landed; None: nothing is left.

    `current` are the images that the overlay would pin then.
    """
    try:
        return choose_release(view, current, upcoming=upcoming)
    except Refused:
        return None
