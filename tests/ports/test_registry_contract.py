"""What every registry does: one in memory, Debian's docker-registry, and Gitea's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from fake_makers import FakeMaker, open_maker
from fake_registry import MemoryRegistry
from fakes import FakeClock
from gitops.adapters.registry.first_look import FirstLook
from gitops.adapters.registry.registry import OciRegistry
from gitops.core.images.manifest import OCI_INDEX, Platform
from gitops.core.images.name import ImageName
from gitops.core.images.untagged import untagged_from
from gitops.errors import Conflict, Denied, NotFound, UsageError
from gitops.ports import Registry
from images import HttpShelf, Shelf, push_image, push_index, push_referrer, tag_again
from servers.gitea import GiteaServer
from servers.registry import PASSWORD, USER, DockerRegistry

ABSENT = f"sha256:{'a' * 64}"


@dataclass(frozen=True)
class Place:
    """A repository of the test's own, how to push to it, and the port to it.

    Attributes:
        forgets: an image is gone as soon as its only tag names another (Gitea).
    """

    name: ImageName
    shelf: Shelf
    registry: Registry
    forgets: bool = False


@pytest.fixture(params=["memory", "debian", "locked", "gitea", "ghcr", "hub", "ecr"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each kind of registry."""
    if request.param == "memory":
        made = MemoryRegistry()
        yield Place(ImageName("registry.example.com", "shop/api"), made, made)
        return
    if request.param in ("ghcr", "hub", "ecr"):
        with FakeMaker("github" if request.param == "ghcr" else request.param) as maker:
            opened = open_maker(maker)
            yield Place(ImageName(maker.host, "shop/api"), maker.shelf, opened)
            opened.close()
        return
    user, password = "", ""
    if request.param == "gitea":
        server: GiteaServer = request.getfixturevalue("gitea")
        host, path = server.url.removeprefix("http://"), f"ana/api-{uuid.uuid4().hex[:10]}"
        user, password = "ana", server.users["ana"].token
    else:
        found: DockerRegistry = request.getfixturevalue("docker_registry")
        host, path = found.open, found.new_path()
        if request.param == "locked":
            host, user, password = found.locked, USER, PASSWORD
    told = {"auths": {host: {"username": user, "password": password}}} if user else {}
    registry: Any = FirstLook({"DOCKER_AUTH_CONFIG": json.dumps(told)}, FakeClock(), 20.0)
    name = ImageName(host, path)
    forgets = request.param == "gitea"
    yield Place(name, HttpShelf(host, user, password), registry, forgets)
    registry.close()


def test_a_tag_is_the_digest_of_its_index(place: Place) -> None:
    """Of an image for several platforms the index counts: that is what runs everywhere."""
    pushed = push_index(place.shelf, place.name, "1.4.2")
    assert place.registry.resolve(place.name, "1.4.2") == pushed.digest
    assert place.registry.resolve(place.name, pushed.digest) == pushed.digest
    assert place.registry.resolve(place.name, pushed.children[0]) == pushed.children[0]


def test_a_single_image_resolves_as_well(place: Place) -> None:
    """An image without an index is what its tag names."""
    pushed = push_image(place.shelf, place.name, "1.4.2")
    assert place.registry.resolve(place.name, "1.4.2") == pushed.digest


def test_what_is_not_there_is_not_found(place: Place) -> None:
    """A tag, a digest and a repository that do not exist are told, each by its name."""
    push_image(place.shelf, place.name, "1.4.2")
    for reference in ("1.4.3", ABSENT):
        with pytest.raises(NotFound, match=f"has no (tag )?{reference}"):
            place.registry.resolve(place.name, reference)
        with pytest.raises(NotFound):
            place.registry.manifest(place.name, reference)
    other = ImageName(place.name.host, f"{place.name.path}-other")
    with pytest.raises(NotFound, match=other.path):
        place.registry.resolve(other, "1.4.2")
    with pytest.raises(NotFound, match=other.path):
        list(place.registry.tags(other))


def test_a_manifest_tells_its_children(place: Place) -> None:
    """Platforms and attestations of an index are told apart."""
    pushed = push_index(place.shelf, place.name, "1.4.2", annotations={"a": "b"})
    found = place.registry.manifest(place.name, "1.4.2")
    assert (found.digest, found.media_type) == (pushed.digest, OCI_INDEX)
    assert found.annotations == {"a": "b"}
    assert tuple(child.digest for child in found.images) == pushed.children
    attested = [child.digest for child in found.children if child.is_attestation]
    assert attested == [pushed.attestation]


