"""`images[].also` of `gitops.yaml`: what its keys and patterns must be, and the values of it."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.config.shapes import Problems, Value, shown
from gitops.core.environments.follower import Also, Follower, parse_key, wrong_pattern


def check_followers(rows: Sequence[Value], problems: Problems) -> None:
    """Add what is wrong with the keys and the patterns of values that follow an image."""
    for row in rows:
        for one in row.list("also"):
            key, pattern = one.keys.get("key"), one.keys.get("pattern")
            if key is not None:
                try:
                    parse_key(key.text)
                except ValueError as error:
                    problems.add(key.place, key.path, f"{shown(key.text)}: {error}")
            if pattern is not None and (wrong := wrong_pattern(pattern.text)) is not None:
                problems.add(pattern.place, pattern.path, f"{shown(pattern.text)} {wrong}")


def make_also(rows: Sequence[Value]) -> Also:
    """Return what follows each image, of a file without problems."""
    found = {
        row.get("name"): tuple(
            Follower(
                one.get("file"),
                one.get("key"),
                one.get("value", "{tag}"),
                one.get("pattern") or None,
            )
            for one in row.list("also")
        )
        for row in rows
    }
    return {image: followers for image, followers in found.items() if followers}
