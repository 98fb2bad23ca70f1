"""Where a deploy's images were looked up last, and what the next one asks for at once."""

from __future__ import annotations

import pytest

from gitops.actions.images.known import note, recall
from gitops.core.images.name import ImageName

API = ImageName("registry.example.com", "shop/api")
OTHER = ImageName("other.example.com", "api")
DIGEST = "sha256:" + "ab" * 32


class Pages:
    """An index in memory."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.kept = 0

    def page(self, name: str) -> bytes | None:
        """Return a page."""
        return self.pages.get(name)

    def keep(self, name: str, content: bytes) -> None:
        """Keep a page."""
        self.kept += 1
        self.pages[name] = content


@pytest.mark.parametrize(
    ("image", "asked"),
    [
        ("shop/api:1.5.0", [(API, "1.5.0")]),
        (f"shop/api@{DIGEST}", [(API, DIGEST)]),
        (f"shop/api:1.5.0@{DIGEST}", [(API, "1.5.0")]),
        ("shop/api=other.example.com/api:1.5.0", [(OTHER, "1.5.0")]),
        ("shop/api=api:1.5.0", []),  # no host: nobody is asked
        ("shop/web:1.5.0", []),  # never looked up
        ("shop/api", []),
        (":", []),
    ],
)
def test_what_was_asked_is_asked_again(image: str, asked: list[tuple[ImageName, str]]) -> None:
    """Of the same image, at the same place, for what is deployed now."""
    index = Pages()
    note(index, {"shop/api": API})
    assert asked == list(recall(index, [image]))


def test_nothing_is_asked_that_was_not_asked_before() -> None:
    """A first call, and one after a call that asked nobody."""
    index = Pages()
    assert [] == list(recall(index, ["registry.example.com/shop/api:1.5.0"]))
    note(index, {})
    assert 0 == index.kept
    note(index, {"shop/api": API})
    note(index, {"shop/api": API})
    assert 1 == index.kept
    note(index, {})
    assert [] == list(recall(index, ["shop/api:1.5.0"]))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"shop/api": 1}', b'{"shop/api": "x y"}'])
def test_a_page_that_is_none_asks_nobody(content: bytes) -> None:
    """Whatever lies there."""
    index = Pages()
    index.pages["looks"] = content
    assert [] == list(recall(index, ["shop/api:1.5.0"]))
