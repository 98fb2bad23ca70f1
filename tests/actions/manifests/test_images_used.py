"""Which images the manifests behind an overlay use."""

from __future__ import annotations

import pytest

from fakes import FakeSnapshot
from gitops.actions.manifests.files import SnapshotFiles
from gitops.actions.manifests.images_used import manifest_images
from gitops.core.kustomization.graph import walk


def used(resources: str, directory: str = "overlays/dev", **more: str) -> frozenset[str] | None:
    """Return the images behind an overlay that has `resources`; `more` are files by path."""
    files = {
        f"{directory}/kustomization.yaml": f"resources: [{resources}]\n",
        "base/kustomization.yaml": "resources: [api.yaml]\n",
        "base/api.yaml": "spec: {containers: [{image: shop/api:1}]}\n",
        **more,
    }
    content = {path: text.encode() for path, text in files.items()}
    snapshot = FakeSnapshot("main", "a" * 40, content)
    return manifest_images(snapshot, directory, walk(SnapshotFiles(snapshot), directory))


def test_images_of_a_base() -> None:
    """Bases are followed, and their images told without tags."""
    assert frozenset({"shop/api"}) == used("../../base")


@pytest.mark.parametrize(
    "target", ["/beside.yaml", "../../../base", "https://h/x", "../../nowhere"]
)
def test_images_that_cannot_be_told(target: str) -> None:
    """What kustomize refuses or looks for elsewhere is not taken for a path of the repository."""
    assert used(target, **{"overlays/dev/beside.yaml": "image: a:1\n"}) is None