def test_an_image_says_what_it_is(place: Place) -> None:
    """Labels, time and platform of every image in an index."""
    push_index(place.shelf, place.name, "1.4.2", labels={"org.opencontainers.image.revision": "x"})
    found = place.registry.describe(place.name, "1.4.2")
    assert found.platforms == (Platform("linux", "amd64"), Platform("linux", "arm64"))
    assert {image.config.labels["org.opencontainers.image.revision"] for image in found.images} == {
        "x"
    }
    assert found.created == datetime(2026, 11, 20, 10, tzinfo=UTC)


def test_content_is_read_by_its_digest(place: Place) -> None:
    """A blob comes whole, or is not found."""
    push_image(place.shelf, place.name, "1.4.2")
    config = place.registry.manifest(place.name, "1.4.2").config
    assert config is not None
    assert b"amd64" in place.registry.blob(place.name, config.digest)
    with pytest.raises(NotFound):
        place.registry.blob(place.name, ABSENT)


def test_tags_are_all_listed(place: Place) -> None:
    """Every tag of a repository, once."""
    pushed = push_image(place.shelf, place.name, "1.4.2")
    for number in range(12):
        tag_again(place.shelf, place.name, pushed, f"b{number}")
    found = list(place.registry.tags(place.name))
    assert sorted(found) == sorted(["1.4.2", *(f"b{number}" for number in range(12))])


def test_what_refers_to_an_image_is_told(place: Place) -> None:
    """Signatures and the like are found, by the list for them or by the tag for them."""
    pushed = push_image(place.shelf, place.name, "1.4.2")
    assert place.registry.referrers(place.name, pushed.digest) == ()
    signature = push_referrer(place.shelf, place.name, pushed)
    found = place.registry.referrers(place.name, pushed.digest)
    assert [one.digest for one in found] == [signature.digest]
    assert found[0].artifact_type == "application/vnd.dev.sigstore.bundle.v0.3+json"


def test_untag_leaves_the_siblings(place: Place) -> None:
    """A tag goes; the release that names the same image stays, and so does the image."""
    pushed = push_index(place.shelf, place.name, "feature-login-5f2c5f2")
    tag_again(place.shelf, place.name, pushed, "1.4.2")
    place.registry.untag(place.name, "feature-login-5f2c5f2", expect=pushed.digest)
    assert list(place.registry.tags(place.name)) == ["1.4.2"]
    assert place.registry.resolve(place.name, "1.4.2") == pushed.digest
    assert len(place.registry.describe(place.name, "1.4.2").images) == 2
    place.registry.untag(place.name, "feature-login-5f2c5f2", expect=pushed.digest)  # gone: fine


def test_untag_takes_nothing_that_has_moved(place: Place) -> None:
    """A tag that names another image than was believed is left as it is."""
    pushed = push_image(place.shelf, place.name, "latest", salt="one")
    with pytest.raises(Conflict):
        place.registry.untag(place.name, "latest", expect=ABSENT)
    assert place.registry.resolve(place.name, "latest") == pushed.digest


def test_a_tag_is_retired_and_comes_back(place: Place) -> None:
    """Between the two halves of an untag it is seen what was begun, and it can be taken back."""
    pushed = push_index(place.shelf, place.name, "feature-x")
    if place.forgets:
        tag_again(place.shelf, place.name, pushed, "kept")
    place.registry.retire(place.name, "feature-x", expect=pushed.digest)
    begun = place.registry.manifest(place.name, "feature-x")
    found = untagged_from(begun)
    assert found is not None
    assert found.digest == pushed.digest
    assert found.children == (*pushed.children, pushed.attestation)
    assert place.registry.resolve(place.name, pushed.digest) == pushed.digest
    place.registry.retire(place.name, "feature-x", expect=pushed.digest)  # begun already
    place.registry.restore(place.name, "feature-x", pushed.digest)
    assert place.registry.resolve(place.name, "feature-x") == pushed.digest


