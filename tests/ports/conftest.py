"""The worlds of the contract test of forges."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from forges import live
from forges.gitea_world import GiteaPlace, gitea_place, gitea_world
from forges.github_world import github_world
from forges.gitlab_world import gitlab_world
from forges.openapi import described
from forges.worlds import World, fake_world
from servers.descriptions import github_description

WORLDS = ("memory", "github", "gitlab", "gitea")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Add the real services that somebody named."""
    if "world" in metafunc.fixturenames:
        real = [f"live-{kind}" for kind in live.named(os.environ)]
        metafunc.parametrize("world", [*WORLDS, *real], indirect=True)


@pytest.fixture(scope="session")
def place_on_gitea(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> GiteaPlace:
    """One repository on the real Gitea, for all tests of this process."""
    server = request.getfixturevalue("gitea")
    return gitea_place(server, tmp_path_factory.mktemp("gitea"))


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A forge with a repository and people around it."""
    kind = request.param
    if kind == "memory":
        yield fake_world()
    elif kind == "github":
        path = github_description()
        with github_world(described(path) if path.is_file() else None, tmp_path) as made:
            yield made
    elif kind == "gitlab":
        with gitlab_world(tmp_path) as made:
            yield made
    elif kind == "gitea":
        with gitea_world(request.getfixturevalue("place_on_gitea")) as made:
            yield made
    else:
        with live.live_world(kind.removeprefix("live-"), os.environ, tmp_path) as made:
            yield made
