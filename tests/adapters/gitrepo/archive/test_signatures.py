"""Who signed what on the ledger, with keys that ssh-keygen makes here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops.adapters.gitrepo import GitRepository, open_repository
from gitops.errors import NotFound
from gitops.ports import NewCommit, RefUpdate
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEDGER = "refs/heads/gitops/ledger"


def make_key(folder: Path, name: str) -> tuple[Path, str]:
    """Make a key pair; return the private file and a line of an allowed-signers file."""
    path = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True
    )
    public = path.with_suffix(".pub").read_text().split()
    return path, f"{name}@example.com {public[0]} {public[1]}\n"


def signing(key: Path) -> dict[str, str]:
    """The environment of somebody who signs every commit with `key`."""
    pairs = {"commit.gpgsign": "true", "gpg.format": "ssh", "user.signingkey": str(key)}
    numbered = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (name, value) in enumerate(pairs.items()):
        numbered |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return ENVIRON | numbered


@dataclass
class World:
    """A bare repository, where it is reached, and two keys."""

    repo: Repo
    location: str
    ana: tuple[Path, str]
    eve: tuple[Path, str]

    def append(self, line: bytes, environ: dict[str, str]) -> str:
        """Append a line to dev.jsonl of the ledger, as somebody."""
        with open_repository(self.location, environ=environ) as repository:
            old = self.repo.head("gitops/ledger")
            content = b""
            if old is not None:
                content = repository.snapshot("gitops/ledger").read("dev.jsonl") or b""
            parents = (old,) if old is not None else ()
            new = repository.create(
                NewCommit(parents, {"dev.jsonl": content + line}, "ledger\n", NOW)
            )
            assert repository.push([RefUpdate(LEDGER, old, new)]) is None
            return new


@pytest.fixture(params=["http", "bare"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A repository over HTTP, and one reached by its path."""
    repo = Repo.bare(tmp_path / "m.git")
    repo.commit({"gitops.yaml": b"branch: main\n"})
    keys = make_key(tmp_path, "ana"), make_key(tmp_path, "eve")
    if request.param == "bare":
        yield World(repo, str(repo.path), *keys)
        return
    with GitServer(tmp_path) as server:
        yield World(repo, f"{server.url}/m.git", *keys)


def opened(world: World) -> GitRepository:
    """Open the repository as somebody who signs nothing."""
    return open_repository(world.location, environ=ENVIRON)


def test_listed_unlisted_and_unsigned(world: World) -> None:
    """Only a commit that a listed key signed has a signer."""
    listed = world.append(b"1\n", signing(world.ana[0]))
    unlisted = world.append(b"2\n", signing(world.eve[0]))
    unsigned = world.append(b"3\n", dict(ENVIRON))
    commits = [listed, unlisted, unsigned]

    with opened(world) as repository:
        repository.file_history(repository.snapshot("gitops/ledger").commit, "dev.jsonl")
        one = repository.signed_by(commits, world.ana[1].encode())
        both = repository.signed_by(commits, (world.ana[1] + world.eve[1]).encode())
        none = repository.signed_by(commits, b"")

    assert {listed: "ana@example.com"} == one
    assert {listed: "ana@example.com", unlisted: "eve@example.com"} == both
    assert {} == none


def test_signature_moved_to_another_commit(world: World) -> None:
    """A signature counts for the commit that it was made for, and for no other."""
    listed = world.append(b"1\n", signing(world.ana[0]))
    body = world.repo.git("cat-file", "commit", listed)
    forged = world.repo.git(
        "hash-object",
        "-t",
        "commit",
        "-w",
        "--stdin",
        feed=body.replace("ledger", "edited").encode(),
    ).strip()

    with opened(world) as repository:
        repository.snapshot("gitops/ledger")
        world.repo.git("update-ref", LEDGER, forged)
        repository.snapshot("gitops/ledger")
        signed = repository.signed_by([forged], world.ana[1].encode())

    assert {} == signed


def test_key_for_files_only(world: World) -> None:
    """A key that the list allows for other things than Git signs no commit."""
    listed = world.append(b"1\n", signing(world.ana[0]))
    name, rest = world.ana[1].split(" ", 1)

    with opened(world) as repository:
        repository.snapshot("gitops/ledger")
        signed = repository.signed_by([listed], f'{name} namespaces="file" {rest}'.encode())

    assert {} == signed


def test_file_history_of_a_long_ledger(world: World) -> None:
    """Every change of one file is told, oldest first, other files' commits are not."""
    lines = [b"".join(b"%d\n" % k for k in range(n + 1)) for n in range(60)]
    changes: list[tuple[dict[str, bytes | None], str]] = [
        ({"shop/dev.jsonl": content}, "line\n") for content in lines
    ]
    changes.insert(30, ({"prod.jsonl": b"x\n"}, "other\n"))
    changes.append(({"shop/dev.jsonl": None}, "gone\n"))
    commits = world.repo.commits(changes, branch="gitops/ledger", parents=[])
    del commits[30]

    with opened(world) as repository:
        tip = repository.snapshot("gitops/ledger").commit
        told = repository.file_history(tip, "shop/dev.jsonl")
        nothing = repository.file_history(tip, "dev.jsonl")

    assert commits == [change.commit.commit for change in told]
    assert [*lines, None] == [change.after for change in told]
    assert [None, *lines] == [change.before for change in told]
    assert all(change.complete for change in told)
    assert () == nothing


def test_merge_leaves_nothing_out(world: World) -> None:
    """A merge whose first parent knows less does not hide what was on the branch."""
    first = world.repo.commit({"dev.jsonl": b"1\n"}, branch="gitops/ledger", parents=[])
    second = world.repo.commit({"dev.jsonl": b"1\n2\n"}, branch="gitops/ledger")
    side = world.repo.commit({"x": b""}, branch="side", parents=[first])
    world.repo.commit({}, branch="gitops/ledger", parents=[side, second])

    with opened(world) as repository:
        snapshot = repository.snapshot("gitops/ledger")
        hidden = snapshot.read("dev.jsonl")
        told = repository.file_history(snapshot.commit, "dev.jsonl")

    assert b"1\n" == hidden
    assert [first, second] == [change.commit.commit for change in told]


def test_no_ssh_keygen(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without ssh-keygen nobody is taken for unsigned: it is said."""
    listed = world.append(b"1\n", signing(world.ana[0]))
    with opened(world) as repository:
        repository.snapshot("gitops/ledger")
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(NotFound, match="ssh-keygen is not on PATH"):
            repository.signed_by([listed], world.ana[1].encode())
