"""Breaking changes of a database's schema on the way back, and what a promotion carries of them."""

from __future__ import annotations

import pytest

from gitops.core.git.commit import CommitInfo
from gitops.core.git.message import CommitMessage, trailers
from gitops.core.git.schema import read_schema, schema_of, worst
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.crossed import carried_schema, crossed
from gitops.core.releases.history import OverlayVersion, releases
from gitops.core.releases.release import Release
from stories import ANA, START, commit_id

API = "shop/api"


def value(tag: str) -> ImageValue:
    return ImageValue(None, tag, None)


def past(*told: str) -> list[Release]:
    """Releases, newest first, of words `API WEB [SCHEMA]`, oldest first."""
    found = []
    for index, text in enumerate(told):
        api, web, *schema = text.split()
        images = {API: value(api), "shop/web": value(web)}
        if web == "-":
            del images["shop/web"]
        said = read_schema(schema[0]) if schema else None
        found.append(
            Release(commit_id(f"r{index}"), START, ANA, f"r{index}", "deploy", images, schema=said)
        )
    return found[::-1]


def names(found: tuple[Release, ...]) -> list[str]:
    return [one.subject for one in found]


def test_between() -> None:
    """Breaking releases newer than the restored one count, the restored one itself does not."""
    story = past("1 a", "2 a breaking", "3 a compatible", "4 a breaking", "5 a")

    assert ["r3", "r1"] == names(crossed(story, story[-1], [API]))
    assert ["r3"] == names(crossed(story, story[-2], [API]))
    assert [] == names(crossed(story, story[1], [API]))


def test_of_other_images() -> None:
    """A breaking release that changed none of the images that go back is not crossed."""
    story = past("1 a", "1 b breaking", "2 b")

    assert [] == names(crossed(story, story[-1], [API]))
    assert ["r1"] == names(crossed(story, story[-1], ["shop/web"]))


def test_rolled_back_before() -> None:
    """Migrations only go forward: what was rolled back still lies on the way further back."""
    story = past("0 a", "1 a", "2 a breaking", "1 a")

    assert ["r2"] == names(crossed(story, story[-1], [API]))


def test_what_cannot_be_told_counts() -> None:
    """A release that cannot be read, or the last that is known, may be what broke it."""
    story = past("1 a", "2 a breaking")
    unread = Release(commit_id("x"), START, ANA, "x", None, None)

    assert ["r1"] == names(crossed([story[0], unread, story[1]], story[1], [API]))
    assert ["r1"] == names(crossed(story[:1], story[1], [API]))


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("1", "4", "breaking"),  # 2 was breaking, on the way
        ("2", "4", "compatible"),
        ("3", "4", "compatible"),
        ("1", "2", "breaking"),
        ("9", "4", "compatible"),  # the source never had 9: only what put 4 there is known
        ("1", "9", None),
    ],
)
def test_carried(before: str, after: str, wanted: str | None) -> None:
    """A promotion carries the worst of all releases between what the target has and what it gets;
    a release that touched another image only says nothing of this one."""
    story = past("1 a", "2 a breaking", "3 a none", "3 b breaking", "4 b compatible")

    assert wanted == carried_schema(story, {API: value(before)}, {API: value(after)})


def test_words() -> None:
    """Three words, whatever their case; nothing else is one, and the worst of several counts."""
    assert ["none", "compatible", "breaking"] == [
        read_schema(one) for one in ("none", " Compatible", "BREAKING")
    ]
    assert [None] * 3 == [read_schema(one) for one in ("", None, "major")]
    assert "breaking" == worst(["none", "breaking", None, "compatible"])
    assert worst([None]) is None


def test_trailers() -> None:
    """One word for all overlays, or one for each; only those of this overlay count."""
    message = CommitMessage(
        action="promote",
        environments=["a/dev", "b/dev"],
        changes=(),
        intent="x",
        schema={"a/dev": "breaking", "b/dev": "none"},
    ).render()
    found = trailers(message)

    assert ("a/dev breaking", "b/dev none") == found["Gitops-Schema"]
    assert ["breaking", "none", None, "breaking"] == [
        schema_of(found, labels) for labels in (("a/dev",), ("b/dev",), ("c",), None)
    ]
    assert "compatible" == schema_of({"Gitops-Schema": ("compatible", "x", "none")}, ("dev",))


def test_of_a_merge() -> None:
    """What a merged commit says counts as well: an approved proposal, a squash of several."""
    word = "Gitops-Action: deploy\nGitops-Environment: dev\nGitops-Schema: breaking\n"
    plain = "Gitops-Action: deploy\nGitops-Environment: dev\n"
    images = b"images: [{name: shop/api, newTag: '1'}]\n"
    info = CommitInfo(
        commit=commit_id("m"),
        parents=(),
        author=ANA,
        time=START,
        message=f"x\n\n{plain}",
        merged=(f"y\n\n{plain}", f"z\n\n{word}"),
    )
    version = OverlayVersion(info, "kustomization.yaml", images)

    assert ["breaking"] == [one.schema for one in releases([version], environment="dev")]
    assert [None] == [one.schema for one in releases([version], environment="test")]
