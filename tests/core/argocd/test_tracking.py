"""Which Applications follow an overlay of this repository."""

from __future__ import annotations

from typing import Any

import pytest

from applications import URL, an_application
from gitops.core.argocd.application import Application, read_application
from gitops.core.argocd.tracking import (
    TrackedPath,
    asks_for_default,
    find_feeds,
    is_same_repository,
)
from gitops.core.kustomization.graph import walk
from tree_files import DictFiles

DEV = TrackedPath((URL,), "main", True, "overlays/dev")


def app(**more: Any) -> Application:
    """Return one Application."""
    return read_application(an_application(**more), "test")


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/shop/manifests.git",
        "https://git.example.com/shop/manifests",
        "https://git.example.com/shop/manifests/",
        "https://Git.Example.com/Shop/Manifests.git",
        "https://bot:secret@git.example.com/shop/manifests.git",
        "http://git.example.com:3000/shop/manifests",
        "ssh://git@git.example.com:2222/shop/manifests.git",
        "git@git.example.com:shop/manifests.git",
        "  git.example.com:shop/manifests ",
        "ssh://git@ssh.git.example.com:443/shop/manifests.git",
    ],
)
def test_spellings_of_one_repository(url: str) -> None:
    """User, scheme, port of another scheme, `.git`, slashes and case make no difference."""
    assert is_same_repository(url, [URL])
    assert [1] == [1 for _ in find_feeds([app(url=url)], DEV).feeds]


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/shop/other.git",
        "https://git.example.com/shop/manifests/deeper",
        "https://git.example.org/shop/manifests.git",
        "https://git.example.com:8443/shop/manifests.git",
        "",
        "not a repository",
        "oci://git.example.com/shop/manifests",
    ],
)
def test_other_repositories(url: str) -> None:
    """Another path, another host, another port of the same scheme are other repositories."""
    assert not is_same_repository(url, [URL])
    assert () == find_feeds([app(url=url)], DEV).feeds


def test_paths_on_disk() -> None:
    """A bare repository on disk is found by its path and by its file URL."""
    assert is_same_repository("file:///srv/git/m.git", ["/srv/git/m.git"])
    assert not is_same_repository("file:///srv/git/other.git", ["/srv/git/m.git"])
    assert is_same_repository("file:///srv/git/m.git", ["/srv/git/m"])


def test_other_names_of_the_repository() -> None:
    """What the caller says that Argo CD calls it is found, too."""
    place = TrackedPath((URL, "http://gitea.gitea.svc:3000/shop/m"), "main", True, "overlays/dev")

    assert find_feeds([app(url="http://gitea.gitea.svc:3000/shop/m.git")], place).feeds


@pytest.mark.parametrize(
    ("target", "default", "follows"),
    [
        ("main", None, True),
        ("refs/heads/main", None, True),
        ("HEAD", True, True),
        ("", True, True),
        ("HEAD", False, False),
        ("HEAD", None, False),
        ("release", True, False),
        ("v1.0", True, False),
        ("a" * 40, True, False),
        ("1.*", True, False),
    ],
)
def test_branches(target: str, default: bool | None, follows: bool) -> None:
    """HEAD and nothing are the default branch; commits, tags and ranges are pinned."""
    place = TrackedPath((URL,), "main", default, "overlays/dev")
    found = find_feeds([app(target=target)], place)

    assert follows == bool(found.feeds)
    assert follows != bool(found.pinned)


def test_pinned_is_told() -> None:
    """What follows something else than the branch is named, so that people see why it stays."""
    found = find_feeds([app(target="v1.0")], DEV)

    assert ("shop-dev follows v1.0, not main",) == found.pinned


def test_whether_the_default_branch_matters() -> None:
    """It is asked for only when some source of this repository follows HEAD."""
    assert asks_for_default([app(target="HEAD")], DEV)
    assert not asks_for_default([app(target="HEAD", url="https://x.example.com/y")], DEV)
    assert not asks_for_default([app()], DEV)


@pytest.mark.parametrize("path", ["overlays/dev", "./overlays/dev/", "overlays//dev"])
def test_paths(path: str) -> None:
    """A path is found however it is written."""
    assert find_feeds([app(path=path)], DEV).feeds


def test_several_sources() -> None:
    """Each source is looked at, and the index of the one that matched is kept; the last wins."""
    sources = [
        {"repoURL": URL, "targetRevision": "main", "ref": "values"},
        {"repoURL": URL, "targetRevision": "main", "path": "overlays/dev"},
        {"repoURL": "https://charts.example.com", "chart": "redis", "targetRevision": "1"},
        {"repoURL": URL, "targetRevision": "main", "path": "overlays/dev"},
    ]
    found = find_feeds([app(spec={"sources": sources})], DEV)

    assert [3] == [feed.source.index for feed in found.feeds]


def test_several_applications() -> None:
    """One overlay may feed many Applications."""
    found = find_feeds([app(name="a"), app(name="b"), app(name="c", path="overlays/test")], DEV)

    assert ["a", "b"] == [feed.application.ref.name for feed in found.feeds]


def test_case_alone_is_warned_of() -> None:
    """Two repositories may differ in case only; the match is told."""
    other = "https://git.example.com/Shop/manifests.git"

    assert () == find_feeds([app()], DEV).warnings
    assert "upper and lower case" in find_feeds([app(url=other)], DEV).warnings[0]


def test_paths_that_include_the_overlay() -> None:
    """An Application of another directory feeds the overlay that its kustomization brings in."""
    files = {
        "clusters/a": b"resources:\n  - ../../overlays/dev\n",
        "clusters/b": b"resources: [../all]\n",
        "clusters/all": b"components: [../../overlays/dev/, 'https://x.example.com/y']\n",
        "clusters/c": b"resources: [../../base]\n",
        "clusters/d": b"resources: [../d]\n",
        "clusters/e": b"\t",
    }
    tree = DictFiles({f"{path}/kustomization.yaml": text for path, text in files.items()})
    found = find_feeds(
        [app(name=path[-1], path=path) for path in files] + [app(name="x", path="gone")],
        DEV,
        includes=lambda path: walk(tree, path).leads_to("overlays/dev"),
    )

    assert ["a", "b", "l"] == [feed.application.ref.name for feed in found.feeds]
