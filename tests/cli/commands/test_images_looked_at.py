"""Deploys on the command line, against a real registry: Debian's docker-registry."""

from __future__ import annotations

import json

import pytest

from gitops.core.images.manifest import REVISION, SOURCE
from gitops.core.images.name import ImageName
from images import HttpShelf, push_index
from manifests import Manifests
from servers.registry import PASSWORD, USER, DockerRegistry

DEV = "overlays/dev/kustomization.yaml"


class Shop:
    """The sample whose images are at a registry."""

    def __init__(self, manifests: Manifests, host: str, path: str, top: str) -> None:
        self.manifests = manifests
        self.name = ImageName(host, path)
        config = manifests.file("gitops.yaml").replace("environments:", f"{top}\nenvironments:", 1)
        config = config.replace("overlay: overlays/dev", "overlay: overlays/dev, pin: both", 1)
        manifests.commit("ask the registry", {"gitops.yaml": config})

    def deploy(self, tag: str, *words: str, **env: str) -> tuple[int, str]:
        """Deploy to dev; return the exit code and what was printed."""
        image = f"shop/api={self.name}:{tag}"
        done = self.manifests.gitops("deploy", image, "--to", "dev", *words, env=env)
        return done.code, done.out + done.err


@pytest.fixture
def shop(manifests: Manifests, docker_registry: DockerRegistry) -> Shop:
    """Its registry asks for nobody's name."""
    return Shop(
        manifests,
        docker_registry.open,
        docker_registry.new_path(),
        "registries: {unavailable: warn}",
    )


def test_tag_and_digest_are_written(shop: Shop) -> None:
    """What the tag of an index names is looked up and kept."""
    pushed = push_index(HttpShelf(shop.name.host), shop.name, "1.5.0")
    code, text = shop.deploy("1.5.0")
    assert code == 0, text
    assert f"digest: {pushed.digest}" in shop.manifests.file(DEV)
    assert "newTag: 1.5.0" in shop.manifests.file(DEV)


def test_a_tag_that_is_not_there(shop: Shop) -> None:
    """Exit code 1, the nearest tags, and nothing written."""
    push_index(HttpShelf(shop.name.host), shop.name, "1.5.0")
    before = shop.manifests.git("rev-parse", "main")
    code, text = shop.deploy("1.5.1")
    assert code == 1
    assert "has no tag 1.5.1; the nearest is 1.5.0" in text
    assert before == shop.manifests.git("rev-parse", "main")
    assert "override" in text


def test_a_registry_that_is_not_there(manifests: Manifests) -> None:
    """Its digest cannot be known: try again later, with the name of who is silent."""
    shop = Shop(manifests, "127.0.0.1:9", "shop/api", "registries: {}")
    code, text = shop.deploy("1.5.0")
    assert code == 75
    assert "127.0.0.1:9 cannot be asked" in text
    assert "Traceback" not in text


def test_credentials_of_docker_are_used(
    manifests: Manifests, docker_registry: DockerRegistry
) -> None:
    """Without them it is said how to sign in; no password is ever shown."""
    host, path = docker_registry.locked, docker_registry.new_path()
    shop = Shop(manifests, host, path, "registries: {}")
    push_index(HttpShelf(host, USER, PASSWORD), shop.name, "1.5.0")
    code, text = shop.deploy("1.5.0")
    assert code == 3
    assert f"docker login {host}" in text
    told = json.dumps({"auths": {host: {"username": USER, "password": PASSWORD}}})
    code, text = shop.deploy("1.5.0", DOCKER_AUTH_CONFIG=told)
    assert code == 0, text
    assert PASSWORD not in text


def test_an_image_that_was_built_from_something_else(
    manifests: Manifests, docker_registry: DockerRegistry
) -> None:
    """`provenance:` refuses it by name, and takes one whose annotations are true."""
    source = manifests.path.as_uri()
    top = f"provenance: {{required: true}}\nimages: [{{name: shop/api, source: '{source}'}}]"
    shop = Shop(manifests, docker_registry.open, docker_registry.new_path(), top)
    head = manifests.git("rev-parse", "main").strip()
    shelf = HttpShelf(shop.name.host)
    for tag, commit in (("1.5.0", "91c0" * 10), ("1.6.0", head)):
        push_index(shelf, shop.name, tag, annotations={SOURCE: source, REVISION: commit}, salt=tag)

    code, text = shop.deploy("1.5.0")
    assert (code, "dev: shop/api is not proved: 91c091c is on no branch" in text) == (1, True), text
    code, text = shop.deploy("1.6.0")
    assert code == 0, text
    assert f"@{head} (annotation)" in manifests.git("log", "-1", "--format=%B", "main")
    told = f"built from {head[:7]} (annotation)"
    assert f"[{told}]" in manifests.gitops("history", "dev").out
    assert f"@{head[:7]} (annotation)" in manifests.gitops("status", "dev").out
    document = json.loads(manifests.gitops("status", "dev", "-o", "json").out)
    assert [head] == [one["revision"] for one in document["environments"][0]["provenance"]]
