"""A commit that says it is a rollback: found by value, asked of the rule, and nothing beside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gitops.core.audit.findings import Claim
from gitops.core.audit.rollback_claim import (
    ChangedFile,
    find_restored,
    first_change,
    judge_hold,
    judge_kustomization,
    stray_paths,
)
from gitops.core.git.commit import Identity
from gitops.core.hold import Hold, render_hold
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.release import NO_VERDICTS, Release, Verdicts
from gitops.core.releases.selection import NeedMore

START = datetime(2026, 1, 1, tzinfo=UTC)
K = "overlays/prod/kustomization.yaml"
FILE = b"images:\n  - name: a\n    newTag: v2\n"


def release(number: int, **tags: str) -> Release:
    """A release that pins tags; the number is its age."""
    return Release(
        commit=f"{number}" * 40,
        time=START - timedelta(days=number),
        author=Identity("Ana", "a@e.com"),
        subject=f"release {number}",
        action="deploy",
        images={image: ImageValue(tag=tag) for image, tag in tags.items()},
    )


STORY = (release(1, a="v3", b="v1"), release(2, a="v2", b="v1"), release(3, a="v1", b="v1"))
NOW = {"a": ImageValue(tag="v3"), "b": ImageValue(tag="v1")}


def judged(
    claim: Claim, *, a: str = "v2", verdicts: Verdicts = NO_VERDICTS, complete: bool = True
) -> tuple[str | None, tuple[str, ...]]:
    """Return what a rollback of a to a tag restores, and what is wrong with that."""
    after = {**NOW, "a": ImageValue(tag=a)}
    found, reasons = find_restored(claim, NOW, after, STORY, verdicts, complete=complete)
    return found.commit[:1] if found is not None else None, reasons


def claim(number: int | None = 2, *overrides: str) -> Claim:
    """A claim to restore a release."""
    return Claim(("prod",), f"{number}" * 40 if number is not None else None, overrides)


def test_named_release() -> None:
    """The release that it names, when the values are its own."""
    assert ("2", ()) == judged(claim(2))
    assert ("3", ()) == judged(claim(3), a="v1")


def test_release_found_by_value() -> None:
    """One that it does not name is found by the values that it puts back."""
    assert ("2", ()) == judged(claim(None))
    assert (None, ("no earlier release has a v9",)) == judged(claim(None), a="v9")


@pytest.mark.parametrize(
    ("said", "tag", "words"),
    [
        (claim(2), "v1", "does not have a v1"),
        (claim(9), "v2", "is no earlier release"),
        (claim(2), "v3", "it restores nothing"),
    ],
)
def test_what_is_none(said: Claim, tag: str, words: str) -> None:
    """Other values, an unknown release, and no change at all are no rollback."""
    assert words in judged(said, a=tag)[1][0]


@pytest.mark.parametrize("word", ["degraded", "qa-failed"])
def test_release_judged_bad(word: str) -> None:
    """What somebody judged bad is no way back; an override is told, and does not count."""
    bad = {"2" * 40: word}
    verdicts = Verdicts(health=bad) if word == "degraded" else Verdicts(quality=bad)  # type: ignore[arg-type]
    reasons = judged(claim(2, "INC-1"), verdicts=verdicts)[1]

    assert f"is {word}" in reasons[0]
    assert "it says of an override: INC-1" == reasons[1]


def test_more_history_is_asked_for() -> None:
    """A release that was not found yet may be an older one."""
    with pytest.raises(NeedMore):
        judged(claim(None), a="v0", complete=False)


def test_stray_paths() -> None:
    """Everything but the overlay's file and its hold is too much."""
    found = stray_paths("prod", [K, "h", "base/x"], [K, "h"])

    assert ["base/x"] == [one.path for one in found]


@pytest.mark.parametrize(
    ("before", "after", "mode", "words"),
    [
        (FILE, FILE.replace(b"v2", b"v1"), False, None),
        (FILE, FILE.replace(b"v2", b"v1"), True, "changes the mode"),
        (FILE, b"x: y\n" + FILE, False, "changes more than image values: x: y"),
        (FILE, FILE + b"  - name: b\n    newTag: v1\n", False, "adds the image b"),
        (FILE, b"images: []\n", False, "changes more than image values"),
        (FILE, None, False, "takes away the kustomization"),
        (None, FILE, False, "makes the kustomization"),
        (FILE, b"images: [\n", False, "nobody can tell what it changes"),
        (b"images: &x [{name: a, newTag: v1}]\ny: *x\n", FILE, False, "nobody can tell"),
    ],
)
def test_kustomization(
    before: bytes | None, after: bytes | None, mode: bool, words: str | None
) -> None:
    """Image values alone may change, to the byte."""
    found = judge_kustomization(ChangedFile(K, before, after, mode))

    assert (words is None) == (not found)
    assert words is None or words in found[0].message


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (render_hold(Hold("Ana", START, "x", restores="2" * 40)), False, None),
        (render_hold(Hold("Ana", START, "x")), False, None),
        (
            render_hold(Hold("Ana", START, "x", restores="3" * 40)),
            False,
            "333333333333 is restored",
        ),
        (render_hold(Hold("Ana", START, "x")), True, "changes the mode"),
        (b"[", False, "cannot be read"),
        (None, False, "lifts the hold of prod"),
    ],
)
def test_hold(content: bytes | None, mode: bool, words: str | None) -> None:
    """The hold is one, and tells of the release that is restored."""
    found = judge_hold(ChangedFile("h", None, content, mode), "prod", STORY[1])

    assert (words is None) == (not found)
    assert words is None or words in found[0].message


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b"a\nb\n", b"a\nc\n", (2, "c")),
        (b"a\n", b"a\nb\n", (2, "b")),
        (b"a\nb\n", b"a\n", (1, "")),
        (b"", b"", (1, "")),
    ],
)
def test_first_change(before: bytes, after: bytes, expected: tuple[int, str]) -> None:
    """The first line that is another one now, from 1."""
    assert expected == first_change(before, after)
