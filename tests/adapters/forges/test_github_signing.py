"""Commits that GitHub makes and signs for an App: the very same object is made and pushed here."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.forges.test_github_app import AppServer, environ
from forges.json_server import Call, Reply
from gitops.adapters.forges.github.signing import AppSigner
from gitops.adapters.gitrepo.repository import open_repository
from gitops.adapters.local.clock import SystemClock
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import choose_token
from gitops.errors import Unavailable
from gitops.ports import NewCommit, RefUpdate
from gitrepos import ENVIRON, Repo

SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\nwsFcBAABCAAQ\n=abcd\n-----END PGP SIGNATURE-----\n"
BOT = "shop-ci[bot] <74+shop-ci[bot]@users.noreply.github.com>"
PAGE = "GitHub <noreply@github.com>"


class SigningServer(AppServer):
    """Keeps objects in a repository, as GitHub does, and signs what an App makes.

    Attributes:
        end: how the signature ends in the object.
        signs: False: it makes commits without a signature.
    """

    def __init__(self, repo: Repo) -> None:
        super().__init__()
        self.repo = repo
        self.end = "\n"
        self.signs = True
        root = "/api/v3/repos/shop/manifests/git"
        self.route("POST", f"{root}/trees", self._tree)
        self.route("POST", f"{root}/commits", self._commit)

    def _tree(self, call: Call) -> Reply:
        assert "Bearer ghs_0123456789abcdef" == call.headers["authorization"]
        self._git("read-tree", call.body.get("base_tree") or "--empty")
        for entry in call.body["tree"]:
            if entry.get("sha", "") is None:
                gone = f"0 {'0' * 40}\t{entry['path']}\n"
                self._git("update-index", "--index-info", feed=gone)
                continue
            blob = self._git("hash-object", "-w", "--stdin", feed=entry["content"])
            place = f"{entry['mode']},{blob},{entry['path']}"
            self._git("update-index", "--add", "--cacheinfo", place)
        return Reply(201, {"sha": self._git("write-tree")})

    def _git(self, *arguments: str, feed: str = "") -> str:
        """Run git with an index of the server's own."""
        index = {"GIT_INDEX_FILE": str(self.repo.path / "index-of-the-server")}
        return subprocess.run(
            ["git", f"--git-dir={self.repo.git_dir}", *arguments],
            env={**ENVIRON, **index},
            input=feed,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def _commit(self, call: Call) -> Reply:
        assert "author" not in call.body
        parents = "".join(f"parent {one}\n" for one in call.body["parents"])
        head = f"tree {call.body['tree']}\n{parents}"
        people = f"author {BOT} 1767603600 +0000\ncommitter {PAGE} 1767603600 +0000"
        payload = f"{head}{people}\n\n{call.body['message']}"
        if not self.signs:
            return Reply(201, {"sha": "0" * 40, "verification": {"verified": False}})
        headers, _, message = payload.partition("\n\n")
        folded = (SIGNATURE.rstrip("\n") + self.end).replace("\n", "\n ")
        body = f"{headers}\ngpgsig {folded}\n\n{message}".encode()
        oid = hashlib.sha1(b"commit %d\0" % len(body) + body).hexdigest()
        proof = {"verified": True, "signature": SIGNATURE, "payload": payload}
        return Reply(201, {"sha": oid, "verification": proof})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SigningServer]:
    """Start GitHub's interface over a repository with one commit."""
    repo = Repo.bare(tmp_path / "shop.git")
    repo.commit({"a/one.yaml": b"tag: 1\n", "b/two.yaml": b"x\n"})
    with SigningServer(repo) as started:
        yield started
        assert not started.faults, started.faults


def write(server: SigningServer, files: dict[str, bytes | None]) -> str:
    """Make a commit of files on main and push it; return its id."""
    address = ForgeAddress("github", server.url, "shop/manifests")
    app = choose_token(address, environ(server)).token
    assert app is not None
    clock = SystemClock()
    with open_repository(str(server.repo.path), environ=identity()) as repository:
        repository.signer = AppSigner(address, app, clock, 10.0, {})
        tip = repository.snapshot("main").commit
        new = repository.create(NewCommit((tip,), files, "dev: api 1 -> 2\n", clock.now()))
        assert None is repository.push([RefUpdate("refs/heads/main", tip, new)])
        return new


def identity() -> dict[str, str]:
    """Return the variables of somebody with a name."""
    who = {"NAME": "Ana", "EMAIL": "ana@example.com"}
    people = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
    return {**os.environ, **people}


@pytest.mark.parametrize("end", ["\n", ""])
def test_the_signed_object_lands(server: SigningServer, end: str) -> None:
    """Whatever way the signature ends, the object is GitHub's, with its signature and author."""
    server.end = end
    new = write(server, {"a/one.yaml": b"tag: 2\n", "b/two.yaml": None})

    assert new == server.repo.head("main")
    shown = server.repo.git("cat-file", "commit", new)
    assert "gpgsig -----BEGIN PGP SIGNATURE-----" in shown
    assert f"author {BOT}" in shown
    assert b"tag: 2\n" == server.repo.show("a/one.yaml", "main")
    assert None is server.repo.show("b/two.yaml", "main")


def test_what_is_not_signed_is_not_pushed(server: SigningServer) -> None:
    """A commit without a signature is told, and nothing lands."""
    server.signs = False
    before = server.repo.head("main")
    with pytest.raises(Unavailable) as caught:
        write(server, {"a/one.yaml": b"tag: 2\n"})

    assert "did not sign" in caught.value.message
    assert before == server.repo.head("main")


def test_another_commit_than_was_asked_for(server: SigningServer) -> None:
    """A server that makes something else is not believed."""
    before = server.repo.head("main")
    other = server.repo.git("rev-parse", "main^{tree}").strip()
    server._routes = [
        (verb, path, (lambda call: Reply(201, {"sha": other})) if "trees" in path.pattern else how)
        for verb, path, how in server._routes
    ]
    with pytest.raises(Unavailable):
        write(server, {"a/one.yaml": b"tag: 2\n"})

    assert before == server.repo.head("main")
