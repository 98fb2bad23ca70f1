"""Spans for whoever looks on from outside: nothing, until a server says who takes them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

SpanKind = Literal["internal", "client"]


class SpanSource(Protocol):
    """Makes spans: `server/telemetry/traces.py`."""

    def span(
        self, name: str, kind: SpanKind, attributes: dict[str, str | int]
    ) -> AbstractContextManager[object]:
        """Return a span for the block that it manages, below the one around it."""
        ...


_source: SpanSource | None = None
_NOTHING: AbstractContextManager[None] = nullcontext()


def use(source: SpanSource | None) -> None:
    """Make spans by `source` from now on; None: none."""
    global _source
    _source = source


def source() -> SpanSource | None:
    """Return what makes spans; None: nothing does."""
    return _source


def span(
    name: str, kind: SpanKind = "internal", **attributes: str | int
) -> AbstractContextManager[object]:
    """Return a span: what a block does, and how long. Nothing secret, and no text of people."""
    if _source is None:
        return _NOTHING
    told = {f"gitops.{key}": value for key, value in attributes.items()}
    return _source.span(name, kind, told)
