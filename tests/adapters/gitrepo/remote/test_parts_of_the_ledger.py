"""Of a large ledger the newest words come; the rest when somebody asks, and never wrongly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops.adapters.gitrepo import open_repository
from gitops.adapters.gitrepo.remote.remote import Remote
from gitops.adapters.gitrepo.repository import GitRepository
from gitops.core.ledger import LARGEST_PART
from gitops.errors import ManifestError
from gitops.ports import NewCommit, RefUpdate
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer

LEDGER = "gitops/ledger"
NAMES = ("dev.jsonl", "dev.2.jsonl", "dev.3.jsonl", "dev.4.jsonl")
FILES = {name: os.urandom(LARGEST_PART // 2).hex().encode() for name in NAMES[:3]} | {
    "dev.4.jsonl": b"newest\n"
}
"""Hex, so that each is half of its size on its way."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """A ledger of three files that gitops would leave as they are, and a newest one."""
    repo = Repo.bare(tmp_path / "m.git")
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.commit({"gitops.yaml": b"x\n"})
    repo.commit(FILES, "words\n", branch=LEDGER, parents=[])
    with GitServer(tmp_path) as running:
        yield running


@pytest.fixture
def opened(server: GitServer) -> Iterator[GitRepository]:
    """The repository, as `qa` begins to read it."""
    environ = {**ENVIRON, "GITOPS_CACHE": "off"}
    with open_repository(f"{server.url}/m.git", environ=environ, timeout=20) as repository:
        repository.begin("main", "releases")
        repository.snapshot("main")
        yield repository


def requests(server: GitServer) -> int:
    """How many the server has answered."""
    return len(server.requests)


def test_what_nobody_reads_does_not_come(server: GitServer, opened: GitRepository) -> None:
    """Listing and newest words take a request; one file more another one, all the rest a third."""
    before = requests(server)
    ledger = opened.snapshot(LEDGER)

    assert set(ledger.entries("")) == set(NAMES)
    assert ledger.read("dev.4.jsonl") == FILES["dev.4.jsonl"]
    assert requests(server) == before + 1
    assert sum(one.sent for one in server.requests) < LARGEST_PART / 10
    assert ledger.read("dev.3.jsonl") == FILES["dev.3.jsonl"]
    assert requests(server) == before + 2
    assert sum(one.sent for one in server.requests) < LARGEST_PART
    assert {name: ledger.read(name) for name in NAMES} == FILES
    assert requests(server) == before + 3


def test_a_server_that_leaves_nothing_out(server: GitServer, opened: GitRepository) -> None:
    """All comes at once, and is there."""
    Repo(Path(server.root) / "m.git").git("config", "uploadpack.allowFilter", "false")
    ledger = opened.snapshot(LEDGER)
    before = requests(server)

    assert {name: ledger.read(name) for name in NAMES} == FILES
    assert requests(server) == before


def test_no_ledger_is_known_without_asking(server: GitServer, opened: GitRepository) -> None:
    """Where the listing has none nobody asks for it, until a push made it."""
    repo = Repo(Path(server.root) / "m.git")
    repo.git("update-ref", "-d", f"refs/heads/{LEDGER}")
    with open_repository(f"{server.url}/m.git", environ=ENVIRON, timeout=20) as other:
        other.begin("main", "releases")
        tip = other.snapshot("main")
        before = requests(server)
        new = other.create(NewCommit((), {"dev.jsonl": b"1\n"}, "word\n", datetime.now(UTC)))

        with pytest.raises(Exception, match="no branch gitops/ledger"):
            other.snapshot(LEDGER)
        assert requests(server) == before
        assert other.push([RefUpdate(f"refs/heads/{LEDGER}", None, new)]) is None
        assert other.snapshot(LEDGER).read("dev.jsonl") == b"1\n"
        assert tip.read("gitops.yaml") == b"x\n"


@pytest.mark.parametrize("by_git", [False, True])
def test_a_word_on_top_of_it(server: GitServer, opened: GitRepository, by_git: bool) -> None:
    """What was made on a ledger that is not whole here is pushed, by git, too, and read again."""
    old = opened.snapshot(LEDGER).commit
    source = opened._source
    assert isinstance(source, Remote)
    if by_git:
        source._exchange.give_up()
    line = NewCommit((old,), {"dev.4.jsonl": b"newest\nnew\n"}, "word\n", datetime.now(UTC))
    new = opened.create(line)

    assert opened.push([RefUpdate(f"refs/heads/{LEDGER}", old, new)]) is None
    ledger = opened.snapshot(LEDGER)
    assert ledger.commit == new
    assert {name: ledger.read(name) for name in NAMES} == FILES | {"dev.4.jsonl": b"newest\nnew\n"}
    repo = Repo(Path(server.root) / "m.git")
    assert repo.show("dev.jsonl", LEDGER) == FILES["dev.jsonl"]
    assert opened._history().file_changes(new, "dev.jsonl")[0].after == FILES["dev.jsonl"]


@pytest.mark.parametrize("by_git", [False, True])
def test_what_is_too_large_stays_out(
    server: GitServer, opened: GitRepository, monkeypatch: pytest.MonkeyPatch, by_git: bool
) -> None:
    """A file that no one should have put there is given up on its way, whoever fetches it."""
    repo = Repo(Path(server.root) / "m.git")
    repo.commit({"dev.jsonl": os.urandom(6 << 20)}, "junk\n", branch=LEDGER)
    monkeypatch.setattr("gitops.adapters.gitrepo.remote.remote.LARGEST", 1 << 20)
    with open_repository(f"{server.url}/m.git", environ=ENVIRON, timeout=20) as other:
        other.begin("main", "releases")
        other.snapshot("main")
        ledger = other.snapshot(LEDGER)
        if by_git:
            source = other._source
            assert isinstance(source, Remote)
            source._exchange.give_up()
        assert [ledger.read(name) for name in NAMES[:0:-1]] == [FILES[one] for one in NAMES[:0:-1]]
        for _ in range(2):
            with pytest.raises(ManifestError, match="too large"):
                ledger.read("dev.jsonl")


def test_a_small_ledger_is_whole(server: GitServer) -> None:
    """Where nothing was left out a later fetch brings what is new, and no more."""
    repo = Repo(Path(server.root) / "m.git")
    small = {f"app-{one}/dev.jsonl": os.urandom(3000) for one in range(20)}
    repo.commit(small, "words\n", branch=LEDGER, parents=[])
    with open_repository(f"{server.url}/m.git", environ=ENVIRON, timeout=20) as other:
        other.begin("main", "releases")
        other.snapshot("main")
        other.snapshot(LEDGER)
        repo.commit({"app-1/dev.jsonl": b"1\n"}, "word\n", branch=LEDGER)
        sent = sum(one.sent for one in server.requests)
        ledger = other.snapshot(LEDGER)

        assert ledger.read("app-1/dev.jsonl") == b"1\n"
        assert ledger.read("app-2/dev.jsonl") == small["app-2/dev.jsonl"]
        assert sum(one.sent for one in server.requests) - sent < 5000
