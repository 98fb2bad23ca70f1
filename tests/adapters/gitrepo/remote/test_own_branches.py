"""Branches below `gitops/` come by their whole names, whatever else somebody pushed there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops.adapters.gitrepo import open_repository
from gitops.errors import NotFound, TooLarge
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer

LARGE = 3_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """A repository with junk of three megabytes on branches that look like ours."""
    repo = Repo.bare(tmp_path / "srv" / "m.git")
    repo.commit({"gitops.yaml": b"x\n"}, "first\n")
    for branch in ("gitops/junk", "gitops/ledger-2", "gitops/ledger.old", "gitops/prod"):
        repo.git("branch", branch, "main")
        repo.commit({"junk": os.urandom(LARGE)}, "junk\n", branch=branch)
    with GitServer(repo.path.parent) as running:
        yield running


def sent(server: GitServer) -> int:
    """Return the bytes that the server has sent."""
    return sum(one.sent for one in server.requests)


@pytest.mark.parametrize("ledger", [True, False])
def test_junk_costs_nothing(server: GitServer, tmp_path: Path, ledger: bool) -> None:
    """Reading history and the ledger fetches neither junk nor a proposal that nobody asked for."""
    repo = Repo(tmp_path / "srv" / "m.git")
    if ledger:
        repo.git("branch", "gitops/ledger", "main")
        repo.commit({"dev.jsonl": b"{}\n"}, "word\n", branch="gitops/ledger")
    with open_repository(f"{server.url}/m.git", environ=ENVIRON, timeout=20) as repository:
        repository.begin("main", "history")
        tip = repository.snapshot("main")
        assert len(list(repository.history(tip.commit, "."))) >= 1
        if ledger:
            asked = len(server.requests)
            assert repository.snapshot("gitops/ledger").read("dev.jsonl") == b"{}\n"
            assert len(server.requests) == asked  # it came along
        else:
            with pytest.raises(NotFound):
                repository.snapshot("gitops/ledger")

    assert sent(server) < LARGE / 10


def test_a_proposal_is_bounded(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A branch of ours that holds too much is refused, and says which."""
    monkeypatch.setattr("gitops.adapters.gitrepo.remote.fetching.MOST_OWN", 1 << 20)
    with open_repository(f"{server.url}/m.git", environ=ENVIRON, timeout=20) as repository:
        repository.snapshot("main")
        with pytest.raises(TooLarge, match="gitops/prod"):
            repository.snapshot("gitops/prod")


def test_proposals_are_bounded_together(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that holds too much bars the common request, and no other branch by itself."""
    repo = Repo(tmp_path / "srv" / "m.git")
    small = [f"gitops/app-{number}/prod" for number in range(3)]
    for branch in small:
        repo.git("branch", branch, "main")
        repo.commit({"a": branch.encode()}, "small\n", branch=branch)
    monkeypatch.setattr("gitops.adapters.gitrepo.remote.fetching.MOST_OWN", 1 << 20)
    with open_repository(f"{server.url}/m.git", environ=ENVIRON, timeout=20) as repository:
        repository.snapshot("main")
        repository.gather_branches(["gitops/prod", *small])

        assert [repo.head(one) for one in small] == [
            repository.snapshot(one).commit for one in small
        ]


def test_many_proposals_are_looked_for_in_one_listing(server: GitServer) -> None:
    """Branches that are not there cost one listing; one that is there, or made later, is found."""
    with open_repository(f"{server.url}/m.git", environ=ENVIRON, timeout=20) as repository:
        repository.snapshot("main")
        for number in range(3):
            with pytest.raises(NotFound):
                repository.snapshot(f"gitops/app-{number}/prod")
        asked = len(server.requests)
        for number in range(3, 50):
            with pytest.raises(NotFound):
                repository.snapshot(f"gitops/app-{number}/prod")
        assert len(server.requests) == asked

        repo = Repo(Path(server.root) / "m.git")
        repo.git("branch", "gitops/app-7/prod", "main")
        assert repository.snapshot("gitops/app-7/prod").commit == repo.head("main")
