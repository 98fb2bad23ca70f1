"""Names for completion: environments, apps, images, releases and branches at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from gitops.cli.completion import Asked, Candidate
from gitops.core.environments.environment import CONFIG_PATH, Config, Overlay
from gitops.errors import GitopsError

if TYPE_CHECKING:
    from gitops.core.kustomization.image import ImageValue
    from gitops.ports.repository import Snapshot

_RELEASES = 30
_WORDS: Mapping[str, tuple[Candidate, ...]] = {
    "rollback": (("previous", "The newest other one."),),
    "diff": (
        ("stable", "The newest one that was seen stable."),
        ("previous", "The newest other one."),
    ),
    "qa": (("newest", "The one that is there now."),),
}
"""Command -> words that stand for a release."""


def names_for(asked: Asked) -> tuple[Candidate, ...]:
    """Return what may stand there, from the checkout or from what is kept of the repository."""
    from gitops.config import load_config
    from gitops.wiring import open_offline

    location = asked.options.get("repo") or os.environ.get("GITOPS_REPO") or "."
    with open_offline(location, asked.options.get("branch")) as offline:
        if asked.values == "branch":
            return tuple((name, "") for name in offline.branches())
        snapshot = offline.snapshot
        content = snapshot.read(CONFIG_PATH) if snapshot is not None else None
        if snapshot is None or content is None:
            return ()
        config = load_config(content)
        if asked.values == "environment":
            return tuple(_environments(config, snapshot, asked))
        if asked.values == "app":
            return tuple((name, "") for name in _apps(config, snapshot))
        overlays = _overlays(config, snapshot, asked)
        if asked.values == "release":
            folders = tuple(overlay.directory for overlay in overlays)
            words = _WORDS.get(asked.verb, ())
            return (*words, *offline.commits(folders, _RELEASES))
        return tuple(_images(snapshot, overlays, asked))


def _environments(config: Config, snapshot: Snapshot, asked: Asked) -> Iterator[Candidate]:
    """Yield environments and groups; `APP/ENV` once something is typed: there may be many."""
    for row in config.environments:
        if row.name not in asked.arguments:
            yield row.name, ", ".join(row.accepts)
    for group in config.groups:
        if group.name not in asked.arguments:
            yield group.name, ", ".join(group.environments)
    if asked.word:
        from gitops.actions.context.overlays import overlays_of

        found = (one for row in config.environments for one in overlays_of(snapshot, row))
        labels = (one.label for one in found if one.app is not None)
        yield from ((label, "") for label in labels if label not in asked.arguments)


def _apps(config: Config, snapshot: Snapshot) -> list[str]:
    from gitops.actions.context.overlays import apps_of

    found = {app for row in config.environments for app in apps_of(snapshot, row)}
    return sorted(found)


def _overlays(config: Config, snapshot: Snapshot, asked: Asked) -> list[Overlay]:
    """Return the overlays that the words before the cursor name; all, where they name none."""
    from gitops.actions.context.overlays import overlays_of

    words = {*asked.arguments, *map(str, asked.options.values())}
    named = {part for word in words for part in (word, *word.rpartition("/"))}
    named |= {one for group in config.groups if group.name in named for one in group.environments}
    rows = [row for row in config.environments if row.name in named] or config.environments
    found = [overlay for row in rows for overlay in overlays_of(snapshot, row)]
    return [one for one in found if one.app in named] or found


def _images(snapshot: Snapshot, overlays: list[Overlay], asked: Asked) -> Iterator[Candidate]:
    """Yield image names; where a tag is wanted, the tags that are known behind a whole name."""
    from gitops.actions.context.overlays import read_overlay

    values: dict[str, list[ImageValue]] = {}
    for overlay in overlays:
        with suppress(GitopsError):
            for image, value in read_overlay(snapshot, overlay).read_images().items():
                values.setdefault(image, []).append(value)
    if asked.values == "image":
        yield from ((image, "") for image in values if image not in asked.arguments)
        return
    name, colon, _ = asked.word.rpartition(":")
    if not colon:
        yield from ((f"{image}:", "") for image in values)
    tags = [value.tag for value in values.get(name, ()) if value.tag is not None]
    yield from ((f"{name}:{tag}", "") for tag in dict.fromkeys(tags))
