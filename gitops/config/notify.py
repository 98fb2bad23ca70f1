"""`notify:` of `gitops.yaml`: keys, rules, and what they become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from gitops.config.groups import written_out
from gitops.config.shapes import Problems, Value

if TYPE_CHECKING:
    from gitops.core.environments.environment import Group
    from gitops.core.environments.notify import EventKind, NotifyRow


def check_notify(rows: Sequence[Value], known: Sequence[str], problems: Problems) -> None:
    """Every environment and group that is named is there; `known` are both."""
    for row in rows:
        problems.add_no_environment(row.list("environments"), known)


def make_notify(
    rows: Sequence[Value], groups: Sequence[Group], order: Sequence[str]
) -> tuple[NotifyRow, ...]:
    """Return the values of rows without problems, with groups written out in `order`."""
    from gitops.core.environments.notify import NotifyRow

    made = []
    for row in rows:
        made.append(
            NotifyRow(
                channel=row.get("channel"),
                environments=written_out(row, groups, order),
                events=cast("tuple[EventKind, ...]", row.list_texts("events")),
            )
        )
    return tuple(made)
