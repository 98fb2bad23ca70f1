"""`notify:` of `gitops.yaml`: keys, rules, and what they become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from gitops.config.shapes import Problems, Value, nearest, shown

if TYPE_CHECKING:
    from gitops.core.environments.environment import Group
    from gitops.core.environments.notify import EventKind, NotifyRow


def check_notify(rows: Sequence[Value], known: Sequence[str], problems: Problems) -> None:
    """Every environment and group that is named is there; `known` are both."""
    for row in rows:
        for item in row.list("environments"):
            if item.text not in known:
                near = nearest(item.text, [word for word in known if word])
                problems.add(item.place, item.path, f"no environment {shown(item.text)}{near}")


def make_notify(
    rows: Sequence[Value], groups: Sequence[Group], order: Sequence[str]
) -> tuple[NotifyRow, ...]:
    """Return the values of rows without problems, with groups written out in `order`."""
    from gitops.core.environments.notify import NotifyRow

    inside = {group.name: group.environments for group in groups}
    made = []
    for row in rows:
        words = row.list_texts("environments")
        named = {name for word in words for name in inside.get(word, (word,))}
        made.append(
            NotifyRow(
                channel=row.get("channel"),
                environments=tuple(name for name in order if name in named),
                events=cast("tuple[EventKind, ...]", row.list_texts("events")),
            )
        )
    return tuple(made)
