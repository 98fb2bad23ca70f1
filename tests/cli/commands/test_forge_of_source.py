"""A token goes to no server because a file of the repository says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops.core.environments.environment import Config, ForgeSetting
from gitops.ports import NoForge
from gitops.wiring import forge_of_source
from gitrepos import Repo
from servers.git_http import GitServer

CONFIG = Config(branch="main", forge=ForgeSetting("gitea"))


def test_source_on_another_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source repository elsewhere is not asked, and hears of no token."""
    for name in ("ours", "theirs"):
        Repo.bare(tmp_path / name / "m.git").commit({"a": b"1"})
    for name in ("GITEA_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN"):
        monkeypatch.setenv(name, "hunter2")
    with GitServer(tmp_path / "ours") as ours, GitServer(tmp_path / "theirs") as theirs:
        opened = forge_of_source(f"{ours.url}/m.git")(f"{theirs.url}/m.git", CONFIG)
        requests = [*theirs.requests, *ours.requests]

    assert isinstance(opened, NoForge)
    assert "not on the host of this repository" in str(opened.hint)
    assert [] == requests


@pytest.mark.parametrize("url", ["/tmp/somewhere.git", "file:///tmp/somewhere.git"])
def test_source_without_a_host(tmp_path: Path, url: str) -> None:
    """A path has no forge, whatever the manifest repository has."""
    place = Repo.bare(tmp_path / "m.git")
    place.commit({"a": b"1"})
    path = tmp_path / "source.git"
    Repo.bare(path)
    where = url.replace("/tmp/somewhere.git", str(path))

    assert isinstance(forge_of_source(str(place.path))(where, CONFIG), NoForge)
