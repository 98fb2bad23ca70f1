"""Which release a rollback would take: the rule, fed with as much history as it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, islice

from msgspec.structs import replace

from gitops.actions.context.view import OverlayView
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.release import Release
from gitops.core.releases.rollback import choose
from gitops.core.releases.selection import Choice, NeedMore
from gitops.errors import NotFound, Refused

_FIRST = 8  # releases that are looked at first, then twice as many: older ones cost requests


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
    newest = () if upcoming is None else (upcoming,)
    history = releases_of(view)
    stream = chain(newest, history)
    ledger = ledger_of(view)
    read: list[Release] = []
    most = _FIRST
    while True:
        read += islice(stream, most - len(read))
        complete = len(read) < most
        try:
            choice = choose(
                read,
                current,
                only=only,
                to=to,
                override=override,
                verdicts=ledger.verdicts(read),
                complete=complete,
            )
            unseen = filter(None, [history.unseen()])
            return replace(choice, warnings=(*choice.warnings, *unseen, *ledger.warnings))
        except NeedMore:
            most *= 2
        except (NotFound, Refused) as error:
            error.reasons += tuple(filter(None, [history.unseen()]))
            raise


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
