"""What registries do wrong, or refuse, by real ones: words, exit code, and nothing lost.

What Debian's docker-registry and Gitea cannot do (immutable tags) is in
tests/adapters/registry/test_registry_http.py; deletion switched off in test_images.py; a tag that
is not there, a registry that is away and a label that lies in test_images_looked_at.py.
"""

from __future__ import annotations

import json
import uuid

import pytest

from gitops.core.images.name import ImageName
from images import HttpShelf, push_index
from manifests import Manifests
from servers.gitea import GiteaServer
from servers.registry import PASSWORD, USER, DockerRegistry

OLD = "2024-11-01T10:00:00Z"
TAG = "feature-login-5f2c5f2"
CLEANUP = "cleanup: [{images: ['shop/*'], tags: 'feature-*', olderThan: 14d, keep: 0}]"


def at_registry(manifests: Manifests, name: ImageName, *top: str, dev: str = "") -> None:
    """Let dev's shop/api be at a registry, with these keys in gitops.yaml."""
    config = manifests.file("gitops.yaml")
    config = config.replace("environments:", "\n".join((*top, "environments:")), 1)
    if dev:
        config = config.replace("overlay: overlays/dev", f"overlay: overlays/dev, {dev}", 1)
    path = "overlays/dev/kustomization.yaml"
    pin = manifests.file(path).replace(
        "- name: shop/api\n", f"- name: shop/api\n    newName: {name}\n", 1
    )
    manifests.commit("at a registry", {"gitops.yaml": config, path: pin})


def signed_in(host: str, user: str, password: str) -> dict[str, str]:
    """As `docker login` leaves it."""
    told = {"auths": {host: {"username": user, "password": password}}}
    return {"DOCKER_AUTH_CONFIG": json.dumps(told)}


def test_an_index_whose_child_is_missing(
    manifests: Manifests, docker_registry: DockerRegistry
) -> None:
    """It is no image for that platform: refused, told by `show`, and kept by a cleanup."""
    name = ImageName(docker_registry.open, docker_registry.new_path())
    at_registry(manifests, name, "registries: {}", CLEANUP, dev="platforms: [linux/amd64]")
    shelf = HttpShelf(name.host)
    pushed = push_index(shelf, name, TAG, created=OLD)
    shelf.ask("DELETE", f"/v2/{name.path}/manifests/{pushed.children[0]}", name=name)

    deployed = manifests.gitops("deploy", f"shop/api:{TAG}", "--to", "dev")
    assert (1, True) == (deployed.code, "not there for linux/amd64 (only linux/" in deployed.err)
    shown = manifests.gitops("images", "show", f"{name}:{TAG}")
    assert 3 == shown.code
    assert f"has {TAG}, but its image for linux/amd64 is missing" in shown.err
    pruned = manifests.gitops("images", "prune", "--yes")
    assert (0, True) == (pruned.code, "nothing to delete" in pruned.out)
    assert TAG in json.loads(shelf.ask("GET", f"/v2/{name.path}/tags/list", name=name)[2])["tags"]


def test_credentials_that_have_expired(
    manifests: Manifests, docker_registry: DockerRegistry
) -> None:
    """Told by where they are from and never shown; a deploy by tag is warned, a cleanup ends."""
    name = ImageName(docker_registry.locked, docker_registry.new_path())
    at_registry(manifests, name, "registries: {}", CLEANUP)
    push_index(HttpShelf(name.host, USER, PASSWORD), name, TAG, created=OLD)
    env = signed_in(name.host, USER, "swordfish")

    pruned = manifests.gitops("images", "prune", "--yes", env=env)
    assert 3 == pruned.code
    assert "does not accept the credentials of DOCKER_AUTH_CONFIG" in pruned.err
    assert "they may have expired" in pruned.err
    deployed = manifests.gitops("deploy", f"shop/api:{TAG}", "--to", "dev", env=env)
    assert (0, True) == (deployed.code, "was not looked at" in deployed.err)
    assert "swordfish" not in pruned.err + deployed.err


def test_a_registry_that_nobody_knows(manifests: Manifests) -> None:
    """No such host: an error to try again after where registries must answer."""
    name = ImageName("registry.invalid", "shop/api")
    at_registry(manifests, name, "registries: {unavailable: refuse}", CLEANUP)
    head = manifests.git("rev-parse", "main")
    for words in (("deploy", "shop/api:1.5.0", "--to", "dev"), ("images", "prune", "--yes")):
        done = manifests.gitops(*words)
        assert (75, True) == (done.code, "registry.invalid cannot be asked" in done.err), done.err
    assert head == manifests.git("rev-parse", "main")


@pytest.mark.parametrize(("dev", "code"), [("", 0), ("pin: both", 1)])
def test_a_registry_of_another_host_in_new_name(
    manifests: Manifests, docker_registry: DockerRegistry, dev: str, code: int
) -> None:
    """It is not asked: a warning, and where its digest is wanted a reason against."""
    name = ImageName(docker_registry.open, docker_registry.new_path())
    at_registry(manifests, name, "registries: {hosts: [registry.example.com]}", dev=dev)
    done = manifests.gitops("deploy", "shop/api:1.5.0", "--to", "dev")
    assert code == done.code
    assert f"{name.host} is none of `registries.hosts`" in done.err


@pytest.mark.slow
def test_no_right_to_delete(manifests: Manifests, gitea: GiteaServer) -> None:
    """Somebody else's package, by a real Gitea: exit code 3, and every tag where it was."""
    host = gitea.url.removeprefix("http://")
    name = ImageName(host, f"ana/api-{uuid.uuid4().hex[:8]}")
    at_registry(manifests, name, "registries: {}", CLEANUP)
    shelf = HttpShelf(host, "ana", gitea.users["ana"].token)
    pushed = push_index(shelf, name, TAG, created=OLD)
    push_index(shelf, name, "1.4.9", salt="other")

    done = manifests.gitops(
        "images", "prune", "--yes", env=signed_in(host, "ben", gitea.users["ben"].token)
    )
    assert 3 == done.code, done.out + done.err
    assert "docker login" in done.err
    asked = shelf.ask("HEAD", f"/v2/{name.path}/manifests/{TAG}", name=name)
    assert (200, pushed.digest) == (asked[0], asked[1]["docker-content-digest"])
