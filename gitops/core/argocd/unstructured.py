"""Read what a server told, without believing its shape: what does not fit is as if left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def table(told: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """Return the mapping at `keys`, one inside the other; {} where there is none."""
    for key in keys:
        found = told.get(key)
        told = found if isinstance(found, Mapping) else {}
    return told


def items(told: Mapping[str, Any], key: str) -> Sequence[Any]:
    """Return the list at `key`; () where there is none."""
    found = told.get(key)
    return found if isinstance(found, (list, tuple)) else ()


def tables(told: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the mappings in the list at `key`."""
    return [one for one in items(told, key) if isinstance(one, Mapping)]


def text(told: Mapping[str, Any], key: str) -> str:
    """Return the text at `key`; "" where there is none."""
    found = told.get(key)
    return found if isinstance(found, str) else ""


def number(told: Mapping[str, Any], key: str) -> int | None:
    """Return the whole number at `key`; None where there is none."""
    found = told.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def time(told: Mapping[str, Any], key: str) -> datetime | None:
    """Return the RFC 3339 time at `key`, in UTC; None where there is none."""
    try:
        found = datetime.fromisoformat(text(told, key))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def newest_first(objects: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sort Kubernetes objects by creation, the newest first; those without a time come last."""

    def age(told: Mapping[str, Any]) -> float:
        created = time(table(told, "metadata"), "creationTimestamp")
        return -created.timestamp() if created is not None else 0.0

    return sorted(objects, key=age)
