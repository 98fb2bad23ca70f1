"""`alerts:` of `gitops.yaml`: rules, and what its rows become."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.config.shapes import Problems, Value
from gitops.core.environments.alerts import AlertRow
from gitops.core.text.plain import read_duration


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
