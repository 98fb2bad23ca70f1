"""Refs beside the branches, on real Git: bounds, and where they are not used at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops.adapters.gitrepo import open_repository
from gitops.errors import Denied
from gitops.ports import RefUpdate
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer

PREFIX = "refs/gitops/intents/"
FILE = "overlays/dev/kustomization.yaml"


@pytest.fixture
def bare(tmp_path: Path) -> Repo:
    """A bare repository with one commit."""
    repo = Repo.bare(tmp_path / "m.git")
    repo.git("config", "http.receivepack", "true")
    repo.commit({FILE: b"tag 1\n"}, "first\n")
    return repo


@pytest.fixture
def url(bare: Repo, tmp_path: Path) -> Iterator[str]:
    """The same over HTTP."""
    with GitServer(tmp_path) as server:
        yield f"{server.url}/m.git"


def publish(bare: Repo, name: str, content: bytes) -> str:
    """Put a blob under a ref, as anybody may."""
    oid = bare.git("hash-object", "-w", "--stdin", feed=content).strip()
    bare.git("update-ref", PREFIX + name, oid)
    return oid


def test_what_is_too_much_to_be_intents_is_not_read(bare: Repo, url: str) -> None:
    """Somebody hides 17 MB there: the look is refused, and the branch can be read without it."""
    publish(bare, "bomb", os.urandom(17 << 20))
    with open_repository(url, environ=ENVIRON) as repository:
        repository.snapshot("main")
        with pytest.raises(Denied, match=r"more than 16 MB lies under refs/gitops/intents/"):
            repository.intents().gather("main", PREFIX)

        assert bare.head() == repository.snapshot("main").commit


def test_many_refs_with_odd_names(bare: Repo, url: str) -> None:
    """Hundreds of refs, folders among them, are listed as they are, in three requests."""
    oid = publish(bare, "deep/er/than-usual", b"x")
    orders = "".join(f"create {PREFIX}flood-{number:04} {oid}\n" for number in range(300))
    bare.git("update-ref", "--stdin", feed=orders.encode())
    with open_repository(url, environ=ENVIRON) as repository:
        repository.snapshot("main")
        refs = repository.intents().gather("main", PREFIX).refs

    assert 301 == len(refs)
    assert oid == refs[PREFIX + "deep/er/than-usual"] == refs[PREFIX + "flood-0299"]


def test_a_base_behind_the_cut_is_reached(bare: Repo, url: str) -> None:
    """A commit further back than what was read is fetched when it is asked for."""
    first = bare.head()
    assert first is not None
    bare.commits([({FILE: f"tag {number}\n".encode()}, f"{number}\n") for number in range(130)])
    with open_repository(url, environ=ENVIRON) as repository:
        intents = repository.intents()
        repository.snapshot("main")
        tip = intents.gather("main", PREFIX).snapshot.commit
        near = intents.recent(tip, [])
        far = intents.recent(tip, [first])

    assert first not in {parent for info in near for parent in info.parents}
    assert first in {parent for info in far for parent in info.parents}
    assert 130 <= len(far)


def test_the_true_parents_at_the_cut(bare: Repo, url: str) -> None:
    """The oldest commit that was read names its parent, though nobody has that here."""
    first = bare.head()
    tip = bare.commit({FILE: b"tag 2\n"})
    with open_repository(url, environ=ENVIRON) as repository:
        repository.snapshot("main")
        found = repository.intents().recent(tip, [])

    assert [(tip, (first,))] == [(info.commit, info.parents) for info in found]


def test_where_commits_are_signed_nobody_carries(bare: Repo, url: str) -> None:
    """`commit.gpgSign` asks for signatures, and nobody signs for others."""
    signs = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "commit.gpgSign",
        "GIT_CONFIG_VALUE_0": "true",
    }
    with open_repository(url, environ=ENVIRON | signs) as repository:
        assert "signed" in (repository.intents().obstacle() or "")


def test_where_writers_cannot_meet_nobody_carries(bare: Repo, tmp_path: Path) -> None:
    """A checkout without a remote, and one that is fetched and pushed elsewhere."""
    alone = Repo.checkout(tmp_path / "alone")
    alone.commit({FILE: b"tag 1\n"})
    bare.git("clone", "-q", str(bare.path), str(tmp_path / "clone"))
    clone = Repo(tmp_path / "clone", tmp_path / "clone" / ".git")
    clone.git("config", "remote.origin.pushUrl", str(tmp_path / "elsewhere.git"))

    with open_repository(str(alone.path), environ=ENVIRON) as repository:
        assert "without a remote" in (repository.intents().obstacle() or "")
    with open_repository(str(clone.path), environ=ENVIRON) as repository:
        assert "pushed to another" in (repository.intents().obstacle() or "")


def test_the_key_is_shown_to_nobody(bare: Repo, tmp_path: Path) -> None:
    """A hook of the repository, which git starts, does not find the key in its environment."""
    bare.hook("pre-receive", f"env >{tmp_path}/seen")
    environ = ENVIRON | {"GITOPS_COMBINE_KEY": "a key that the jobs share"}
    with open_repository(str(bare.path), environ=environ) as repository:
        repository.snapshot("main")
        oid = repository.intents().store(b"x")
        repository.push([RefUpdate(PREFIX + "one-00000001", None, oid)])

    seen = (tmp_path / "seen").read_text()
    assert "GIT_AUTHOR_NAME=Ana" in seen
    assert "COMBINE" not in seen
