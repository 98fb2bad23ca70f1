"""The worlds of the contract test of forges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forges.worlds import World, fake_world

WORLDS = ("memory", "gitea")


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A forge with a repository and people around it."""
    if request.param == "memory":
        yield fake_world()
        return
    from forges.gitea_world import gitea_world

    with gitea_world(request.getfixturevalue("gitea"), tmp_path) as made:
        yield made
