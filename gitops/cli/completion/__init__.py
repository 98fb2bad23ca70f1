"""Completion in a shell: what may stand where the cursor is, without typer and network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gitops.cli.options import Values

Candidate = tuple[str, str]
"""A value, and a description or nothing."""


class Asked(NamedTuple):
    """What a value is completed for.

    Attributes:
        values: which kind of value.
        word: what is there of it.
        verb: the command.
        arguments: what is no option, before the cursor.
        options: the name of a field -> its last value, before the cursor.
    """

    values: Values
    word: str
    verb: str
    arguments: tuple[str, ...]
    options: Mapping[str, str]
