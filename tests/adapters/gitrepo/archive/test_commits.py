"""Any commit of a repository: odd trees, wrong dates, clones that were cut."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops.adapters.gitrepo import GitRepository, open_repository
from gitops.errors import ManifestError, NotFound
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer


@pytest.fixture
def bare(tmp_path: Path) -> Repo:
    """An empty bare repository."""
    return Repo.bare(tmp_path / "m.git")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """Serves every repository of the test."""
    with GitServer(tmp_path) as server:
        yield server


def opened(location: str) -> GitRepository:
    """Open a repository as gitops does."""
    return open_repository(location, environ=ENVIRON)


def raw_commit(repo: Repo, tree: str, parents: list[str], date: int) -> str:
    """Write a commit with any date."""
    lines = [f"tree {tree}", *(f"parent {one}" for one in parents)]
    who = f"Eve <eve@e.com> {date} +0000"
    text = "\n".join([*lines, f"author {who}", f"committer {who}", "", "x\n"])
    return repo.git("hash-object", "-t", "commit", "-w", "--stdin", feed=text.encode()).strip()


def test_kinds_of_entries(bare: Repo) -> None:
    """Links, submodules and executables are told as what they are, and links never followed."""
    blob = bare.git("hash-object", "-w", "--stdin", feed=b"x\n").strip()
    target = bare.git("hash-object", "-w", "--stdin", feed=b"../x").strip()
    listing = (
        f"100644 blob {blob}\tfile\n100755 blob {blob}\trun\n120000 blob {target}\tlink\n"
        f"160000 commit {'1' * 40}\tmodule\n"
    )
    tree = bare.git("mktree", "--missing", feed=listing.encode()).strip()
    commit = raw_commit(bare, tree, [], 1)
    with opened(str(bare.path)) as repository:
        bare.git("update-ref", "refs/heads/main", commit)
        found = repository.commits().tree(commit)
        kinds = {name: found.entry(name) for name in ("file", "run", "link", "module", "link/x")}

        assert {"file": "file", "run": "file", "link": "link", "module": "submodule"} == {
            name: one.kind for name, one in kinds.items() if one is not None
        }
        assert [False, True] == [kinds[name].executable for name in ("file", "run")]  # type: ignore[union-attr]
        assert "../x" == found.target("link")
        with pytest.raises(ManifestError, match="symbolic link"):
            found.read("link")
        with pytest.raises(NotFound):
            found.target("file")


def test_names_that_are_no_text(bare: Repo) -> None:
    """A path with bytes that are no UTF-8 is told and read as any other."""
    blob = bare.git("hash-object", "-w", "--stdin", feed=b"x\n").strip()
    tree = bare.git("mktree", "-z", feed=f"100644 blob {blob}\t".encode() + b"a\xff\0").strip()
    commit = raw_commit(bare, tree, [], 1)
    with opened(str(bare.path)) as repository:
        (path,) = repository.commits().changed(None, commit)

        assert b"a\xff" == path.encode("utf-8", "surrogateescape")
        assert b"x\n" == repository.commits().tree(commit).read(path)


@pytest.mark.parametrize("newest", [1, 2_000_000_000])
def test_dates_prove_nothing(bare: Repo, newest: int) -> None:
    """What a commit has over another is told by parents, whatever dates somebody wrote."""
    tree = bare.git("mktree", feed=b"").strip()
    base = raw_commit(bare, tree, [], newest)
    chain = [base]
    for number in range(12):
        chain.append(raw_commit(bare, tree, [chain[-1]], 1000 + number))
    bare.git("update-ref", "refs/heads/main", chain[-1])
    with opened(str(bare.path)) as repository:
        archive = repository.commits()

        assert () == archive.over(base, chain[-1])
        assert 12 == len(archive.over(chain[-1], base))
        assert base == archive.fork(chain[-1], base)


def test_clone_is_not_touched(bare: Repo, server: GitServer, tmp_path: Path) -> None:
    """What is fetched goes into a store of our own: the clone keeps every byte, and its cut."""
    bare.commits([({"a": str(n).encode()}, "x\n") for n in range(30)])
    url = f"{server.url}/m.git"
    clone = tmp_path / "clone"
    bare.git("clone", "-q", "--depth", "1", url, str(clone))

    def fingerprint() -> str:
        digest = hashlib.sha256()
        for path in sorted((clone / ".git").rglob("*")):
            if path.is_file():
                digest.update(str(path).encode() + path.read_bytes())
        return digest.hexdigest()

    before = fingerprint()
    with opened(str(clone)) as repository:
        archive = repository.commits()
        root = bare.git("rev-list", "--max-parents=0", "main").strip()
        assert 29 == len(archive.over(archive.find(None), root))
        assert [b"0"] == [archive.tree(root).read("a")]

    assert before == fingerprint()


def test_long_history_comes_in_few_fetches(bare: Repo, server: GitServer, tmp_path: Path) -> None:
    """A history of hundreds of commits takes a handful of fetches, each asking for more."""
    commits = bare.commits([({"a": str(n).encode()}, "x\n") for n in range(400)])
    clone = tmp_path / "clone"
    bare.git("clone", "-q", "--depth", "1", f"{server.url}/m.git", str(clone))
    server.requests.clear()
    with opened(str(clone)) as repository:
        found = repository.commits().over(commits[-1], commits[10])

    fetches = [one for one in server.requests if one.method == "GET"]
    assert 389 == len(found)
    assert len(fetches) <= 4


def test_sha256(tmp_path: Path) -> None:
    """Repositories with the other hash are read as well."""
    bare = Repo.bare(tmp_path / "m.git", algorithm="sha256")
    first = bare.commit({"a": b"1"})
    last = bare.commit({"a": b"2"})
    with GitServer(tmp_path) as server, opened(f"{server.url}/m.git") as repository:
        repository.snapshot("main")
        archive = repository.commits()

        assert (("a",), 64) == (archive.changed(first, last), len(archive.find("main")))


def test_signatures_of_any_commit(bare: Repo, tmp_path: Path) -> None:
    """A listed key's signature is told, of commits that no snapshot has read."""
    key = tmp_path / "ana"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    bare.commit({"a": b"1"})
    words = (
        "-c",
        "gpg.format=ssh",
        "-c",
        f"user.signingkey={key}",
        "commit-tree",
        "-S",
        "main^{tree}",
    )
    signed = bare.git(*words, "-p", "main", "-m", "x").strip()
    kind, public, *_ = key.with_suffix(".pub").read_text().split()
    with opened(str(bare.path)) as repository:
        archive = repository.commits()
        unsigned = archive.find("main")
        found = archive.signed_by([signed, unsigned], f"ana@e.com {kind} {public}\n".encode())

    assert {signed: "ana@e.com"} == found


