"""Releases among the commits of an overlay, and which values count as released."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.git.message import ChangeLine, CommitMessage
from gitops.core.hold import Hold
from gitops.core.kustomization.image import ImageChange, ImageValue
from gitops.core.releases.history import OverlayVersion, releases
from gitops.core.releases.lookup import was_released
from gitops.core.releases.release import Release

ANA = Identity("Ana", "ana@example.com")
TIME = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BROKEN = "images: [\n"
SHA = "0123456789abcdef0123456789abcdef01234567"
Item = TypeVar("Item")


def content(**tags: str) -> str:
    """A kustomization with these images."""
    entries = "".join(f"  - name: {image}\n    newTag: {tag!r}\n" for image, tag in tags.items())
    return f"resources: [../base]\nimages:\n{entries}" if tags else "resources: [../base]\n"


def version(
    name: str,
    text: str | None,
    *,
    message: str = "by hand\n",
    merged: tuple[str, ...] = (),
    complete: bool = True,
) -> OverlayVersion:
    """The overlay right after commit `name`."""
    info = CommitInfo(name, ("parent",), ANA, TIME, message, merged)
    file = None if text is None else "kustomization.yaml"
    return OverlayVersion(info, file, None if text is None else text.encode(), complete)


def told(action: str = "deploy", label: str = "prod", **more: Any) -> str:
    """The message of a commit by gitops."""
    change = ImageChange("api", ImageValue(tag="1"), ImageValue(tag="2"))
    plain = {"action": action, "environments": [label], "changes": [ChangeLine(label, change)]}
    return CommitMessage(**(plain | {"intent": "id"} | more)).render()


def counted(items: Iterable[Item], seen: list[Item]) -> Iterator[Item]:
    """Yield `items`, noting each in `seen` as it is asked for."""
    for item in items:
        seen.append(item)
        yield item


HISTORIES: dict[str, tuple[list[OverlayVersion], list[str]]] = {
    "the first version is a release": ([version("a", content(api="1"))], ["a"]),
    "a value changed": (
        [version("b", content(api="2")), version("a", content(api="1"))],
        ["b", "a"],
    ),
    "nothing but a comment changed": (
        [version("b", "# words\n" + content(api="1")), version("a", content(api="1"))],
        ["a"],
    ),
    "another file of the overlay changed": (
        [version("b", content(api="1")), version("a", content(api="1"))],
        ["a"],
    ),
    "the order of the entries changed": (
        [version("b", content(web="1", api="1")), version("a", content(api="1", web="1"))],
        ["a"],
    ),
    "an entry came": (
        [version("b", content(api="1", web="1")), version("a", content(api="1"))],
        ["b", "a"],
    ),
    "an entry went": (
        [version("b", content(api="1")), version("a", content(api="1", web="1"))],
        ["b", "a"],
    ),
    "where the history was cut there is no release": (
        [version("b", content(api="2")), version("a", content(api="1"), complete=False)],
        ["b"],
    ),
    "the folder was there before its kustomization": (
        [version("b", content(api="1")), version("a", None)],
        ["b"],
    ),
    "the overlay was deleted and came back": (
        [
            version("c", content(api="1")),
            version("b", None),
            version("a", content(api="1")),
        ],
        ["c", "b", "a"],
    ),
    "the overlay broke and was mended": (
        [version("c", content(api="1")), version("b", BROKEN), version("a", content(api="1"))],
        ["c", "b", "a"],
    ),
    "the overlay broke, and broke in another way": (
        [version("c", BROKEN + "#"), version("b", BROKEN), version("a", content(api="1"))],
        ["c", "b", "a"],
    ),
    "another file changed while the overlay was broken": (
        [version("c", BROKEN), version("b", BROKEN), version("a", content(api="1"))],
        ["b", "a"],
    ),
    "no version at all": ([], []),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_which_commits_are_releases(name: str) -> None:
    """A commit is a release when it changed the images of the overlay."""
    versions, expected = HISTORIES[name]

    assert expected == [release.commit for release in releases(versions)]


def test_a_release_in_full() -> None:
    """A release carries its commit, its images, and what its trailers say."""
    message = told("rollback", restores="a" * 40, rolled_back="b" * 40, source=("release/1.4", SHA))

    (actual,) = releases([version("x", content(api="1"), message=message)])

    expected = Release(
        commit="x",
        time=TIME,
        author=ANA,
        subject="prod: roll back api 1 -> 2",
        action="rollback",
        images={"api": ImageValue(tag="1")},
        restores="a" * 40,
        rolled_back="b" * 40,
        source=f"release/1.4@sha1:{SHA}",
        intent="id",
        labels=("prod",),
    )
    assert expected == actual


def test_a_commit_by_hand_has_no_action() -> None:
    """Without trailers nothing is known but what Git knows."""
    (release,) = releases([version("x", content(api="1"))])

    assert (release.action, release.restores, release.source) == (None, None, None)


def test_only_a_rollback_restores() -> None:
    """What another action says of restoring is not believed."""
    made = version("x", content(api="1"), message=told("deploy", restores="a" * 40))

    (release,) = releases([made])

    assert (release.action, release.restores) == ("deploy", None)


def test_an_overlay_that_does_not_parse_has_no_images() -> None:
    """It is still listed, since its commit changed what the cluster gets."""
    (release,) = releases([version("x", BROKEN)])

    assert release.images is None


ROLLBACK = told("rollback", restores="a" * 40, rolled_back="b" * 40)
MERGES: dict[str, tuple[str, tuple[str, ...], str | None]] = {
    "trailers of a merged commit": ("Merge gitops/prod\n", (ROLLBACK,), "rollback"),
    "of several, the newest that has any": (
        "Merge\n",
        ("fix a comment\n", ROLLBACK, told("deploy")),
        "rollback",
    ),
    "the merge's own come first": (told("promote"), (ROLLBACK,), "promote"),
    "those about another environment do not count": (
        "Merge\n",
        (told("rollback", "dev"), told("deploy")),
        "deploy",
    ),
    "nothing but another environment's": ("Merge\n", (told("rollback", "dev"),), None),
    "the commit's own about another environment": (told("rollback", "dev"), (), None),
}


@pytest.mark.parametrize("name", MERGES)
def test_trailers_of_merges(name: str) -> None:
    """For a merge the messages of the merged commits are read too."""
    message, merged, expected = MERGES[name]
    made = version("x", content(api="1"), message=message, merged=merged)

    (release,) = releases([made], environment="prod")

    assert expected == release.action
    assert ("a" * 40 if expected == "rollback" else None) == release.restores


def test_a_squash_merge_is_told_by_the_hold() -> None:
    """The hold that a commit wrote says what its message lost."""
    hold = Hold("Ana", TIME, "why", "a" * 40, "a" * 40, "b" * 40)

    (release,) = releases([version("x", content(api="1"))], holds={"x": hold})

    assert (
        release.action,
        release.restores,
        release.rolled_back,
    ) == ("rollback", "a" * 40, "b" * 40)


def test_a_plain_hold_tells_nothing() -> None:
    """A hold without `restores` is no rollback, and trailers weigh more than any hold."""
    plain = Hold("Ana", TIME, "why")
    (by_hand,) = releases([version("x", content(api="1"))], holds={"x": plain})
    after = Hold("Ana", TIME, "why", restores="a" * 40)
    deployed = version("x", content(api="1"), message=told("deploy"))
    (by_gitops,) = releases([deployed], holds={"x": after})

    assert (by_hand.action, by_gitops.action) == (None, "deploy")


def test_history_is_read_only_as_far_as_needed() -> None:
    """One version ahead, no more: the rest may be far away."""
    seen: list[OverlayVersion] = []
    stream = releases(counted((version(f"c{n}", content(api=str(n))) for n in range(100)), seen))

    next(stream)

    assert len(seen) == 2


def long_story(*steps: tuple[str, str, str | None]) -> list[Release]:
    """Releases of image api: (commit, tag, action), oldest first as told, newest first as given."""
    return [
        Release(commit, TIME, ANA, commit, action, {"api": ImageValue(tag=tag)})
        for commit, tag, action in reversed(steps)
    ]


D, R, HAND = "deploy", "rollback", None
RELEASED: dict[str, tuple[list[Release], str, bool]] = {
    "it runs": (long_story(("a", "1", D), ("b", "2", D)), "2", True),
    "it ran": (long_story(("a", "1", D), ("b", "2", D)), "1", True),
    "it never ran": (long_story(("a", "1", D)), "9", False),
    "no release at all": ([], "1", False),
    "a rollback took it away": (
        long_story(("a", "1", D), ("b", "2", D), ("c", "1", R)),
        "2",
        False,
    ),
    "a rollback brought it back": (
        long_story(("a", "1", D), ("b", "2", D), ("c", "1", R), ("d", "3", D)),
        "1",
        True,
    ),
    "taken away, deployed again on purpose, and left for another": (
        long_story(("a", "1", D), ("b", "2", D), ("c", "1", R), ("d", "2", D), ("e", "3", D)),
        "2",
        True,
    ),
    "taken away, deployed again, taken away again": (
        long_story(("a", "1", D), ("b", "2", D), ("c", "1", R), ("d", "2", D), ("e", "1", R)),
        "2",
        False,
    ),
    "reverted by hand": (
        long_story(("a", "1", D), ("b", "2", D), ("c", "1", HAND), ("d", "3", D)),
        "2",
        False,
    ),
    "replaced by hand with something new": (
        long_story(("a", "1", D), ("b", "2", HAND), ("c", "3", HAND)),
        "2",
        True,
    ),
    "taken away, but it runs": (
        long_story(("a", "1", D), ("b", "2", D), ("c", "1", R), ("d", "2", R)),
        "2",
        True,
    ),
    "an older deploy puts an old value back on purpose": (
        long_story(("a", "1", D), ("b", "2", D), ("c", "1", D), ("d", "3", D)),
        "2",
        True,
    ),
}


@pytest.mark.parametrize("name", RELEASED)
def test_what_counts_as_released(name: str) -> None:
    """Is or was a release, and no rollback left it behind."""
    story, tag, expected = RELEASED[name]

    assert expected == was_released(story, "api", ImageValue(tag=tag))


@pytest.mark.parametrize("value", [ImageValue(tag="1", digest="sha256:" + 64 * "a"), ImageValue()])
def test_name_tag_and_digest_must_be_the_same(value: ImageValue) -> None:
    """The same tag with another digest is another value."""
    assert not was_released(long_story(("a", "1", D)), "api", value)


def test_a_recent_value_needs_little_history() -> None:
    """A value that was deployed lately is found without reading everything."""
    seen: list[Release] = []
    story = long_story(*((f"c{n}", str(n), D) for n in range(1000)))

    assert was_released(counted(story, seen), "api", ImageValue(tag="990"))
    assert len(seen) == 16


def test_an_old_revert_by_hand_is_still_seen() -> None:
    """Whether a commit by hand put back an old release may take the whole history to tell."""
    steps = [("a", "old", D), *((f"c{n}", str(n), D) for n in range(50)), ("h", "old", HAND)]
    story = long_story(*steps, ("z", "new", D))

    assert not was_released(story, "api", ImageValue(tag="49"))


PROVED = f"api git.example.com/shop/api@{SHA} (annotation, signed)"
OLDER = f"api git.example.com/shop/api@{'9' * 40} (label)"


@pytest.mark.parametrize(
    ("message", "merged", "wanted"),
    [
        (told(proofs=[PROVED]), (), [PROVED]),
        # A merge has it of what it merged, the newest of these alone.
        ("Merge gitops/prod\n", (told(proofs=[PROVED]), told(proofs=[OLDER])), [PROVED]),
        ("Merge gitops/prod\n", (told(), told(proofs=[OLDER])), []),
        # What was proved at the approval goes before what the proposal says.
        (told(proofs=[PROVED]), (told(proofs=[OLDER]),), [PROVED]),
        (told(), (told(proofs=[PROVED]),), [PROVED]),
        # Of another overlay, of an image that is not there, and what is no proof.
        (told(label="dev", proofs=[PROVED]), (), []),
        (told(proofs=["web" + PROVED, "api", "api x@y (label)", PROVED + " x"]), (), []),
    ],
)
def test_proofs(message: str, merged: tuple[str, ...], wanted: list[str]) -> None:
    """What images proved is read where a commit, or the newest that it merged, records it."""
    made = version("x", content(api="1"), message=message, merged=merged)
    (found,) = releases([made], environment="prod")
    assert wanted == [str(proof) for proof in found.proofs]
