"""A look at a registry: bounded, remembered, and no surer than what the registry says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from fake_registry import MemoryRegistry
from fakes import FakeClock
from gitops.actions.pushed import tags as pushed_tags
from gitops.actions.pushed.tags import FoundTags, TagMemory, WantedTags, ask_tags
from gitops.core.environments.environment import Environment
from gitops.core.environments.tag_rules import TagRow, TagRule
from gitops.core.images.manifest import OCI_MANIFEST, digest_of
from gitops.core.images.name import ImageName
from gitops.core.kustomization.image import ImageValue
from gitops.errors import NotFound, Refused, TimedOut, Unavailable
from images import push_image, push_index, tag_again

NAME = ImageName("registry.example.com", "shop/api")
DEV = Environment("dev", "overlays/dev", accepts=("main",), deploy="auto")
STAGE = Environment("stage", "overlays/stage", accepts=("release/{version}",), deploy="auto")
CREATED = TagRule(
    (TagRow("edge", "main"), TagRow("main-*", "main"), TagRow("r-{version}-*", "release/{version}"))
)
NUMBERS = TagRule((TagRow("main-{number}", "main"),), "version")


def made(hour: int) -> str:
    return f"2026-11-20T{hour:02}:00:00Z"


def wanted(
    rule: TagRule = CREATED, *running: str, live: frozenset[str] | None = None
) -> WantedTags:
    values = tuple(ImageValue(str(NAME), tag) for tag in running)
    return WantedTags("shop/api", NAME, rule, (DEV, STAGE), values, live)


class Shelf:
    """A registry in memory, and looks at it by one process."""

    def __init__(self) -> None:
        self.registry = MemoryRegistry()
        self.clock = FakeClock(datetime(2026, 11, 29, tzinfo=UTC))
        self.memory = TagMemory()

    def push(self, tag: str, hour: int) -> str:
        push = push_index if hour % 2 else push_image
        return push(self.registry, NAME, tag, created=made(hour), salt=f"{tag} {hour}").digest

    def look(self, want: WantedTags | None = None) -> FoundTags:
        self.clock.pause(1)
        self.registry.asked.clear()
        return ask_tags(self.registry, self.clock, want or wanted(), self.memory)

    def newest(self, want: WantedTags | None = None) -> tuple[str | None, str | None]:
        """The newest tags of dev and stage."""
        found = self.look(want).choices
        dev, stage = found["dev"].tag, found["stage"].tag
        return dev.tag if dev else None, stage.tag if stage else None

    def asked(self) -> int:
        """How many requests the last look made, as a real registry would have seen them."""
        return len(self.registry.asked)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_each_environment_has_its_own_newest(shelf: Shelf) -> None:
    """By the branches that it takes; what attests images, and what is about to go, is none."""
    for tag, hour in (("main-a", 1), ("main-b", 3), ("main-c", 2), ("r-1.4-x", 5), ("r-1.5-x", 4)):
        shelf.push(tag, hour)
    gone = shelf.push("main-z", 9)
    shelf.registry.retire(NAME, "main-z", expect=gone)
    shelf.push(f"main-{'a' * 9}", 0)

    assert ("main-b", "r-1.5-x") == shelf.newest()
    assert ("main-b", "r-1.4-x") == shelf.newest(wanted(live=frozenset({"main", "release/1.4"})))


def test_what_is_known_is_not_asked_again(shelf: Shelf) -> None:
    """But for new tags, the newest one, and a hundred of those that were asked longest ago; so a
    tag that moved is seen, at the latest after some looks."""
    for number in range(250):
        shelf.push(f"main-{number:03}", 1 + number % 5)
    shelf.look()
    first = shelf.asked()
    shelf.look()
    assert first > 500
    assert 102 >= shelf.asked()
    moved = shelf.push("main-000", 8)
    found = [shelf.look().choices["dev"].tag for _ in range(4)]
    assert found[-1] is not None
    assert ("main-000", moved) == (found[-1].tag, found[-1].digest)


def test_a_floating_tag_is_asked_each_time(shelf: Shelf) -> None:
    """What is pushed again under one name is seen at the next look."""
    shelf.push("edge", 1)
    shelf.look()
    moved = shelf.push("edge", 2)
    found = shelf.look().choices["dev"].tag
    assert found is not None
    assert moved == found.digest


def test_numbers_need_no_questions(shelf: Shelf) -> None:
    """Of ten thousand tags the newest is found with three requests."""
    pushed = push_image(shelf.registry, NAME, "main-1", created=made(1))
    for number in range(2, 10_001):
        tag_again(shelf.registry, NAME, pushed, f"main-{number}")
    found = shelf.look(wanted(NUMBERS))
    assert found.choices["dev"].tag is not None
    assert ("main-10000", 10_000) == (found.choices["dev"].tag.tag, found.fitting)
    assert 3 >= shelf.asked()


def test_too_much_is_refused_with_the_way_out(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that is too long, and too many images of which each had to be asked."""
    pushed = push_image(shelf.registry, NAME, "main-0", created=made(1))
    for number in range(1, 30):
        tag_again(shelf.registry, NAME, pushed, f"main-{number}")
    monkeypatch.setattr(pushed_tags, "MOST_ASKED", 20)
    with pytest.raises(Refused, match="30 tags of ") as caught:
        shelf.look()
    assert "{number}" in (caught.value.hint or "")
    assert "main-29" == shelf.newest(wanted(NUMBERS))[0]
    monkeypatch.setattr(pushed_tags, "MOST_TAGS", 20)
    with pytest.raises(Refused, match="has more than 20 tags"):
        shelf.look(wanted(NUMBERS))