def test_an_image_goes_between_the_two_halves(place: Place) -> None:
    """The tag says what was begun until all of it is gone; also where it is forgotten at once."""
    pushed = push_index(place.shelf, place.name, "feature-x")
    place.registry.retire(place.name, "feature-x", expect=pushed.digest)
    if place.forgets:
        with pytest.raises(NotFound):
            place.registry.restore(place.name, "feature-x", pushed.digest)
    place.registry.delete(place.name, pushed.digest, known={})
    for child in pushed.children:
        place.registry.delete(place.name, child, known={})
    place.registry.untag(place.name, "feature-x", expect=pushed.digest)
    with pytest.raises(NotFound):
        place.registry.resolve(place.name, pushed.digest)
    with pytest.raises(NotFound):
        place.registry.resolve(place.name, "feature-x")


def test_a_manifest_with_a_tag_is_not_deleted(place: Place) -> None:
    """Deleting takes all tags along, so it is refused: for a known tag, and for a new one."""
    pushed = push_image(place.shelf, place.name, "1.4.2")
    for known in ({"1.4.2": pushed.digest}, {}):
        with pytest.raises(Conflict, match=r"1\.4\.2"):
            place.registry.delete(place.name, pushed.digest, known=known)
    assert place.registry.resolve(place.name, "1.4.2") == pushed.digest


def test_a_manifest_without_tags_is_deleted(place: Place) -> None:
    """Only itself goes; a second time is fine."""
    kept = push_image(place.shelf, place.name, "1.4.2", salt="kept")
    pushed = push_image(place.shelf, place.name, salt="gone")
    for _ in range(2):
        place.registry.delete(place.name, pushed.digest, known={"1.4.2": kept.digest})
        with pytest.raises(NotFound):
            place.registry.resolve(place.name, pushed.digest)
    assert place.registry.resolve(place.name, "1.4.2") == kept.digest


def test_words_that_are_no_reference_go_nowhere(place: Place) -> None:
    """What is neither a tag nor a digest is said, not sent."""
    if isinstance(place.registry, MemoryRegistry):
        pytest.skip("the twin takes what the actions give it, which is checked")
    for reference in ("../../other/manifests/1", "a b", "", "sha256:abc"):
        with pytest.raises(UsageError):
            place.registry.resolve(place.name, reference)


def test_deletion_switched_off_changes_nothing(docker_registry: DockerRegistry) -> None:
    """A registry that deletes nothing (405) says so before the tag is touched."""
    name = ImageName(docker_registry.sealed, docker_registry.new_path())
    pushed = push_image(HttpShelf(docker_registry.sealed), name, "feature-x")
    registry = OciRegistry({}, FakeClock(), 20.0)
    with pytest.raises(Denied, match="does not delete images") as caught:
        registry.untag(name, "feature-x", expect=pushed.digest)
    assert "delete: {enabled: true}" in (caught.value.hint or "")
    assert registry.resolve(name, "feature-x") == pushed.digest
    with pytest.raises(Denied):
        registry.delete(name, pushed.children[0] if pushed.children else ABSENT, known={})
    registry.close()


def test_the_wrong_password_is_said(docker_registry: DockerRegistry) -> None:
    """Credentials that do not count are named by where they stand, never shown."""
    host = docker_registry.locked
    told = {"auths": {host: {"username": USER, "password": "wrong-word-of-ana"}}}
    registry: Any = FirstLook({"DOCKER_AUTH_CONFIG": json.dumps(told)}, FakeClock(), 20.0)
    with pytest.raises(Denied, match="DOCKER_AUTH_CONFIG") as caught:
        registry.resolve(ImageName(host, "shop/api"), "1.4.2")
    assert "wrong-word" not in f"{caught.value.message} {caught.value.hint}"
    nobody = OciRegistry({}, FakeClock(), 20.0)
    with pytest.raises(Denied, match="wants to know who asks"):
        nobody.resolve(ImageName(host, "shop/api"), "1.4.2")
    registry.close()
    nobody.close()


def test_an_index_without_one_of_its_images_is_told(place: Place) -> None:
    """Which platform it is, since the tag alone looks well."""
    pushed = push_index(place.shelf, place.name, "1.4.2", attested=False)
    place.registry.delete(place.name, pushed.children[1], known={"1.4.2": pushed.digest})
    with pytest.raises(NotFound, match=r"has 1\.4\.2, but its image for linux/arm64 is missing"):
        place.registry.describe(place.name, "1.4.2")
    assert place.registry.resolve(place.name, "1.4.2") == pushed.digest
