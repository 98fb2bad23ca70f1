"""A file with images or references without end gets a clear refusal, soon."""

from __future__ import annotations

from collections.abc import Callable, Sized

import pytest

from checking import DEV, PROD, check
from gitops.core.kustomization import edit_images, image_values, read_entries
from gitops.core.kustomization.image import parse_image
from gitops.errors import ManifestError
from manifests import Manifests

FEW = "images:\n" + "".join(f'- name: a{at}\n  newTag: "1"\n' for at in range(10_000))
MANY = FEW + '- name: b\n  newTag: "1"\n'
ENDLESS = "images:\n" + "".join(f'- {{name: a{at}, newTag: "1"}}\n' for at in range(200_000))


@pytest.mark.parametrize("read", [read_entries, image_values], ids=["entries", "values"])
def test_so_many_are_read(read: Callable[[bytes, str], Sized]) -> None:
    """Ten thousand are read, one more is refused with its place."""
    assert 10_000 == len(read(FEW.encode(), DEV))
    with pytest.raises(ManifestError, match="has more than 10000 entries") as error:
        read(MANY.encode(), DEV)
    assert 20_002 == error.value.line


def test_so_many_are_not_edited() -> None:
    """An edit of one of them is refused, too."""
    with pytest.raises(ManifestError, match="has more than 10000 entries"):
        edit_images(MANY.encode(), DEV, [parse_image("a1:2")])


@pytest.mark.slow
def test_two_hundred_thousand(manifests: Manifests) -> None:
    """Every command ends with the place and the reason; other environments go on."""
    manifests.commit("dev: many", {DEV: "resources: [../../base]\n" + ENDLESS})
    for words in (("deploy", "a1:2", "--to", "dev"), ("validate",), ("rollback", "dev", "--yes")):
        result = manifests.gitops(*words)
        assert (3, True) == (result.code, "larger than 4 MB" in result.out + result.err), result
    assert 0 == manifests.gitops("status", "prod").code
    assert 0 == manifests.gitops("deploy", "shop/api:1.9.9", "--to", "test").code


@pytest.mark.slow
def test_two_hundred_thousand_in_prod(manifests: Manifests) -> None:
    """`check` reports a protected overlay that nobody can read to its end."""
    manifests.commit("prod: many", {PROD: "resources: [../../base]\n" + ENDLESS})
    document = check(manifests)

    assert {"approval", "data", "unreadable"} == {one["rule"] for one in document["findings"]}
