"""The overlays of environments: one directory is one environment's."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.config.shapes import Problems, Value

_Placed = tuple[Value, Value, tuple[str, ...]]
"""An environment, one of its overlays, and the parts of its path."""


def plain_path(text: str) -> str:
    """Return a directory without `./` before and `/` behind it."""
    return "/".join(part for part in text.split("/") if part not in ("", "."))


def check_overlays(rows: Sequence[Value], trunk: str, problems: Problems) -> None:
    """One directory is one environment's: a change to one must never reach another.

    On another branch the same path is another directory, and so is one inside another: what is
    pinned stands in the kustomization of each. `trunk` is the top-level branch. Only what has
    `{app}` is compared with all that came before: of thousands of environments few have it.
    """
    earlier: dict[str, list[_Placed]] = {}
    with_app: dict[str, list[_Placed]] = {}
    alike: dict[tuple[str, tuple[str, ...]], list[_Placed]] = {}
    for row in rows:
        branch = row.texts.get("branch", trunk)
        found = row.lists.get("overlay", ())
        for overlay in found:
            if len(found) > 1 and "{app}" not in overlay.text:
                what = "of several overlays each must hold {app}: it tells them apart"
                problems.add(overlay.place, overlay.path, what)
            parts = tuple(plain_path(overlay.text).split("/"))
            same, any_app = alike.setdefault((branch, parts), []), with_app.setdefault(branch, [])
            before = earlier.setdefault(branch, []) if "{app}" in parts else [*same, *any_app]
            for owner, other, theirs in before:
                how = _overlap(parts, theirs) if owner is not row else None
                if how is not None:
                    name = owner.get("name", "another environment")
                    where = f"{other.text} of {name} (line {other.place[0]})"
                    problems.add(overlay.place, overlay.path, f"{overlay.text} {how} {where}")
            placed = (row, overlay, parts)
            earlier.setdefault(branch, []).append(placed)
            (any_app if "{app}" in parts else same).append(placed)


def _overlap(ours: tuple[str, ...], theirs: tuple[str, ...]) -> str | None:
    """Say how two directories are one, if they can be; `{app}` may be any one folder."""
    if len(ours) != len(theirs):
        return None
    for one, two in zip(ours, theirs, strict=True):
        if one != two and "{app}" not in (one, two):
            return None
    return "is the same directory as" if ours == theirs else "can be the same directory as"
