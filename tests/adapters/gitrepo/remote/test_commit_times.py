"""When source commits were made: as a clone knows, or as one listing of a remote tells."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops.adapters.gitrepo import GitSources
from gitops.errors import GitopsError, NotFound
from gitrepos import ENVIRON, Repo

FAR = "https://git.example.com/shop/manifests.git"


@pytest.fixture
def app(tmp_path: Path) -> Repo:
    """A source repository with one commit."""
    repo = Repo.checkout(tmp_path / "app")
    repo.commit({"a": b"1"}, "one")
    return repo


def test_of_a_folder_and_of_a_remote(app: Repo, tmp_path: Path) -> None:
    """Both tell the time of the commit; what is not there is left out, in any kind of folder."""
    commit, strange = app.head() or "", "12" * 20
    made = datetime.fromtimestamp(int(app.git("log", "-1", "--format=%ct").strip()), UTC)
    bare = app.copy(tmp_path / "bare.git")
    (app.path / "src").mkdir()
    places = (str(app.path), str(app.path / "src"), str(bare.path), f"file://{app.path}")
    for place in places:
        with GitSources(ENVIRON, home=lambda: FAR) as sources:
            assert {commit: made} == sources.times(place, {commit, strange}, typed=True)


def test_a_folder_is_read_where_the_caller_names_it(app: Repo, tmp_path: Path) -> None:
    """A folder that only gitops.yaml names is not opened; one that is no repository is told."""
    with GitSources(ENVIRON, home=lambda: FAR) as sources:
        with pytest.raises(GitopsError, match=r"only gitops\.yaml names it"):
            sources.times(str(app.path), {"12" * 20})
        with pytest.raises(NotFound):
            sources.times(str(tmp_path / "none"), {"12" * 20}, typed=True)


def test_nothing_is_asked_for_nothing(tmp_path: Path) -> None:
    """An empty repository knows no commit."""
    empty = Repo.bare(tmp_path / "empty.git")
    for place in (str(empty.path), f"file://{empty.path}"):
        with GitSources(ENVIRON) as sources:
            assert {} == sources.times(place, {"12" * 20}, typed=True)
