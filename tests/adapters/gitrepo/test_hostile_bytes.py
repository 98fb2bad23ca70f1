"""Bytes of servers, caches, killed processes and odd folders: an error of ours, or nothing."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops import interrupts
from gitops.adapters.gitrepo import open_repository
from gitops.adapters.gitrepo.cache.seal import is_sealed
from gitops.adapters.gitrepo.command import messages, process
from gitops.adapters.gitrepo.command.address import address
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.command.settings import SettingLine
from gitops.adapters.gitrepo.local.worktree import CheckoutFiles
from gitops.adapters.gitrepo.objects import pack, reader, temporary
from gitops.adapters.gitrepo.objects.store import Store
from gitops.adapters.gitrepo.remote.sources import GitSources
from gitops.adapters.gitrepo.wire import http, wire
from gitops.adapters.gitrepo.wire.terms import find_terms
from gitops.errors import Denied, GitopsError, ManifestError, NotFound, UsageError
from gitops.ports import NewCommit, RefUpdate
from tests.gitrepos import Repo

NULL = "0" * 40


@pytest.fixture
def git() -> Git:
    """Runs git as the caller does."""
    return Git(dict(os.environ))


def test_a_seal_of_other_letters_is_none() -> None:
    """Damage may make any bytes of a seal: nobody made that one."""
    assert not is_sealed(b"k" * 32, b"content", "\xe9\xff")


def test_a_ref_with_a_tab_in_its_name() -> None:
    """A server tells any names: the others are read all the same."""
    found = messages.read_refs(f"{NULL}\trefs/heads/a\tb\n{NULL}\trefs/heads/main\nodd\n")

    assert NULL == found["refs/heads/main"]


def test_a_git_that_was_killed_gave_no_object() -> None:
    """The first half of a file is not the file: who writes it back would drop the rest."""
    assert reader._answer(io.BytesIO(b"id blob 10\nabc")) is None
    assert reader._answer(io.BytesIO(b"id blob 3\nabc\n")) == ("blob", b"abc")


@pytest.mark.parametrize("read", [pack._head, pack._distance, pack._size])
def test_a_number_without_end(read: Callable[[bytes, int], object]) -> None:
    """Numbers in packs are as long as the server likes: nobody counts for hours."""
    with pytest.raises(pack.BadPack):
        read(b"\xff" * 40 + b"\x01", 0)


@pytest.mark.parametrize("body", [b"garbage", b"tree \xff\nx", b"tree " + b"z" * 40 + b"\n"])
def test_a_commit_that_is_none(git: Git, body: bytes) -> None:
    """It is told where it stands, and how to look at it."""
    store = Store(git)
    commit = store.write("commit", body)

    for question in (store.tree_of, store.parents):
        with pytest.raises(ManifestError, match="no commit as Git writes them"):
            question(commit)
    store.close()


def test_a_store_that_cannot_be_made_leaves_nothing(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk a server tries again and again: no folder stays, and no descriptor."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(Path, "write_text", full)
    before = os.listdir("/proc/self/fd")

    with pytest.raises(Denied, match="No space left"):
        Store(git)

    assert not [*tmp_path.iterdir()]
    assert not temporary._LEFT & {*tmp_path.iterdir()}
    assert len(before) == len(os.listdir("/proc/self/fd"))


def test_folders_and_branches_in_another_encoding(tmp_path: Path) -> None:
    """Names are bytes on a disk and in Git: a checkout of an older system works as any other."""
    repo = Repo.checkout(tmp_path / os.fsdecode(b"caf\xe9"))
    repo.commit({"a": b"1\n"}, "first\n")
    repo.git("reset", "-q", "--hard")
    repo.git("checkout", "-q", "-b", branch := os.fsdecode(b"br\xe9"))

    with open_repository(str(repo.path), environ=dict(os.environ)) as opened:
        tip = opened.snapshot()
        assert b"1\n" == tip.read("a")
        new = NewCommit((tip.commit,), {"a": b"2\n"}, "second\n", datetime.now(UTC))
        assert (
            opened.push([RefUpdate(f"refs/heads/{branch}", tip.commit, opened.create(new))]) is None
        )

    assert "2\n" == (repo.path / "a").read_text()


@pytest.mark.parametrize(
    "headers", ["Content-Length: " + "9" * 5000, "X: y"], ids=["length", "status"]
)
def test_numbers_that_no_number_has(headers: str) -> None:
    """An answer with a length or a status of thousands of digits is no answer."""
    status = "2" * 5000 if headers == "X: y" else "200"
    stream = io.BufferedReader(io.BytesIO(f"HTTP/1.1 {status} OK\r\n{headers}\r\n\r\n".encode()))
    connection = http.HttpConnection(http.HttpServer("localhost", 1, None))
    connection._stream = stream

    try:
        _, told = connection._head()
        assert http._Body(stream, told, empty=False).ends
    except http.NotGit:
        assert headers == "X: y"


@pytest.mark.parametrize("url", ["http://h:99999/x", "https://h:abc/x"])
def test_an_address_that_is_no_url(url: str) -> None:
    """A slip of the finger is told as what it is."""
    with pytest.raises(UsageError, match="not a URL"):
        address(url)


def test_a_password_that_is_no_text() -> None:
    """It goes to the server as the bytes that were typed, or that a helper said."""
    assert address("https://u:\udcff@h/x").secrets[-1] == "dTr/"
    assert "dTr/" in wire._basic({"username": "u", "password": "\udcff"})


def test_a_setting_for_an_address_that_is_none() -> None:
    """Git passes it over, and we leave the talking to Git."""
    line = SettingLine("global", "http.http://[x.sslverify", "false")

    assert find_terms("http://h/x", [line], {}) is None


@pytest.mark.parametrize("count", ["9" * 5000, "99999999", "٣"])
def test_settings_without_number(count: str) -> None:
    """The variable says any number: nobody counts so far, and what is there is taken."""
    environ = {"GIT_CONFIG_COUNT": count, "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c"}

    assert process._counted_settings(environ) in ([], [("a.b", "c")])


def test_a_file_without_end_in_a_checkout(tmp_path: Path) -> None:
    """A branch under check may hold a gigabyte of zeros: no more is read than of a commit."""
    with open(tmp_path / "kustomization.yaml", "wb") as file:
        file.truncate(1 << 30)

    with pytest.raises(ManifestError, match="larger than 32 MB"):
        CheckoutFiles(tmp_path).read("kustomization.yaml")


def test_a_name_that_goes_back_without_end(tmp_path: Path) -> None:
    """No number is so long: it is no commit."""
    repo = Repo.checkout(tmp_path / "repo")
    repo.commit({"a": b"1\n"}, "first\n")

    with open_repository(str(repo.path), environ=dict(os.environ)) as opened:
        for name in ("HEAD~" + "9" * 5000, "HEAD^" + "9" * 5000):
            with pytest.raises(GitopsError):
                opened.commits().find(name)


def test_a_folder_with_a_line_end_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's answer cannot be read then, which is told."""
    monkeypatch.chdir(Repo.checkout(tmp_path / "a\nb").path)

    with pytest.raises(NotFound, match="line end"):
        open_repository(".", environ=dict(os.environ))


def test_a_branch_that_was_refused_is_not_under_way(tmp_path: Path) -> None:
    """Whoever is interrupted later is not told that it may have landed."""
    source = Repo.checkout(tmp_path / "source")
    commit = source.commit({"a": b"1\n"}, "first\n")
    hook = source.path / ".git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    sources = GitSources(dict(os.environ), home=lambda: str(source.path))

    with pytest.raises(GitopsError):
        sources.create_branch(str(source.path), "release/1", commit, "main")
    sources.close()

    assert str(source.path) not in [one.repository for one in interrupts.written()[1]]
