"""Whether an entry of `images:` changes anything, by a real build."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitops.actions.manifests.files import SnapshotFiles
from gitops.actions.manifests.trial_build import TrialBuild, TrialBuilds
from gitops.adapters.gitrepo.local.worktree import CheckoutFiles
from gitops.adapters.local.kustomize import find_kustomize
from gitops.core.kustomization import read_entries
from gitops.core.kustomization.graph import walk

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: web, image: "shop/web:latest"}]}
"""
SIDECAR = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: side, image: tools/side}]}}}
"""
JSON_PATCH = """\
resources: [../base]
patches:
  - target: {kind: Deployment}
    patch: |-
      - op: replace
        path: /spec/template/spec/containers/0/image
        value: other/web:1
"""
RENAMED = "images: [{name: shop/web, newName: reg/web}]"
CUSTOM = "apiVersion: x.io/v1\nkind: Web\nmetadata: {name: w}\nspec: {image: 'shop/job:1'}\n"

# overlay, further files -> the names that change nothing
CASES: dict[str, tuple[str, dict[str, str], set[str]]] = {
    "used, and not used": ("images: [{name: shop/web}, {name: shop/api}]", {}, {"shop/api"}),
    "an entry for one tag": ("images: [{name: 'shop/web:latest'}]", {}, set()),
    "an entry for another tag": ("images: [{name: 'shop/web:1'}]", {}, {"shop/web:1"}),
    "a pattern": ("images: [{name: 'shop/.*'}]", {}, set()),
    "added by a patch in a folder": (
        "patches: [{path: patches/side.yaml}]\nimages: [{name: tools/side}]",
        {"overlay/patches/side.yaml": SIDECAR},
        set(),
    ),
    "renamed by the base": (
        "images: [{name: shop/web}, {name: reg/web}]",
        {"base/kustomization.yaml": f"resources: [d.yaml]\n{RENAMED}"},
        {"shop/web"},
    ),
    "renamed for the next entry": (
        "images: [{name: shop/web, newName: reg/web}, {name: reg/web, newTag: v1}]",
        {},
        set(),
    ),
    "renamed for the next entry, which is used by itself": (
        "images: [{name: shop/api, newName: shop/web}, {name: shop/web, newTag: v1}]",
        {},
        {"shop/api"},
    ),
    "renamed twice": (
        "images: [{name: shop/web, newName: a/b}, {name: a/b, newName: c/d}, {name: c/d}]",
        {},
        set(),
    ),
    "for the tag that another entry gives": (
        "images: [{name: shop/web, newTag: '1'}, {name: 'shop/web:1', newTag: '2'}]",
        {},
        set(),
    ),
    "renamed after the entry": (
        "images: [{name: reg/web, newTag: v1}, {name: shop/web, newName: reg/web}]",
        {},
        {"reg/web"},
    ),
    "in a field that nothing reaches": (
        "resources: [w.yaml]\nimages: [{name: shop/job}]",
        {"overlay/w.yaml": CUSTOM},
        {"shop/job"},
    ),
}


def build(root: Path, overlay: str, files: dict[str, str]) -> TrialBuild:
    """Build `overlay/` of a checkout; its base has one Deployment, and files come on top."""
    if "resources:" not in overlay:
        overlay = f"resources: [../base]\n{overlay}"
    tree = {
        "base/d.yaml": DEPLOYMENT,
        "base/kustomization.yaml": "resources: [d.yaml]",
        "overlay/kustomization.yaml": overlay,
        **files,
    }
    for name, content in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content + "\n")
    snapshot = CheckoutFiles(root, "main")
    path = "overlay/kustomization.yaml"
    entries = read_entries((root / path).read_bytes(), path)
    renderer = find_kustomize(os.environ)
    assert renderer is not None
    return TrialBuilds(renderer).build(
        snapshot, walk(SnapshotFiles(snapshot), "overlay"), path, entries
    )


@pytest.mark.parametrize("name", CASES)
def test_what_changes_nothing(tmp_path: Path, name: str) -> None:
    """The build knows what a text search can only guess."""
    overlay, files, idle = CASES[name]

    assert idle == build(tmp_path, overlay, files).idle


def test_an_inline_patch(tmp_path: Path) -> None:
    """An image that a JSON patch of a base sets is used."""
    done = build(
        tmp_path,
        "resources: [../mid]\nimages: [{name: other/web}]",
        {"mid/kustomization.yaml": JSON_PATCH},
    )

    assert done.idle == frozenset()


def test_what_does_not_build_is_told(tmp_path: Path) -> None:
    """kustomize's own words are the problem."""
    twice = {"base/kustomization.yaml": "resources: [d.yaml, e.yaml]", "base/e.yaml": DEPLOYMENT}
    done = build(tmp_path, "images: [{name: shop/web}]", twice)

    assert done.idle is None
    assert "may not add resource with an already registered id" in (done.problem or "")


def test_nothing_is_fetched(tmp_path: Path) -> None:
    """An overlay that would fetch is not built."""
    done = build(
        tmp_path, "resources: ['https://example.com/x.yaml']\nimages: [{name: shop/web}]", {}
    )

    assert (done.idle, done.problem, done.text) == (None, None, None)
    assert "nothing is fetched here" in (done.skipped or "")


def test_only_so_many_are_built_unasked(tmp_path: Path) -> None:
    """The rest is counted and told."""
    builds = TrialBuilds(find_kustomize(os.environ), most=0)
    snapshot = CheckoutFiles(tmp_path, "main")
    builds.build(snapshot, walk(SnapshotFiles(snapshot), "x"), "x/kustomization.yaml", [])

    assert builds.notes() == ("1 overlays were not built: --build builds all",)
