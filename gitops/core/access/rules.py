"""May they? A right is what a row of `access:` says: nothing is implied by another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from msgspec import Struct

from gitops.core.environments.branch_patterns import match_branch
from gitops.core.environments.rows import AccessRow

Ground = Literal["row", "nobody", "others", "app", "images", "own", "stranger"]
_WORDS = {
    "rollback": "roll back",
    "qa": "say what QA found in",
    "deploy": "deploy to",
    "promote": "promote to",
    "undo": "undo a rollback of",
    "approve": "approve a change of",
    "close": "close a proposal of",
    "override": "pass the policy of",
}


class Decision(Struct, frozen=True):
    """Whether somebody may do something, and why.

    Attributes:
        why: one sentence for people.
        ground: the kind of reason, for those who say it in another language.
        who: who may, where others may.
        missing: the images that no row lets them touch.
    """

    allowed: bool
    why: str
    ground: Ground = "row"
    who: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed


def decide(
    access: Sequence[AccessRow],
    names: Collection[str],
    act: str,
    environment: str,
    app: str | None = None,
    images: Iterable[str] | None = (),
    *,
    authors: Collection[str] = (),
) -> Decision:
    """Say whether whoever has `names` may do `act` there.

    Args:
        names: all that one is called: `user:ana@example.com`, `group:shop:oncall`, `job:shop-ci`.
        app: None means all of the environment.
        images: what the act touches; a row with `images:` allows nothing where that is not known.
            None: some that the row allows, for a button that is only shown.
        authors: who wrote what is to be approved, by name or mail address, in any case.
    """
    rows = [row for row in access if act in row.may and environment in row.environments]
    if not rows:
        why = "gitops.yaml has no `access:`" if not access else "no row of `access:` names it"
        return Decision(False, f"nobody may {said(act)} {environment} here: {why}", "nobody")
    if not names:
        return Decision(False, "nobody is signed in", "stranger", _who(rows))
    mine = [row for row in rows if not set(row.who).isdisjoint(names)]
    if not mine:
        who = _who(rows)
        may = f"only {_listed(who)} may {said(act)} {environment}"
        return Decision(False, f"{may}; {_called(names)}", "others", who)
    fitting = [row for row in mine if _fits(row, app)]
    if not fitting:
        apps = _listed(tuple(dict.fromkeys(one for row in mine for one in row.apps)))
        what = f"not {app}" if app is not None else "not all of it at once"
        why = f"in {environment} you may {said(act)} {apps} only, {what}"
        return Decision(False, why, "app")
    refused = None if images is None else _images_beyond(fitting, tuple(images))
    if refused is not None:
        return refused
    if act == "approve" and _is_author(names, authors):
        return Decision(False, "an author never approves their own change", "own", _who(rows))
    row = fitting[0]
    mine_of_row = _listed(tuple(one for one in row.who if one in names))
    why = f"line {row.line} of gitops.yaml lets {mine_of_row} {said(act)} {environment}"
    return Decision(True, why)


def names_in(access: Iterable[AccessRow]) -> frozenset[str]:
    """Return everybody whom `access:` names, as it names them."""
    return frozenset(one for row in access for one in row.who)


def said(act: str) -> str:
    """Return an act in words that an environment can follow: `roll back`."""
    return _WORDS.get(act, act)


def _fits(row: AccessRow, app: str | None) -> bool:
    return not row.apps or (app is not None and match_branch(row.apps, app) is not None)


def _images_beyond(rows: Sequence[AccessRow], images: tuple[str, ...]) -> Decision | None:
    """Return the refusal when rows bound the images and one is not inside of any of them."""
    if any(not row.images for row in rows):
        return None
    missing = tuple(one for one in images if not any(match_branch(row.images, one) for row in rows))
    if images and not missing:
        return None
    allowed = _listed(tuple(dict.fromkeys(one for row in rows for one in row.images)))
    what = f"not {_listed(missing)}" if missing else "and which images this touches is not known"
    return Decision(
        False, f"you may touch the images {allowed} only, {what}", "images", (), missing
    )


def _is_author(names: Collection[str], authors: Collection[str]) -> bool:
    """In any case and form: who might be the author is taken for the author."""
    bare = {name.partition(":")[2].strip().casefold() for name in names if _is_one(name)}
    return any(author.rpartition(":")[2].strip().casefold() in bare for author in authors)


def _is_one(name: str) -> bool:
    return name.startswith(("user:", "job:", "registry:", "mail:"))


def _who(rows: Iterable[AccessRow]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for row in rows for one in row.who))


def _called(names: Collection[str]) -> str:
    """Say who one is; groups that gitops.yaml does not name are not told."""
    own = sorted(name for name in names if _is_one(name) and not name.startswith("mail:"))
    groups = sorted(name for name in names if name.startswith("group:"))
    return f"you are {_listed((*own, *groups)) or 'nobody whom it knows'}"


def _listed(words: Sequence[str], most: int = 5) -> str:
    shown = [*words[:most], *([f"{len(words) - most} more"] if len(words) > most else [])]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
