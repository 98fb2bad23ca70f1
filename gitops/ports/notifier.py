"""Channels that carry messages to people."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Notifier(Protocol):
    """Channels by name, with their addresses, which are secrets."""

    def names(self) -> Collection[str]:
        """Return the channels that have an address."""
        ...

    def send(self, channel: str, title: str, body: str) -> str | None:
        """Send a message as plain text; return why it did not go out, None when it did.

        The reason holds no address. Takes a few seconds at most, and raises nothing.
        """
        ...
