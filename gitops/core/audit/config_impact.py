"""What of `gitops.yaml` bears on an environment: its row, those of its gate, and the top level.

Values are compared, not text: a comment, a new order of keys or a default that is written out
changes nothing. Fields are found by themselves, so that a key which a later version knows counts
from its first day on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from gitops.core.environments.environment import Config, Environment

_YAML_NAMES = {
    "freezes": "freeze",
    "sources": "images",
    "branch_rules": "branches",
    "pulls": "pullRequest",
    "protection": "dataProtection",
    "tag_rules": "images[].tags",
    "also": "images[].also",
    "others": "further overlays",
}


def bearing(config: Config, name: str) -> dict[str, object]:
    """Return key -> value of everything that bears on environment `name`.

    Keys are what messages call them: `change of prod`, `signers`. The rows of the environments
    that it comes `after` count, since they are its gate; so do theirs.
    """
    found: dict[str, object] = {}
    row = config.find(name)
    for one in _gate(config, row) if row is not None else ():
        for field in Environment.__struct_fields__:
            if field not in ("name", "line"):
                found[f"{_yaml_name(field)} of {one.name}"] = getattr(one, field)
    for field in Config.__struct_fields__:
        if field != "environments":
            found[_yaml_name(field)] = _about(getattr(config, field), name)
    return found


def bearing_changes(before: Config, after: Config | None, name: str) -> tuple[str, ...]:
    """Say what changed of what bears on environment `name`, () when nothing did.

    `after` is None for a file that cannot be read: then nobody knows.
    """
    if after is None:
        return ("the file cannot be read any more",)
    if before.find(name) is not None and after.find(name) is None:
        return (f"environment {name} is not there any more",)
    old, new = bearing(before, name), bearing(after, name)
    # A row that is in one of the gates only is told by the `after` that names it.
    return tuple(
        _sentence(key, was, new[key]) for key, was in old.items() if key in new and was != new[key]
    )


def _gate(config: Config, row: Environment) -> tuple[Environment, ...]:
    """Return the row, and those of the environments that it comes after, each once."""
    found: dict[str, Environment] = {}
    todo = [row]
    while todo:
        one = todo.pop(0)
        if one.name not in found:
            found[one.name] = one
            todo += [earlier for earlier in config.environments if earlier.name in one.after]
    return tuple(found.values())


def _about(value: object, name: str) -> object:
    """Leave out of a list what names other environments only (freezes, clusters)."""
    if not isinstance(value, tuple):
        return value
    return tuple(
        one for one in value if not (named := getattr(one, "environments", ())) or name in named
    )


def _sentence(key: str, was: object, now: object) -> str:
    before, after = _shown(was), _shown(now)
    if before is None or after is None:
        return f"{key} changed"
    return f"{key} was {before}, is {after}"


def _shown(value: object) -> str | None:
    """Return a value as `gitops.yaml` has it, None for one that is no short text."""
    if value is None:
        return "not set"
    if isinstance(value, str):
        return value
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.0f}s"
    if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
        return f"[{', '.join(value)}]"
    if isinstance(value, Mapping) and not value:
        return "not set"
    return None


def _yaml_name(name: str) -> str:
    """Return what `gitops.yaml` calls an attribute: words are joined in camel case there."""
    name = _YAML_NAMES.get(name, name)
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
