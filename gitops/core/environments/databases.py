"""Rows of `databases:`: how what leads to databases is known. Few commands load it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class DatabaseRow(Struct, frozen=True):
    """A row of `databases:`: how what leads to databases of one class is known.

    Attributes:
        hosts: names and addresses of servers; `*` stands for any text.
        secrets: names of Secrets, and of what makes them.
        stores: `STORE/KEY` of outside secrets, as ExternalSecrets name them.
        keys: settings, `NAME` or `NAME=VALUE`.
        egress: whether pods of the other class need a NetworkPolicy that bounds their egress.
        line: 1-based line of the row in `gitops.yaml`, for messages.
    """

    class_: Literal["dummy", "real"]
    hosts: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    egress: bool = False
    line: int = 1

    def __eq__(self, other: object) -> bool:
        """Where it stands does not make it another row."""
        return isinstance(other, DatabaseRow) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self.class_, self.hosts, self.secrets, self.stores, self.keys, self.egress