def test_a_registry_that_does_not_end_is_left(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute is all it gets, for a list that goes on or for answers that take long."""

    def endless(_name: ImageName) -> Iterator[str]:
        for number in range(10_000):
            shelf.clock.pause(0.1)
            yield f"main-{number}"

    monkeypatch.setattr(shelf.registry, "tags", endless)
    with pytest.raises(TimedOut):
        shelf.look(wanted(NUMBERS))


def test_one_broken_image_hides_no_other(shelf: Shelf) -> None:
    """It is passed over; where many cannot be read that is the registry's trouble."""
    for number in range(9):
        shelf.push(f"main-{number}", 1 + number)
    shelf.registry.put_manifest(NAME, "main-8", b"{}", OCI_MANIFEST)
    real = MemoryRegistry._manifest

    def manifest(name: ImageName, reference: str) -> object:
        if reference == "main-8":
            raise Unavailable("it is no manifest")
        return real(shelf.registry, name, reference)

    shelf.registry._manifest = manifest  # type: ignore[method-assign,assignment]
    assert "main-7" == shelf.newest()[0]

    def nothing(_name: ImageName, _reference: str) -> object:
        raise Unavailable("nobody answers")

    shelf.registry._manifest = nothing  # type: ignore[method-assign,assignment]
    shelf.memory = TagMemory()
    with pytest.raises(Unavailable, match="nobody answers"):
        shelf.look()


def test_what_runs_is_asked_for(shelf: Shelf) -> None:
    """Its image by digest, else by tag; one that is gone stays unknown, and is no trouble."""
    digest = shelf.push("by-hand", 3)
    shelf.push("main-1", 1)
    values = (
        ImageValue(str(NAME), "by-hand"),
        ImageValue(str(NAME), None, digest),
        ImageValue(str(NAME), "gone"),
        ImageValue(str(NAME), None, digest_of(b"gone")),
        ImageValue(str(NAME)),
    )
    found = shelf.look(WantedTags("shop/api", NAME, CREATED, (DEV, STAGE), values)).running
    assert [digest, digest, None, digest_of(b"gone"), None] == [
        found[value].digest for value in values
    ]
    assert [True, True, False, False, False] == [bool(found[value].created) for value in values]


def test_no_such_repository(shelf: Shelf) -> None:
    """It is told as it is."""
    with pytest.raises(NotFound):
        shelf.look()
