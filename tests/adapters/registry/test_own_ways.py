"""GHCR, Docker Hub and ECR delete by interfaces of their makers, faked as these describe them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fake_makers import FakeMaker, open_maker
from gitops.adapters.registry.own_ways import _kind_of
from gitops.core.images.name import ImageName
from gitops.errors import Conflict, Denied, GitopsError, Unavailable
from images import Pushed, push_index, tag_again


@pytest.fixture(params=["github", "hub", "ecr"])
def maker(request: pytest.FixtureRequest) -> Iterator[FakeMaker]:
    """Each of them."""
    with FakeMaker(request.param) as made:
        yield made


@pytest.fixture
def github() -> Iterator[FakeMaker]:
    """GHCR, with GitHub's REST API beside it."""
    with FakeMaker("github") as made:
        yield made


def push(maker: FakeMaker, tag: str = "f") -> tuple[ImageName, Pushed]:
    """Push an index."""
    name = ImageName(maker.host, "shop/api")
    return name, push_index(maker.shelf, name, tag)


def writes(maker: FakeMaker) -> list[str]:
    """What was asked that changes something."""
    return [method for method, path in maker.asked if method in ("PUT", "DELETE")]


def told(error: GitopsError) -> str:
    """All that people see."""
    return f"{error.message} {error.hint} {error.reasons}"


@pytest.mark.parametrize("owner", ["Organization", "User"])
def test_packages_of_people_and_of_organisations(github: FakeMaker, owner: str) -> None:
    """Their versions lie at different paths; a name with a slash is one package."""
    github.owner = owner
    name = ImageName(github.host, "shop/api/worker")
    kept = push_index(github.shelf, name, "1.4.2")
    tag_again(github.shelf, name, kept, "f")
    registry = open_maker(github)
    registry.untag(name, "f", expect=kept.digest)
    assert ["1.4.2"] == list(registry.tags(name))
    assert kept.digest == registry.resolve(name, "1.4.2")
    assert any("/container/api%2Fworker/versions/" in path for _, path in github.asked)


def test_a_version_that_has_got_a_tag_stays(github: FakeMaker) -> None:
    """A deletion would take the tag along, whoever gave it a moment ago."""
    name, pushed = push(github)
    registry = open_maker(github)
    seen = {"f": f"sha256:{'c' * 64}"}  # what the caller believes of the only tag
    with pytest.raises(Conflict, match="is what its tag f names"):
        registry.delete(name, pushed.digest, known=seen)
    assert pushed.digest == registry.resolve(name, "f")


def test_more_versions_than_a_page(github: FakeMaker) -> None:
    """Pages are read until the digest is found, once; then only its own version is asked about."""
    name, first = push(github)
    del github.shelf.repositories[name].tags["f"]
    for number in range(60):
        push_index(github.shelf, name, f"b{number}", salt=str(number), attested=False)
    registry = open_maker(github)
    for digest in (first.digest, *first.children):
        registry.delete(name, digest, known={})
    assert first.digest not in github.shelf.repositories[name].manifests
    pages = [path for _, path in github.asked if "page=" in path]
    assert 2 == len(pages)
    assert 60 == len(github.shelf.repositories[name].tags)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        ((400, "versions with more than 5,000 downloads cannot be deleted"), Denied),
        ((403, "you need admin access"), Denied),
        ((503, "later"), Unavailable),
    ],
)
def test_what_is_refused_changes_nothing(
    maker: FakeMaker, refusal: tuple[int, str], kind: type[GitopsError]
) -> None:
    """The tag has its image back, and the maker's word is told."""
    name, pushed = push(maker)
    maker.refuses = refusal
    registry = open_maker(maker)
    with pytest.raises(kind) as caught:
        registry.untag(name, "f", expect=pushed.digest)
    assert pushed.digest == registry.resolve(name, "f")
    if maker.kind == "github":
        assert refusal[1] in caught.value.message


@pytest.mark.parametrize("maker", ["github", "hub"], indirect=True)
def test_nobody_signed_in(maker: FakeMaker) -> None:
    """Said before anything has changed, with what to do."""
    name, pushed = push(maker)
    registry = open_maker(maker, GITHUB_TOKEN="", DOCKER_AUTH_CONFIG="")
    with pytest.raises(Denied) as caught:
        registry.untag(name, "f", expect=pushed.digest)
    hint = "set GITHUB_TOKEN (with delete:packages)" if maker.kind == "github" else "docker login"
    assert hint in (caught.value.hint or "")
    assert [] == writes(maker)


@pytest.mark.parametrize("maker", ["github", "hub"], indirect=True)
def test_credentials_that_are_not_taken(maker: FakeMaker) -> None:
    """An expired token, a wrong password: told before anything has changed, without showing it."""
    name, pushed = push(maker)
    wrong = f'{{"auths": {{"{maker.host}": {{"username": "ana", "password": "swordfish"}}}}}}'
    registry = open_maker(maker, GITHUB_TOKEN="swordfish", DOCKER_AUTH_CONFIG=wrong)
    with pytest.raises(Denied) as caught:
        registry.untag(name, "f", expect=pushed.digest)
    assert "swordfish" not in told(caught.value)
    assert [] == writes(maker)


def test_a_token_goes_to_its_own_server(github: FakeMaker) -> None:
    """What is for github.com is sent to no other."""
    name, pushed = push(github)
    registry = open_maker(github, GITHUB_SERVER_URL="https://github.com")
    with pytest.raises(Denied, match="there is no token for it"):
        registry.untag(name, "f", expect=pushed.digest)
    assert not any(path.startswith("/api/") for _, path in github.asked)


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("ghcr.io", "github https://api.github.com"),
        ("containers.acme.ghe.com", "github https://api.acme.ghe.com"),
        ("containers.git.example.com", "github https://git.example.com/api/v3"),
        ("docker.io", "hub https://hub.docker.com"),
        ("registry.example.com", ""),
        ("ghcr.io.example.com", ""),
    ],
)
def test_makers_are_known_by_their_hosts(host: str, kind: str) -> None:
    """And nobody else is asked by their interfaces."""
    assert kind == _kind_of(host)
