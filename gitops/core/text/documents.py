"""Small documents of our own in Git, where anybody who may push could have written them."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")

_LARGEST = 4 << 20  # bytes


def read_document(content: bytes | None, kind: type[T]) -> T | None:
    """Return what a document says; None where there is none, or it is no such document."""
    if content is None or len(content) > _LARGEST:
        return None
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def write_document(value: object) -> bytes:
    """Return the document: the same for the same values, and readable as a diff."""
    raw = msgspec.json.encode(value, order="sorted")
    return msgspec.json.format(raw, indent=1) + b"\n"
