"""`--bad`: what became of a release, and `undo`: the newest rollback and what it stands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.bad_release import find_bad
from gitops.core.releases.lookup import read_until_sure
from gitops.core.releases.release import Release
from gitops.core.releases.selection import NeedMore
from gitops.core.releases.undo import choose_undo
from gitops.errors import NotFound, Refused
from stories import MOVES, Played, Story, commit_id, one, two

BAD: dict[str, tuple[Callable[[], Story], str, str]] = {
    "the newest release runs": (lambda: one("1", "2"), "r2", "runs"),
    "a rollback took it back": (lambda: one("1", "2").rollback("x"), "r2", "taken by x"),
    "the second of two rollbacks went over it, too": (
        lambda: one("1", "2", "3").rollback("x").rollback("y"),
        "r3",
        "taken by y",
    ),
    "what the first rollback restored was taken by the second": (
        lambda: one("1", "2", "3").rollback("x").rollback("y"),
        "r2",
        "taken by y",
    ),
    "the first rollback itself was taken back by the second": (
        lambda: one("1", "2", "3").rollback("x").rollback("y"),
        "x",
        "taken by y",
    ),
    "something newer was deployed": (lambda: one("1", "2", "3"), "r2", "newer r3"),
    "taken back, then something newer": (
        lambda: one("1", "2").rollback("x").deploy("r3", api="3"),
        "r2",
        "taken by x",
    ),
    "a rollback led back to it": (lambda: one("1", "2", "3").rollback("x"), "r2", "runs"),
    "a rollback to a rollback led back to it": (
        lambda: one("1", "2", "3").rollback("x").deploy("r4", api="4").rollback("y"),
        "r2",
        "runs",
    ),
    "a rollback over it": (lambda: one("1", "2", "3").rollback("x", to="1"), "r2", "taken by x"),
    "the same images were deployed again: a release of its own": (
        lambda: one("1", "2").rollback("x").hand("bot", api="2"),
        "r2",
        "taken by x",
    ),
    "that release of its own runs": (
        lambda: one("1", "2").rollback("x").hand("bot", api="2"),
        "bot",
        "runs",
    ),
    "a person took it by override after all": (
        lambda: one("1", "2").rollback("x").rollback("y", to="2", override="the network"),
        "r2",
        "runs",
    ),
    "put back by hand": (lambda: one("1", "2").hand("h", api="1"), "r2", "taken by h"),
    "the rollback was undone": (lambda: one("1", "2").rollback("x").undo("u"), "r2", "runs"),
    "a rollback that was undone": (
        lambda: one("1", "2").rollback("x").undo("u"),
        "x",
        "taken by u",
    ),
    "the undo of a rollback": (lambda: one("1", "2").rollback("x").undo("u"), "u", "runs"),
    "another image was deployed on top": (two, "r2", "newer r3"),
    "older than what a rollback restored": (
        lambda: one("1", "2", "3").rollback("x"),
        "r1",
        "newer x",
    ),
}


def told(story: Story, word: str, *only: str) -> str:
    """What became of the release, in words; read in parts, as the verb does."""

    def ask(read: Any, complete: bool) -> Any:
        chosen = frozenset(only) or None
        return find_bad(read, story.images, word, only=chosen, complete=complete)

    found = read_until_sure(story.releases, ask)
    if found.taken_by is not None:
        return f"taken by {found.taken_by.subject}"
    return f"newer {found.newer.subject}" if found.newer is not None else "runs"


@pytest.mark.parametrize("name", BAD)
def test_what_became_of_a_release(name: str) -> None:
    """It runs, it was taken back by a commit that is named, or something newer runs."""
    make, bad, expected = BAD[name]

    assert expected == told(make(), commit_id(bad))


def test_a_bad_tag_is_the_newest_release_that_has_it() -> None:
    """A tag names the release that runs, though an older one has it on another image."""
    story = Story().deploy("r1", api="1", web="2").deploy("r2", api="1", web="1")
    story.deploy("r3", api="2")

    assert told(story, "2") == "runs"


def test_of_one_image_the_release_of_that_image_counts() -> None:
    """With `--image` a newer release of another image is not newer."""
    assert told(two(), commit_id("r2"), "api") == "runs"


def test_an_unknown_release_is_not_found() -> None:
    """A word that names nothing is an error, not an answer."""
    with pytest.raises(NotFound):
        told(one("1", "2"), "9.9")


def undo(story: Story, **options: Any) -> Any:
    """What an undo would do; read in parts, as the verb does."""
    return read_until_sure(
        story.releases, lambda read, complete: choose_undo(read, complete=complete, **options)
    )


def test_an_undo_puts_back_what_the_rollback_replaced() -> None:
    """The values of then, of the images that the rollback changed and no others."""
    story = two().rollback("x", "web")

    found = undo(story)

    assert [("web", "2")] == [(one.image, one.tag) for one in found.requests]
    assert (found.rollback.subject, found.before.subject) == ("x", "r3")


def test_what_landed_since_is_named_and_stays() -> None:
    """Nothing is undone under a release that came on top; it is named."""
    story = one("1", "2").rollback("x").deploy("r3", api="3")

    with pytest.raises(Refused, match=r"r3.* landed since .*x"):
        undo(story)


def test_an_added_image_landed_since_as_well() -> None:
    """An entry that came since is a release, too."""
    with pytest.raises(Refused, match="add"):
        undo(one("1", "2").rollback("x").deploy("add", web="1"))


@pytest.mark.parametrize(
    "story", [one("1", "2"), one("1"), Story(), one("1", "2").hand("h", api="1")]
)
def test_without_a_rollback_there_is_nothing_to_undo(story: Story) -> None:
    """Refused: deploys and commits by hand are not undone."""
    with pytest.raises(Refused, match="no rollback to undo"):
        undo(story)


def test_undone_twice_is_nothing_to_do() -> None:
    """The second of two clicks is told who undid it."""
    found = undo(one("1", "2").rollback("x").undo("u"))

    assert found.rollback is None
    assert [release.subject for release in found.undone] == ["x", "u"]


def test_a_named_rollback_is_undone_once() -> None:
    """With the rollback named, a second click does not take back the one before it."""
    story = one("1", "2", "3").rollback("x").rollback("y").undo("u")

    assert undo(story, rollback=commit_id("y")).rollback is None
    assert undo(story).rollback.subject == "x"
    with pytest.raises(Refused, match="the newest rollback is"):
        undo(story, rollback=commit_id("r1"))


def test_an_override_is_undone_as_well() -> None:
    """`rollback --to --override` is a rollback that somebody typed, so undo takes it back."""
    story = one("1", "2").rollback("x").rollback("y", to="2", override="no")

    assert undo(story).rollback.subject == "y"


def test_a_rewritten_rollback_is_undone_by_its_images() -> None:
    """The commit that an undo names may be gone; that it restores what was before is enough."""
    story = one("1", "2", "3").rollback("x").pin("u", "undo", {"api": ImageValue(tag="3")})

    assert story.choose().release is not None
    assert undo(story).rollback is None


Ask = Callable[[Sequence[Release], bool], Any]


def in_parts(story: Story, ask: Ask) -> Any:
    """The first answer that is given when history is read one release at a time."""
    for depth in range(len(story.releases) + 1):
        try:
            return said(ask, story.releases[:depth], depth == len(story.releases))
        except NeedMore:
            continue
    raise AssertionError("the whole history was read")


def said(ask: Ask, read: Sequence[Release], complete: bool) -> Any:
    """The answer, or the name of the error."""
    try:
        return ask(read, complete)
    except (Refused, NotFound) as error:
        return type(error)


@given(MOVES, st.integers(0, 30), st.sampled_from([(), ("api",), ("web",)]))
def test_what_became_of_a_release_needs_no_more_history(
    moves: list[tuple[str, str, int]], which: int, only: tuple[str, ...]
) -> None:
    """In any history, the first answer that is given is the answer of the whole of it."""
    story = Played(moves).story
    if any(image not in story.images for image in only) or not story.images:
        return
    word = story.releases[which % len(story.releases)].commit

    def ask(read: Sequence[Release], complete: bool) -> Any:
        chosen = frozenset(only) or None
        return find_bad(read, story.images, word, only=chosen, complete=complete)

    assert said(ask, story.releases, True) == in_parts(story, ask)


@given(MOVES)
def test_an_undo_needs_no_more_history(moves: list[tuple[str, str, int]]) -> None:
    """In any history, too; and history reads then as if the rollback had not been."""
    story = Played(moves).story

    def ask(read: Sequence[Release], complete: bool) -> Any:
        return choose_undo(read, complete=complete)

    assert said(ask, story.releases, True) == in_parts(story, ask)


@given(MOVES)
def test_after_an_undo_it_is_as_if_the_rollback_had_not_been(
    moves: list[tuple[str, str, int]],
) -> None:
    """Whatever came before: the next rollback is the one that it would have been without both."""
    story = Played(moves).story
    if story.releases[0].images is None:
        return
    try:
        plain = story.choose()
        story.rollback("by mistake")
    except Refused:
        return
    story.undo("undo")

    again = story.choose()

    assert (plain.release, plain.requests) == (again.release, again.requests)
