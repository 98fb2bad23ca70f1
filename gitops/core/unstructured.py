"""Read what a server told, without believing its shape: what does not fit is as if left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gitops.core.text.plain import read_moment


def at(told: object, *keys: str) -> Any:
    """Return whatever is at `keys`, one inside the other; None where there is nothing."""
    for key in keys:
        told = told.get(key) if isinstance(told, Mapping) else None
    return told


def table(told: object, *keys: str) -> Mapping[str, Any]:
    """Return the mapping at `keys`; {} where there is none."""
    found = at(told, *keys)
    return found if isinstance(found, Mapping) else {}


def items(told: object, *keys: str) -> Sequence[Any]:
    """Return the list at `keys`; () where there is none."""
    found = at(told, *keys)
    return found if isinstance(found, (list, tuple)) else ()


def tables(told: object, *keys: str) -> list[Mapping[str, Any]]:
    """Return the mappings in the list at `keys`."""
    return [one for one in items(told, *keys) if isinstance(one, Mapping)]


def text(told: object, *keys: str) -> str:
    """Return the text at `keys`; "" where there is none."""
    found = at(told, *keys)
    return found if isinstance(found, str) else ""


def texts(told: object, *keys: str) -> tuple[str, ...]:
    """Return the texts in the list at `keys`."""
    return tuple(one for one in items(told, *keys) if isinstance(one, str))


def number(told: object, *keys: str) -> int | None:
    """Return the whole number at `keys`; None where there is none."""
    found = at(told, *keys)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def time(told: object, *keys: str) -> datetime | None:
    """Return the RFC 3339 time at `keys`, in UTC; None where there is none."""
    return read_moment(text(told, *keys))


def newest_first(objects: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sort Kubernetes objects by creation, the newest first; those without a time come last."""

    def age(told: Mapping[str, Any]) -> float:
        created = time(told, "metadata", "creationTimestamp")
        return -created.timestamp() if created is not None else 0.0

    return sorted(objects, key=age)
