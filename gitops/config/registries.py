"""`registries:` of `gitops.yaml`, `pin:` and `platforms:` of its environments."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.config.shapes import Key, ListOf, OneOf, Problems, Table, Text, Value, shown
from gitops.core.environments.environment import RegistryRules

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[1-9][0-9]{0,4})?"
_PLATFORM = r"[a-z0-9]{1,20}/[a-z0-9_]{1,20}(?:/v[0-9]{1,2})?"

REGISTRIES = Table(
    {
        "unavailable": Key(
            OneOf("warn", "refuse"),
            "What a deploy does when a registry does not answer. A rollback is never barred.",
            default="warn",
        ),
        "hosts": Key(
            ListOf(
                Text(_HOST, lambda text: f"{shown(text)} is no host, like registry.example.com")
            ),
            "The registries that may be asked; left out: whichever an image's name begins with.",
        ),
    }
)
PLATFORM = Text(_PLATFORM, lambda text: f"{shown(text)} is no platform, like linux/amd64")


def check_pins(rows: Sequence[Value], problems: Problems) -> None:
    """What was tested must be what goes on: `after` compares tags and digests."""
    pins = {row.get("name"): row.get("pin", "tag") for row in rows}
    for row in rows:
        value = row.keys.get("pin")
        if value is None or value.text == "tag":
            continue
        for item in row.list("after"):
            other = pins.get(item.text, value.text)
            if other != value.text:
                what = (
                    f"is {value.text}, and `pin` of {item.text} is {other}: images are the same "
                    "in both only when both keep the same of them"
                )
                problems.add(value.place, value.path, what)


def make_registries(table: Value) -> RegistryRules:
    """Return the value of a table without problems."""
    hosts = tuple(item.text.lower() for item in table.list("hosts"))
    return RegistryRules(refuse=table.get("unavailable", "warn") == "refuse", hosts=hosts)
