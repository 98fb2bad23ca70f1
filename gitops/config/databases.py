"""Rows of `databases:` in `gitops.yaml`: what is wrong with them, and the values they become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from gitops.config.shapes import Problems, Value, shown
from gitops.core.environments.environment import Database
from gitops.core.environments.rows import DatabaseRow

_SIGNS = ("hosts", "secrets", "stores", "keys")


def check_databases(rows: Sequence[Value], problems: Problems) -> None:
    """Each row says how its databases are known, and no pattern is of both classes."""
    owners: dict[tuple[str, str], Value] = {}
    for row in rows:
        wrong = [key for key in _SIGNS if problems.has(f"{row.path}.{key}")]
        if not wrong and not any(row.list(key) for key in _SIGNS):
            what = f"says not how they are known: name {', '.join(_SIGNS[:-1])} or {_SIGNS[-1]}"
            problems.add(row.place, row.path, what)
        for key in _SIGNS:
            for item in row.list(key):
                first = owners.setdefault((key, item.text.casefold()), row)
                if first.get("class") != row.get("class"):
                    what = f"is {first.get('class')}, too, on line {first.place[0]}"
                    problems.add(item.place, item.path, f"{shown(item.text)} {what}")


def make_databases(rows: Sequence[Value]) -> tuple[DatabaseRow, ...]:
    """Return the rows of a file without problems."""
    return tuple(
        DatabaseRow(
            class_=cast(Database, row.get("class")),
            hosts=row.list_texts("hosts"),
            secrets=row.list_texts("secrets"),
            stores=row.list_texts("stores"),
            keys=row.list_texts("keys"),
            egress=row.get("egress", "any") == "bounded",
            line=row.place[0],
        )
        for row in rows
    )
