"""Branches of our own, in a process whose calls take turns on one repository."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops.adapters.gitrepo.repository import open_repository
from gitops.ports import NewCommit, RefUpdate
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer

LEDGER = "gitops/ledger"


def test_what_was_listed_before_a_push_is_old(tmp_path: Path) -> None:
    """One call moves the ledger after another one has read a tip: who asks next sees the move."""
    repo = Repo.bare(tmp_path / "m.git")
    repo.commit({"a": b"1"})
    repo.git("branch", LEDGER, "main")
    environ = {**os.environ, **ENVIRON, "GITOPS_CACHE": "off"}
    with (
        GitServer(tmp_path) as server,
        open_repository(f"{server.url}/m.git", environ=environ) as kept,
    ):
        kept.again()
        kept.snapshot()
        old = kept.snapshot(LEDGER).commit
        kept.snapshot()  # somebody else's call: the branches are listed with it
        line = NewCommit((old,), {"b": b"2"}, "line\n", datetime.now(UTC))
        new = kept.create(line)
        assert kept.push([RefUpdate(f"refs/heads/{LEDGER}", old, new)]) is None

        assert new == kept.snapshot(LEDGER).commit
        assert new == kept.own_branches()[LEDGER]


def test_what_others_are_about_to_push_stays_new(tmp_path: Path) -> None:
    """A call pushes alone while the commits of a round stand there: they come along with theirs."""
    repo = Repo.bare(tmp_path / "m.git")
    base = repo.commit({"a": b"1"})
    environ = {**os.environ, **ENVIRON, "GITOPS_CACHE": "off"}
    with (
        GitServer(tmp_path) as server,
        open_repository(f"{server.url}/m.git", environ=environ) as kept,
    ):
        kept.again()
        tip = kept.snapshot().commit
        commits = [
            kept.create(NewCommit((tip,), {name: b"2"}, f"{name}\n", datetime.now(UTC)))
            for name in ("b", "c")
        ]
        alone, waits = commits
        assert kept.push([RefUpdate("refs/heads/main", tip, alone)]) is None
        assert kept.push([RefUpdate("refs/heads/gitops/x/prod", None, waits)]) is None

    assert base == tip
    assert b"2" == repo.show("c", "gitops/x/prod")


def test_a_long_life_remembers_little_of_the_past(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that read the history of one tip after another do not pile it up, and read it right."""
    monkeypatch.setattr("gitops.adapters.gitrepo.archive.evidence._COMMITS", 20)
    repo = Repo.bare(tmp_path / "m.git")
    environ = {**os.environ, **ENVIRON, "GITOPS_CACHE": "off"}
    with open_repository(str(repo.path), environ=environ) as kept:
        for number in range(1, 13):
            repo.commit({"a/kustomization.yaml": f"n: {number}".encode()})
            kept.again()
            before = kept._history().size()
            versions = list(kept.history(kept.snapshot().commit, "a"))
            assert number == len(versions)
            assert before <= 20
