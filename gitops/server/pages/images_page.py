"""Which images run where: what all overlays pin, image by image, as the board has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode

from msgspec import Struct

from gitops.core.kustomization.image import ImageValue, describe_value
from gitops.server.board.board import Board, BoardCell
from gitops.server.images.updater import PushedImage, PushedImages

ROWS = 100
_LONGEST = 200  # characters of a search
_MOST_CELLS = 40  # overlays that one value names; the others are a number


class PinnedValue(Struct, frozen=True):
    """One value of an image, and the overlays that pin it.

    Attributes:
        more: how many overlays are not among `cells`.
    """

    value: ImageValue
    cells: Sequence[BoardCell]
    more: int


class PinnedImage(Struct, frozen=True):
    """An image by the name of its entries, and its values: what most overlays pin comes first."""

    name: str
    values: Sequence[PinnedValue]


class ShownImages(Struct, frozen=True):
    """One page of them."""

    images: Sequence[PinnedImage]
    text: str
    page: int
    last: int

    def url(self, page: int) -> str:
        """Return the address of another page."""
        told = {"q": self.text, "page": str(page)}
        return f"/images?{urlencode({key: one for key, one in told.items() if one})}"


class ShownPushed(Struct, frozen=True):
    """What was found of images that are deployed when they are pushed: what stays out first.

    Attributes:
        more: how many are not among `images`.
    """

    at: datetime
    images: Sequence[PushedImage]
    more: int
    problems: Mapping[str, str]


def shown_pushed(known: PushedImages | None) -> ShownPushed | None:
    """Return what the page shows of it; None: nothing is deployed when it is pushed."""
    if known is None:
        return None
    ordered = sorted(known.images, key=lambda one: one.finding.is_current)
    more = max(len(ordered) - ROWS, 0)
    return ShownPushed(known.at, ordered[:ROWS], more, known.problems)


def shown_images(board: Board, given: Mapping[str, str]) -> ShownImages:
    """Return the images in whose name or values every word of `q` stands."""
    text = given.get("q", "").strip()[:_LONGEST]
    number = given.get("page", "")
    images = board.remembered("images", lambda: _pinned(board))
    words = text.lower().split()
    found = [name for name, values in images.items() if _fits(name, values, words)]
    last = max(1, -(-len(found) // ROWS))
    asked = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
    page = min(max(asked, 1), last)
    names = found[(page - 1) * ROWS : page * ROWS]
    return ShownImages([_image(name, images[name]) for name in names], text, page, last)


def _pinned(board: Board) -> Mapping[str, Mapping[ImageValue, list[BoardCell]]]:
    found: dict[str, dict[ImageValue, list[BoardCell]]] = {}
    for cell in board.cells():
        for image, value in cell.images.items():
            found.setdefault(image, {}).setdefault(value, []).append(cell)
    return dict(sorted(found.items()))


def _fits(
    name: str, values: Mapping[ImageValue, Sequence[BoardCell]], words: Sequence[str]
) -> bool:
    if not words:
        return True
    told = " ".join([name, *map(describe_value, values)]).lower()
    return all(word in told for word in words)


def _image(name: str, values: Mapping[ImageValue, Sequence[BoardCell]]) -> PinnedImage:
    ordered = sorted(values.items(), key=lambda pair: -len(pair[1]))
    return PinnedImage(
        name,
        [
            PinnedValue(value, cells[:_MOST_CELLS], max(len(cells) - _MOST_CELLS, 0))
            for value, cells in ordered
        ],
    )