def test_secrets_stay_out_of_words(tmp_path: Path, bare: Repo) -> None:
    """An error about a commit that the remote lacks does not show the password in its URL."""
    bare.commit({"a": b"1"})
    with GitServer(tmp_path) as server:
        server.behaviour.credentials = ("ana", "hunter2")
        url = f"{server.url.replace('://', '://ana:hunter2@')}/m.git"
        with opened(url) as repository, pytest.raises(NotFound) as caught:
            repository.commits().find("1" * 40)

    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "entries",
    [(b"100644 a", b"100644 a"), (b"100644 b", b"100644 a"), (b"040000 a",), (b"100000 a",)],
    ids=["twice", "out-of-order", "padded", "odd"],
)
def test_tree_that_shows_two_things(bare: Repo, entries: tuple[bytes, ...]) -> None:
    """A tree that Git would not write is refused: others may see something else in it."""
    blobs = [bare.git("hash-object", "-w", "--stdin", feed=one).strip() for one in (b"1", b"2")]
    raw = b"".join(
        entry + b"\0" + bytes.fromhex(blob) for entry, blob in zip(entries, blobs, strict=False)
    )
    tree = bare.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", feed=raw).strip()
    commit = raw_commit(bare, tree, [], 1)
    with (
        opened(str(bare.path)) as repository,
        pytest.raises(ManifestError, match="would not write so"),
    ):
        repository.commits().changed(None, commit)


def test_parents_that_are_none(bare: Repo) -> None:
    """A header further down that looks like a parent is none."""
    tree = bare.git("mktree", feed=b"").strip()
    who = "Eve <eve@e.com> 1 +0000"
    text = f"tree {tree}\nauthor {who}\nparent {'1' * 40}\ncommitter {who}\n\nx\n"
    words = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    commit = bare.git(*words, feed=text.encode()).strip()
    with opened(str(bare.path)) as repository:
        assert () == repository.commits().info(commit).parents


def test_tag_that_is_called_like_a_branch(bare: Repo, tmp_path: Path) -> None:
    """A branch goes before a tag of the same name, which anybody may push; an id before both."""
    good = bare.commit({"a": b"1"})
    evil = bare.commit({"a": b"2"}, branch="evil")
    short = good[:8]
    for name in ("main", "origin/main", short):
        bare.git("update-ref", f"refs/tags/{name}", evil)
    clone = tmp_path / "clone"
    bare.git("clone", "-q", str(bare.path), str(clone))
    with opened(str(clone)) as repository:
        archive = repository.commits()

        assert [good] * 4 == [archive.find(name) for name in ("main", "origin/main", "HEAD", good)]
