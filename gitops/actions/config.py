"""`gitops config`: a value of `gitops.yaml` is set, taken out or brought up to date.

The file of the folder is edited, and nothing is committed. What comes of it is read as `validate`
reads it before it is written: an edit that would break the config changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from gitops.core.environments.environment import CONFIG_PATH, Config
from gitops.core.report import FileDiff
from gitops.errors import ConfigError, NotFound, Refused, UsageError

_WORD = re.compile(r'"([^"]*)"|([^."]+)')
_OLD_NAMES = ("gitops.yml", ".gitops.yaml", ".gitops.yml")


class ConfigPlace(Protocol):
    """The folder that `gitops.yaml` is in."""

    def describe(self) -> str:
        """Return the path as it was given."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, None when there is none."""
        ...

    def replace(self, path: str, content: bytes) -> None:
        """Replace a file that is there, atomically."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Call a file by another name, which nothing has."""
        ...


class Editor(Protocol):
    """The text of a config, and edits of it; each returns the new text."""

    def set(self, path: Sequence[str], value: str) -> bytes:
        """Put a value, as YAML, in its place. Raises UsageError, NotFound, Refused."""
        ...

    def unset(self, path: Sequence[str]) -> bytes:
        """Take a key or an entry out. Raises NotFound."""
        ...

    def add(self, key: str, value: str, place: int) -> bytes:
        """Add a top-level key at a place among them."""
        ...

    def has(self, key: str) -> bool:
        """Say whether there is a top-level key."""
        ...


class ConfigEdit(Struct, frozen=True):
    """What was edited.

    Attributes:
        outcome: `edited`, `planned` for a dry run, `unchanged`.
        notes: what was brought up to date, in words.
    """

    outcome: Literal["edited", "planned", "unchanged"]
    diff: FileDiff
    notes: tuple[str, ...] = ()


Open = Callable[[bytes], Editor]
Load = Callable[[bytes], Config]


def set_value(
    place: ConfigPlace, key: str, value: str | None, open_: Open, load: Load, *, dry_run: bool
) -> ConfigEdit:
    """Set the value at `key`, or take it out (None).

    Raises UsageError, NotFound, ConfigError where the config would not be one, Denied.
    """
    words = path_of(key)
    before = place.read(CONFIG_PATH)
    if before is None:
        raise NotFound(f"there is no {CONFIG_PATH} in {place.describe()}", hint="gitops init")
    editor = open_(before)
    after = editor.set(words, value) if value is not None else editor.unset(words)
    return _written(place, CONFIG_PATH, before, after, load, dry_run=dry_run)


def migrate(place: ConfigPlace, open_: Open, load: Load, *, dry_run: bool) -> ConfigEdit:
    """Bring the file to what this gitops reads: its name, and the two keys that say what it is.

    Raises NotFound, Refused for two files, ConfigError.
    """
    there = [one for one in (CONFIG_PATH, *_OLD_NAMES) if place.read(one) is not None]
    if not there:
        raise NotFound(f"there is no {CONFIG_PATH} in {place.describe()}", hint="gitops init")
    if len(there) > 1:
        raise Refused(
            f"{place.describe()} has {' and '.join(there)}: which one is it?",
            reasons=tuple(there),
            hint=f"gitops reads {CONFIG_PATH} alone: take the other away",
        )
    (name,) = there
    before = place.read(name) or b""
    after, notes = before, []
    for number, (key, value) in enumerate((("apiVersion", "gitops/v1"), ("kind", "Config"))):
        editor = open_(after)
        if not editor.has(key):
            after = editor.add(key, value, number)
            notes.append(f"{key}: {value} says what the file is")
    if name != CONFIG_PATH:
        notes.append(f"{name} is called {CONFIG_PATH}, the only name that is read")
    made = _written(place, name, before, after, load, dry_run=dry_run, notes=tuple(notes))
    if name != CONFIG_PATH and not dry_run:
        place.rename(name, CONFIG_PATH)
    return made


def _written(
    place: ConfigPlace,
    name: str,
    before: bytes,
    after: bytes,
    load: Load,
    *,
    dry_run: bool,
    notes: tuple[str, ...] = (),
) -> ConfigEdit:
    diff = FileDiff(name, before, after)
    if after == before and not notes:
        return ConfigEdit("unchanged", diff)
    try:
        load(after)
    except ConfigError as error:
        raise ConfigError(
            "the edit would break gitops.yaml; nothing was written",
            reasons=error.reasons,
            hint="`gitops schema` shows what may stand where",
        ) from None
    if dry_run:
        return ConfigEdit("planned", diff, notes)
    if after != before:
        place.replace(name, after)
    return ConfigEdit("edited", diff, notes)


def path_of(key: str) -> tuple[str, ...]:
    """Read `environments.prod.soak`, `images."shop/api".source`. Raises UsageError."""
    words, at = [], 0
    while at < len(key):
        found = _WORD.match(key, at)
        if found is None or (found.end() < len(key) and key[found.end()] != "."):
            break
        words.append(found[1] if found[1] is not None else found[2])
        at = found.end() + 1
    if not words or at != len(key) + 1:
        raise UsageError(
            f"{key!r} is no key", hint='environments.prod.soak, or images."shop/api".source'
        )
    return tuple(words)
