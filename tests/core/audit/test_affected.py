"""Which changed paths belong to an environment: files, folders, and what hides behind names."""

from __future__ import annotations

import pytest

from gitops.core.audit.affected import AffectedPath, Belongings


def belongings() -> Belongings:
    """What belongs to prod: one folder, a file, and a file that is not there."""
    found = Belongings()
    found.add_folder("overlays/prod", "it is in the overlay")
    found.add("base/api.yaml", "it is built from it")
    found.add("base/Kustomization", "it is looked for")
    return found


@pytest.mark.parametrize(
    "path",
    [
        *("overlays/prod/a/b.yaml", "overlays/prod", "base/api.yaml", "base/Kustomization"),
        *("base", "overlays"),  # a folder that becomes a file or a link
        *("Base/API.yaml", "overlays/PROD/x"),  # where case does not count
        "BASE",
    ],
)
def test_what_belongs(path: str) -> None:
    """A change of it, above it or inside it touches."""
    assert [path] == [touch.path for touch in belongings().touched([path])]


@pytest.mark.parametrize(
    "path", ["overlays/production/x", "base/api.yaml.bak", "base/web.yaml", "bases", "x/base"]
)
def test_what_does_not(path: str) -> None:
    """A name that only looks alike does not."""
    assert () == belongings().touched([path])


@pytest.mark.parametrize(
    "path", [".gitattributes", "base/.gitattributes", "overlays/.gitattributes"]
)
def test_how_files_are_checked_out(path: str) -> None:
    """What says how files of it are checked out can change them without touching them."""
    assert "is checked out" in belongings().touched([path])[0].reason
    assert () == belongings().touched(["docs/.gitattributes"])


def test_composed_letters() -> None:
    """A name whose letters are only composed in another way is the same to some file systems."""
    found = Belongings()
    found.add("caf\u00e9.yaml", "it is built from it")

    assert "where case does not count" in found.touched(["cafe\u0301.yaml"])[0].reason


def test_reasons() -> None:
    """The first reason that was noted is told, and what is above says what lies below."""
    found = belongings()
    found.add("base/api.yaml", "another")

    assert (AffectedPath("base/api.yaml", "it is built from it"),) == found.touched(
        ["base/api.yaml"]
    )
    assert "base/api.yaml lies below it" in found.touched(["base"])[0].reason


def test_root_folder() -> None:
    """A folder may be the root: then all belongs to it."""
    found = Belongings()
    found.add_folder("", "charts lie everywhere")

    assert ["a/b", "c"] == [touch.path for touch in found.touched(["c", "a/b"])]


def test_what_is_added_later_counts() -> None:
    """Looking does not freeze what belongs to it."""
    found = belongings()
    assert () == found.touched(["new"])

    found.add("new", "now it does")

    assert ("new",) == tuple(touch.path for touch in found.touched(["new"]))
