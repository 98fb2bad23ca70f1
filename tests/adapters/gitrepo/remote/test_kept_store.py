"""The store of a repository that stays open: it is made anew before it is much."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from gitops.adapters.gitrepo.objects.temporary import size_of
from gitops.adapters.gitrepo.remote import remote
from gitops.adapters.gitrepo.repository import open_repository
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer

FILE = "a/kustomization.yaml"


def test_what_has_grown_much_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of many tips do not pile up, long before so many calls that it is made anew anyway."""
    monkeypatch.setattr(remote, "_LOOK", 2)
    monkeypatch.setattr(remote, "_GROWN", 100_000)
    repo, chance = Repo.bare(tmp_path / "m.git"), random.Random(1)
    environ = {**os.environ, **ENVIRON, "GITOPS_CACHE": "off"}
    repo.commit({FILE: b"0"})
    with (
        GitServer(tmp_path) as server,
        open_repository(f"{server.url}/m.git", environ=environ) as kept,
    ):
        for _ in range(12):
            content = chance.randbytes(40_000)
            repo.commit({FILE: content})
            kept.again()
            assert content == kept.snapshot().read(FILE)
            assert size_of(kept._source.store.path) < 300_000


def test_nothing_of_a_closed_store_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The past is read anew where the store was: nothing says of contents that they are here."""
    monkeypatch.setattr(remote, "_CALLS", 3)
    repo = Repo.bare(tmp_path / "m.git")
    environ = {**os.environ, **ENVIRON, "GITOPS_CACHE": "off"}
    first = repo.commit({FILE: b"n: 0"})
    with (
        GitServer(tmp_path) as server,
        open_repository(f"{server.url}/m.git", environ=environ) as kept,
    ):
        for number in range(1, 9):
            repo.commit({FILE: f"n: {number}".encode()})
            before = kept._source.store
            kept.again()
            if kept._source.store is not before:
                assert (kept._reader, kept._tree, kept._since) == (None, None, None)
            tip = kept.snapshot().commit
            kept.gather(tip, ["a", "b"])
            assert number + 1 == len(list(kept.history(tip, "a")))
            assert kept.landed(tip, first) is not None
            assert kept.at(tip).entry(FILE) is not None


def test_a_branch_that_runs_on_in_leaps_stays_known(tmp_path: Path) -> None:
    """However often more came than a first step back brings: each new tip may go as far again."""
    repo = Repo.bare(tmp_path / "m.git")
    environ = {**os.environ, **ENVIRON, "GITOPS_CACHE": "off"}
    repo.commits([({FILE: f"n: {number}".encode()}, "x\n") for number in range(5_000)])
    with (
        GitServer(tmp_path) as server,
        open_repository(f"{server.url}/m.git", environ=environ) as kept,
    ):
        before = kept.snapshot().commit
        for leap in range(6):
            repo.commits([({FILE: f"{leap}: {number}".encode()}, "x\n") for number in range(60)])
            kept.again()
            tip = kept.snapshot().commit
            landed = kept.landed(tip, before)
            assert landed is not None, leap
            assert len(landed.commits) == 60
            before = tip
