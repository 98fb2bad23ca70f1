"""What only the server and whoever tells people read of `gitops.yaml`, in one place for the rest.

`access:`, `jobs:`, `alerts:`, `notify:`. The keys are told to every call; rules and values are made
where a file has such rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, cast, get_args

from gitops.config.access import (
    TextsOf,
    access_table,
    check_access,
    check_jobs,
    job_table,
    make_access,
    make_jobs,
)
from gitops.config.groups import written_out
from gitops.config.shapes import (
    Key,
    ListOf,
    OneOf,
    Problems,
    Shape,
    Table,
    Text,
    Value,
    WholeNumber,
    shown,
)
from gitops.core.environments.rows import AlertRow, EventKind, NotifyRow
from gitops.core.text.plain import read_duration

if TYPE_CHECKING:
    from gitops.core.environments.environment import Group
    from gitops.core.environments.rows import AccessRow, JobRow

_LABEL = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
_EVENTS: tuple[EventKind, ...] = get_args(EventKind)


def check_alerts(rows: Sequence[Value], names: Sequence[str], problems: Problems) -> None:
    """Each row says one environment, and one that is there; its name is its own."""
    problems.add_repeated(rows, "name", "an alert {}")
    for row in rows:
        for key in ("environment", "app"):
            found = row.keys.get(key)
            if found is None or problems.has_inside(f"{row.path}.{key}"):
                continue
            if len({"label", "name"} & found.texts.keys()) != 1:
                problems.add(found.place, found.path, "is either {label: …} or {name: …}")
            if key == "environment" and (fixed := found.keys.get("name")) is not None:
                problems.add_no_environment([fixed], names)


def make_alerts(rows: Sequence[Value]) -> tuple[AlertRow, ...]:
    """Return the values of rows without problems."""
    made = []
    for row in rows:
        environment, app = row.keys["environment"], row.keys.get("app")
        made.append(
            AlertRow(
                name=row.get("name"),
                match=dict(row.keys["match"].texts),
                environment=environment.texts.get("name"),
                environment_label=environment.texts.get("label"),
                app=app.texts.get("name") if app is not None else None,
                app_label=app.texts.get("label") if app is not None else None,
                within=read_duration(row.texts.get("within") or "30m").total_seconds(),
                limit=int(row.texts.get("limit") or "2"),
            )
        )
    return tuple(made)


def check_notify(rows: Sequence[Value], known: Sequence[str], problems: Problems) -> None:
    """Every environment and group that is named is there; `known` are both."""
    for row in rows:
        problems.add_no_environment(row.list("environments"), known)


def make_notify(
    rows: Sequence[Value], groups: Sequence[Group], order: Sequence[str]
) -> tuple[NotifyRow, ...]:
    """Return the values of rows without problems, with groups written out in `order`."""
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


def _notify_shape(name: Text) -> Shape:
    """Return the shape of `notify:`."""
    return ListOf(
        Table(
            {
                "channel": Key(
                    Text(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", _explain_channel),
                    "A word for it; its addresses are in the settings of whoever sends: "
                    "they are secrets.",
                    required=True,
                ),
                "environments": Key(
                    ListOf(name, least=1), "Only of these, groups too; default: of all."
                ),
                "events": Key(
                    ListOf(OneOf(*_EVENTS), least=1),
                    "What it hears of; default: all of it. hold: its end, too; alert: one "
                    "that nothing was done about.",
                ),
            }
        )
    )


def _explain_channel(text: str) -> str:
    """Say what is wrong with a word for a channel."""
    return f"{shown(text)} is no word for a channel: small letters, digits, hyphens inside"


def server_shapes(name: Text, duration: Text) -> dict[str, Shape]:
    """Return the shape of each key; `name` is that of an environment."""
    return {
        "access": ListOf(access_table(name)),
        "jobs": ListOf(job_table()),
        "alerts": _alerts_shape(name, duration),
        "notify": _notify_shape(name),
    }


def _alerts_shape(name: Text, duration: Text) -> Shape:
    label = Text(_LABEL, "is no label of an alert")
    says = Text(r"[^\u0000-\u001f\u007f]{1,300}", "is no value")
    app = Text(r"[a-zA-Z0-9_][A-Za-z0-9_.-]{0,254}", "is no app")
    return ListOf(
        Table(
            {
                "name": Key(
                    Text(r"[^\u0000-\u001f\u007f]{1,80}", lambda _: "is no name"),
                    "What messages call it.",
                    required=True,
                ),
                "match": Key(
                    TextsOf(_LABEL, says, "label", "alertname: ErrorBudgetBurn"),
                    "Labels that the alert must have, with these very values.",
                    required=True,
                ),
                "environment": Key(
                    Table(
                        {
                            "label": Key(label, "The label that says it."),
                            "name": Key(name, "Always this one."),
                        }
                    ),
                    "Which environment it is about.",
                    required=True,
                ),
                "app": Key(
                    Table(
                        {
                            "label": Key(label, "The label that says it."),
                            "name": Key(app, "Always this one."),
                        }
                    ),
                    "Which app, where each has overlays of its own.",
                ),
                "within": Key(
                    duration,
                    "How long after a release its alerts are its own; default 30m.",
                ),
                "limit": Key(
                    WholeNumber(1, 99),
                    "Automatic rollbacks of an environment a day, beyond which it proposes; "
                    "default 2.",
                ),
            }
        )
    )


def check_server(
    lists: Mapping[str, tuple[Value, ...]], names: Sequence[str], problems: Problems
) -> None:
    """Add what is wrong with the rows; `names` are those of the environments."""
    known = [*names, *(row.get("name") for row in lists.get("groups", ()))]
    if lists.get("access") or lists.get("jobs"):
        jobs = lists.get("jobs", ())
        check_jobs(jobs, problems)
        check_access(lists.get("access", ()), jobs, known, problems)
    if lists.get("alerts"):
        check_alerts(lists["alerts"], names, problems)
    if lists.get("notify"):
        check_notify(lists["notify"], known, problems)


class ServerRows(TypedDict):
    """What they become, as `Config` has it."""

    access: tuple[AccessRow, ...]
    jobs: tuple[JobRow, ...]
    alerts: tuple[AlertRow, ...]
    notify: tuple[NotifyRow, ...]


def make_server(root: Value, groups: Sequence[Group], order: Sequence[str]) -> ServerRows:
    """Return the values of rows without problems, with groups written out in `order`."""
    alerts: tuple[AlertRow, ...] = ()
    notify: tuple[NotifyRow, ...] = ()
    if rows := root.list("alerts"):
        alerts = make_alerts(rows)
    if rows := root.list("notify"):
        notify = make_notify(rows, groups, order)
    return {
        "access": make_access(root.list("access"), groups, order),
        "jobs": make_jobs(root.list("jobs")),
        "alerts": alerts,
        "notify": notify,
    }
