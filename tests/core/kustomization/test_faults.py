"""What kustomize will refuse, or no runtime will pull, without a build."""

from __future__ import annotations

import pytest

from gitops.core.kustomization import edit_images
from gitops.core.kustomization.faults import find_faults
from gitops.core.kustomization.image import parse_image
from gitops.errors import ManifestError

ENTRY = "images:\n- name: shop/web\n  "
FLUX = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"


def faults(text: str) -> list[str]:
    """Return the faults of a file as lines."""
    found = find_faults(text.encode(), "kustomization.yaml")
    return [f"{one.line}:{one.column}: {one.message}" for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ENTRY + "newTag: 1.10",
            '3:11: kustomize does not take newTag 1.10 for a text: write "1.10"',
        ),
        (
            ENTRY + "newTag: 0x1F",
            '3:11: kustomize does not take newTag 0x1F for a text: write "0x1F"',
        ),
        (ENTRY + "newTag: on", '3:11: kustomize does not take newTag on for a text: write "on"'),
        (ENTRY + "digest: 12", '3:11: kustomize does not take digest 12 for a text: write "12"'),
        (ENTRY + "newTag: [a]", "3:11: newTag is no text"),
        (
            ENTRY + "newTag: 'a b'",
            "3:11: shop/web cannot be pulled: it has a tag that no registry takes: a b (letters, "
            "digits, . _ -)",
        ),
        (
            ENTRY + "digest: sha256:abc",
            "3:11: shop/web cannot be pulled: it has a sha256 digest of 3 hex digits instead of 64",
        ),
        (
            ENTRY + "newName: Shop/Web",
            "3:12: shop/web cannot be pulled: it has a new name that no registry takes: Shop/Web "
            "(lower case, . _ - /)",
        ),
        (
            ENTRY + "newTagg: v1",
            "3:3: an entry of images has no key 'newTagg'; did you mean newTag?",
        ),
        ("imagess: []", "1:1: kustomize knows no key 'imagess'; did you mean images?"),
        ("zzz: 1", "1:1: kustomize knows no key 'zzz'"),
        ("patches: {}", "1:10: patches must be a list"),
        ("namePrefix: 5", '1:13: kustomize does not take namePrefix 5 for a text: write "5"'),
        ("resources: [a, b, a]", "1:19: a stands in resources twice, first on line 1"),
        (
            "images: []\nImages: []",
            "2:1: images stands here again, first on line 1: kustomize takes one of them only",
        ),
        (
            FLUX + "spec: {path: ./x}",
            "1:13: is no kustomization of kustomize: its apiVersion is "
            "kustomize.toolkit.fluxcd.io/v1",
        ),
        ("kind: Deployment", "1:7: is no kustomization of kustomize: its kind is Deployment"),
    ],
)
def test_each_has_its_place(text: str, expected: str) -> None:
    """What a build would say at the end is said where it stands."""
    assert [expected] == faults(text + "\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        ENTRY + "newTag: '1.10'",
        ENTRY + "newTag: ${TAG}",
        ENTRY + "newTag: 2024-01-02",
        ENTRY + "newTag: null",
        ENTRY + "newTag: 1.2@sha256:" + "ab" * 32,
        ENTRY + "newName: reg:5000/shop/web",
        ENTRY + "NEWTAG: v1\nResources: []",
        ENTRY + "newTag: &t v1\nlabels: [{pairs: {v: *t}}]",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources:\n",
    ],
)
def test_what_builds_is_left_alone(text: str) -> None:
    """No false alarm for what kustomize takes."""
    assert [] == faults(text + "\n")


def test_a_flux_kustomization_is_not_edited() -> None:
    """It has the same kind and often the same file name, and another meaning."""
    text = FLUX + ENTRY + "newTag: v1\n"
    with pytest.raises(ManifestError, match=r"is no kustomization of kustomize"):
        edit_images(text.encode(), "kustomization.yaml", [parse_image("shop/web:v2")])
