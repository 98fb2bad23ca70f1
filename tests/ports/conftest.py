"""The worlds of the contract test of forges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forges.worlds import World, fake_world

WORLDS = ("memory", "github", "gitlab", "gitea")


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A forge with a repository and people around it."""
    if request.param == "memory":
        yield fake_world()
        return
    if request.param == "github":
        from forges.github_world import github_world
        from forges.openapi import described

        with github_world(described(Path("/tmp/forges-npm/api.github.com.json")), tmp_path) as made:
            yield made
        return
    if request.param == "gitlab":
        from forges.gitlab_world import gitlab_world

        with gitlab_world(tmp_path) as made:
            yield made
        return
    from forges.gitea_world import gitea_world

    with gitea_world(request.getfixturevalue("gitea"), tmp_path) as made:
        yield made
