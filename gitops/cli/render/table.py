"""`gitops status` at a glance: a table of images and environments, as wide as the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from gitops.cli.render.terminal import columns, cut, width_of
from gitops.core.kustomization.image import ImageValue, describe_value
from gitops.core.report import OverlayStatus
from gitops.core.text.plain import short_age

_LONGEST_WHO = 10
_LONGEST_VALUE = 24
BEHIND = "<"
"""Behind a value: the environment before has another one."""


class Cell(Struct, frozen=True):
    """One image of one overlay.

    Attributes:
        entry: the overlay; None where the environment has none for this row.
        value: None where the overlay does not have the image.
        behind: the environment before has another value.
    """

    entry: OverlayStatus | None = None
    value: ImageValue | None = None
    behind: bool = False


class Row(Struct, frozen=True):
    """An image, of one app where apps have overlays of their own, in every environment."""

    app: str | None
    image: str
    cells: tuple[Cell, ...]


def status_table(overlays: Sequence[OverlayStatus], width: int) -> list[str] | None:
    """Return the lines of the table, None where it does not fit into `width` columns.

    Where it is narrow who wrote a release goes first, then how old it is.
    """
    environments = list(dict.fromkeys(one.overlay.environment.name for one in overlays))
    rows = rows_of(overlays)
    if len(environments) < 2 or not rows:
        return None
    for detail in ("who", "age", ""):
        body = [
            (label, *(_text(cell, detail) for cell in row.cells))
            for label, row in zip(_labels(rows), rows, strict=True)
        ]
        lines = columns([("", *environments), *_heads(overlays, environments, detail), *body])
        if max(map(width_of, lines)) <= width:
            behind = any(cell.behind for row in rows for cell in row.cells)
            return lines + [f"{BEHIND} the environment before it has another"] * behind
    return None


def rows_of(overlays: Sequence[OverlayStatus]) -> list[Row]:
    """Return a row for each image of each app, in the order of the files."""
    environments = list(dict.fromkeys(one.overlay.environment.name for one in overlays))
    placed: dict[tuple[str | None, str], dict[str, OverlayStatus]] = {}
    of_apps: dict[str | None, dict[str, OverlayStatus]] = {}
    for one in overlays:
        of_apps.setdefault(one.overlay.app, {})[one.overlay.environment.name] = one
    for app, there in of_apps.items():
        images = dict.fromkeys(image for one in there.values() for image in one.images or {})
        for image in images or ([""] if app is not None else []):
            placed[app, image] = there
    rows = []
    for (app, image), there in placed.items():
        rows.append(Row(app, image, tuple(_cell(there, name, image) for name in environments)))
    return rows


def _cell(there: Mapping[str, OverlayStatus], name: str, image: str) -> Cell:
    entry = there.get(name)
    value = _value(entry, image)
    after = entry.overlay.environment.after if entry is not None else ()
    source = _value(there.get(after[-1]), image) if after else None
    return Cell(entry, value, value is not None and source not in (None, value))


def _value(entry: OverlayStatus | None, image: str) -> ImageValue | None:
    return (entry.images or {}).get(image) if entry is not None else None


def _labels(rows: Sequence[Row]) -> list[str]:
    """Return what each row is called: the app, the image by its last part where that is enough."""
    images = list(dict.fromkeys(row.image for row in rows))
    ends = Counter(image.rpartition("/")[2] for image in images)
    short = {
        image: end if ends[end := image.rpartition("/")[2]] == 1 else image for image in images
    }
    several = Counter(row.app for row in rows)
    labels = []
    for row in rows:
        name = short[row.image]
        if row.app is None:
            labels.append(name)
        elif (several[row.app] == 1 and row.app in (name, row.image)) or not name:
            labels.append(row.app)
        else:
            labels.append(f"{row.app} {name}")
    return labels


def _heads(
    overlays: Sequence[OverlayStatus], environments: Sequence[str], detail: str
) -> list[tuple[str, ...]]:
    """Return the lines below the names, of environments with one overlay: age, author, verdicts."""
    only = {one.overlay.environment.name: one for one in overlays if one.overlay.app is None}
    when = [_since(only[name], detail) if name in only else "" for name in environments]
    words = [
        ", ".join(word.verdict for word in only[name].words) if name in only else ""
        for name in environments
    ]
    return [("", *cells) for cells in (when, words) if any(cells)]


def _since(entry: OverlayStatus, detail: str) -> str:
    if not detail or entry.commit is None:
        return ""
    since = "?"
    if entry.time is not None:
        since = short_age((datetime.now(UTC) - entry.time).total_seconds())
    by = entry.bot or entry.by
    return f"{since} {cut(by, _LONGEST_WHO)}" if detail == "who" and by else since


def _text(cell: Cell, detail: str) -> str:
    """What stands in a cell; age, author and a mark only where no head says them."""
    if cell.entry is None:
        return ""
    if cell.value is None:
        return "unreadable" if cell.entry.problem else "-"
    parts = [_shown(cell.value)]
    if cell.entry.overlay.app is not None:
        parts += [_since(cell.entry, detail), _mark(cell.entry)]
    return " ".join(filter(None, (*parts, BEHIND if cell.behind else "")))


def _mark(entry: OverlayStatus) -> str:
    """`!` something is bad or stands in the way, `+` what was said is good."""
    said = {word.verdict for word in entry.words}
    if entry.is_failing or entry.hold is not None:
        return "!"
    return "+" if said else ""


def _shown(value: ImageValue) -> str:
    """The tag, with `@` where a digest pins it; the whole value where there is no tag."""
    if value.tag is None:
        return cut(describe_value(value), _LONGEST_VALUE)
    return cut(value.tag, _LONGEST_VALUE) + ("@" if value.digest else "")
