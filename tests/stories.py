"""Histories in the making, for the tests of what is told from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from gitops.core.git.commit import Identity
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.release import Health, Quality, Release, Verdicts
from gitops.core.releases.rollback import choose
from gitops.core.releases.selection import Choice
from gitops.core.releases.undo import choose_undo
from gitops.errors import NotFound, Refused

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ANA = Identity("Ana", "ana@example.com")


def commit_id(name: str) -> str:
    """The commit id of the release called `name`."""
    return hashlib.sha1(name.encode()).hexdigest()


@dataclass
class Story:
    """A history in the making: each call is one commit that changes the named images."""

    releases: list[Release] = field(default_factory=list)  # newest first
    images: dict[str, ImageValue] = field(default_factory=dict)

    def commit(
        self, name: str, action: str | None, changes: Mapping[str, str | None], **more: str | None
    ) -> Story:
        """One commit that sets the tags of some images, None to remove the entry."""
        for image, tag in changes.items():
            if tag is None:
                del self.images[image]
            else:
                self.images[image] = ImageValue(tag=tag)
        return self.pin(name, action, dict(self.images), **more)

    def pin(
        self,
        name: str,
        action: str | None,
        images: Mapping[str, ImageValue] | None,
        **more: str | None,
    ) -> Story:
        """One commit that pins `images`; `self.images` follows, unless they do not parse."""
        if images is not None:
            self.images = dict(images)
        release = Release(
            commit=more.pop("commit", None) or commit_id(name),
            time=START + timedelta(hours=len(self.releases)),
            author=ANA,
            subject=name,
            action=action,
            images=images,
            **more,
        )
        self.releases.insert(0, release)
        return self

    def deploy(self, name: str, commit: str | None = None, **tags: str | None) -> Story:
        """Somebody deploys on purpose."""
        return self.commit(name, "deploy", tags, commit=commit)

    def hand(self, name: str, **tags: str | None) -> Story:
        """Somebody edits the file."""
        return self.commit(name, None, tags)

    def broken(self, name: str) -> Story:
        """Somebody edits the file, and it does not parse any more."""
        return self.pin(name, None, None)

    def rollback(
        self,
        name: str,
        *only: str,
        to: str | None = None,
        override: str | None = None,
        trailers: bool = True,
    ) -> Story:
        """`gitops rollback`; without trailers it landed by a squash merge that dropped them."""
        choice = self.choose(*only, to=to, override=override)
        if choice.release is None:
            raise Refused("it runs already")
        for request in choice.requests:
            self.images[request.image] = request.apply(self.images[request.image])
        if not trailers:
            return self.pin(name, None, dict(self.images))
        restores, bad = choice.release.commit, choice.rolled_back
        return self.pin(name, "rollback", dict(self.images), restores=restores, rolled_back=bad)

    def undo(self, name: str) -> Story:
        """`gitops undo`: the images as they were before the newest rollback."""
        undo = choose_undo(self.releases)
        if undo.rollback is None:
            raise Refused("it was undone already")
        for request in undo.requests:
            self.images[request.image] = request.apply(self.images[request.image])
        return self.pin(name, "undo", dict(self.images))

    def gone(self, name: str, *images: str) -> Story:
        """Somebody removes entries; without names all of them."""
        return self.hand(name, **dict.fromkeys(images or tuple(self.images)))

    def choose(self, *only: str, **options: Any) -> Choice:
        """What a rollback of the story so far would restore."""
        return choose(self.releases, self.images, only=frozenset(only) or None, **options)


def verdicts(
    *,
    stable: Sequence[str] = (),
    degraded: Sequence[str] = (),
    passed: Sequence[str] = (),
    failed: Sequence[str] = (),
) -> Verdicts:
    """Verdicts by the names of releases."""
    health: dict[str, Health] = dict.fromkeys(map(commit_id, stable), "stable")
    quality: dict[str, Quality] = dict.fromkeys(map(commit_id, passed), "qa-passed")
    health |= dict.fromkeys(map(commit_id, degraded), "degraded")
    quality |= dict.fromkeys(map(commit_id, failed), "qa-failed")
    return Verdicts(health, quality)


def two() -> Story:
    """Two images, each deployed alone: r1 (1, 1), r2 (2, 1), r3 (2, 2)."""
    return Story().deploy("r1", api="1", web="1").deploy("r2", api="2").deploy("r3", web="2")


def one(*tags: str) -> Story:
    """One image; r1 deploys the first of `tags`, r2 the second, …"""
    story = Story()
    for number, tag in enumerate(tags, 1):
        story.deploy(f"r{number}", api=tag)
    return story


MOVES = st.lists(
    st.tuples(
        st.sampled_from(
            ["rollback", "image", "undo", "override", "deploy", "hand", "again", "gone", "broken"]
        ),
        st.sampled_from(["api", "web", "both"]),
        st.integers(0, 5),
    ),
    max_size=30,
)


class Played:
    """A history that was played from moves, with what plain rollbacks took away, told apart."""

    def __init__(self, moves: Sequence[tuple[str, str, int]]) -> None:
        self.story = Story().deploy("start", api="0", web="0")
        self.taken: set[tuple[str, str | None]] = set()
        self.before: list[set[tuple[str, str | None]]] = []  # one for each rollback that stands
        for number, (what, which, value) in enumerate(moves, 1):
            images = ("api", "web") if which == "both" else (which,)
            try:
                self.move(f"s{number}", what, images, value)
            except (Refused, NotFound):
                continue

    def move(self, name: str, what: str, images: tuple[str, ...], value: int) -> None:
        """One move; it may be refused, and then nothing happened."""
        story, old = self.story, dict(self.story.images)
        if story.releases[0].images is None:
            what = "hand"  # nothing else can be written to an overlay that does not parse
        if what in ("rollback", "image"):
            story.rollback(name, *(images if what == "image" else ()))
            changed = {image for image, value in story.images.items() if old[image] != value}
            assert self.taken.isdisjoint((image, story.images[image].tag) for image in changed)
            self.before.append(set(self.taken))
            self.taken |= {(image, old[image].tag) for image in changed}
            return
        if what == "undo":
            story.undo(name)
            self.taken = self.before.pop()
            return
        if what == "gone" and any(image in old for image in images):
            story.gone(name, *(image for image in images if image in old))
        elif what == "broken":
            story.broken(name)
        elif what == "override":
            story.rollback(name, to=str(value), override="please")
            self.before.append(set(self.taken))
        else:
            known = sorted(self.taken, key=str)
            tags = dict.fromkeys(images, f"{value}")
            if what == "again" and known:
                tags = dict([known[value % len(known)]])
            if story.releases[0].images is not None and all(
                image in old and old[image].tag == tag for image, tag in tags.items()
            ):
                return  # a commit that changes no image is no release
            (story.deploy if what == "deploy" else story.hand)(name, **tags)
        self.taken -= {(image, entry.tag) for image, entry in story.images.items()}
