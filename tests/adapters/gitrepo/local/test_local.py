"""Paths: checkouts with and without a remote, bare repositories, and what must stay untouched."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops.adapters.gitrepo import GitRepository, open_repository
from gitops.errors import Denied, HookDeclined, ManifestError, NotFound, Unavailable
from gitops.ports import Lost, NewCommit, RefUpdate
from gitrepos import ENVIRON, Repo

FILE = "overlays/dev/kustomization.yaml"
OTHER = "overlays/prod/kustomization.yaml"
FILES: dict[str, bytes | None] = {FILE: b"tag 1\n", OTHER: b"tag 0\n", "gitops.yaml": b"x: 1\n"}
MAIN = "refs/heads/main"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`m.git`, a clone of it and a checkout without a remote, copied for each test."""
    root = tmp_path_factory.mktemp("local") / "all"
    bare = Repo.bare(root / "m.git")
    bare.commit(FILES, "first\n")
    bare.git("clone", "-q", str(bare.path), str(root / "clone"))
    Repo(root / "clone", root / "clone" / ".git").git("remote", "set-url", "origin", "../m.git")
    plain = Repo.checkout(root / "plain")
    plain.commit(FILES, "first\n")
    plain.git("reset", "-q", "--hard")
    return root


@pytest.fixture
def root(templates: Path, tmp_path: Path) -> Path:
    """The test's own copies."""
    shutil.copytree(templates, tmp_path / "all", symlinks=True)
    return tmp_path / "all"


@pytest.fixture
def bare(root: Path) -> Repo:
    """A bare repository."""
    return Repo(root / "m.git")


@pytest.fixture
def clone(root: Path) -> Repo:
    """A checkout whose remote is `bare`, by a relative path."""
    return Repo(root / "clone", root / "clone" / ".git")


@pytest.fixture
def plain(root: Path) -> Repo:
    """A checkout without a remote."""
    return Repo(root / "plain", root / "plain" / ".git")


def opened(path: Path, **environ: str) -> GitRepository:
    """Open the repository at a path."""
    return open_repository(str(path), environ=ENVIRON | environ, timeout=20)


def write(
    repository: GitRepository, content: bytes = b"tag 2\n", branch: str | None = None
) -> Lost | None:
    """Read the tip, change one file, push."""
    snapshot = repository.snapshot(branch)
    new = repository.create(NewCommit((snapshot.commit,), {FILE: content}, "two\n", NOW))
    return repository.push([RefUpdate(f"refs/heads/{snapshot.branch}", snapshot.commit, new)])


def state(repo: Repo) -> dict[str, bytes]:
    """Every file of a checkout and its git directory, except access times."""
    files = (path for path in repo.path.rglob("*") if path.is_file())
    return {str(path.relative_to(repo.path)): path.read_bytes() for path in files}


def test_clone_is_never_touched(clone: Repo, bare: Repo) -> None:
    """With a remote the commit goes there; not a byte of the checkout changes, edits included."""
    (clone.path / FILE).write_bytes(b"my own edit\n")
    (clone.path / "new").write_bytes(b"untracked\n")
    clone.git("add", "new")
    before = state(clone)

    with opened(clone.path) as repository:
        assert write(repository) is None

    assert before == state(clone)
    assert (b"tag 2\n", b"tag 0\n") == (bare.show(FILE), bare.show(OTHER))


def test_clone_reads_the_remote(clone: Repo, bare: Repo) -> None:
    """What is read is the remote's tip, not the checkout's."""
    bare.commit({FILE: b"tag 5\n"})

    with opened(clone.path) as repository:
        assert repository.snapshot().read(FILE) == b"tag 5\n"


def test_folder_below_the_top(clone: Repo, bare: Repo) -> None:
    """A folder of the checkout stands for all of it."""
    with opened(clone.path / "overlays" / "dev") as repository:
        assert write(repository) is None
        files = repository.work_tree()
        assert files is not None
        assert files.read(OTHER) == b"tag 0\n"

    assert bare.show(FILE) == b"tag 2\n"


def test_inside_the_git_directory(plain: Repo) -> None:
    """Standing in `.git` the checkout is found, too."""
    with opened(plain.git_dir) as repository:
        assert write(repository) is None

    assert (plain.path / FILE).read_bytes() == b"tag 2\n"


def test_upstream_remote_is_chosen(clone: Repo, bare: Repo, root: Path) -> None:
    """Of several remotes the one of the checked-out branch is taken, else origin."""
    fork = bare.copy(root / "fork.git")
    clone.git("remote", "add", "fork", "../fork.git")
    with opened(clone.path) as repository:
        assert repository.describe() == "../m.git"

    clone.git("config", "branch.main.remote", "fork")
    with opened(clone.path) as repository:
        assert write(repository) is None

    assert (b"tag 2\n", b"tag 1\n") == (fork.show(FILE), bare.show(FILE))


def test_several_remotes_and_none_named(clone: Repo) -> None:
    """Nobody guesses between remotes."""
    clone.git("remote", "rename", "origin", "one")
    clone.git("remote", "add", "two", "../two.git")
    clone.git("config", "--unset", "branch.main.remote")

    with pytest.raises(NotFound, match="several remotes") as caught:
        opened(clone.path)

    assert "--repo" in (caught.value.hint or "")


def test_push_url(clone: Repo, bare: Repo, root: Path) -> None:
    """A remote may be read at one address and written at another."""
    fork = bare.copy(root / "fork.git")
    clone.git("config", "remote.origin.pushurl", "../fork.git")

    with opened(clone.path) as repository:
        assert write(repository) is None

    assert (b"tag 2\n", b"tag 1\n") == (fork.show(FILE), bare.show(FILE))


def test_settings_of_the_clone_hold(clone: Repo, bare: Repo) -> None:
    """The checkout's own identity and `insteadOf` count, also in the private store."""
    clone.git("config", "user.name", "Cloe")
    clone.git("config", "user.email", "cloe@example.com")
    clone.git("remote", "set-url", "origin", "work:m.git")
    clone.git("config", "url.../.insteadOf", "work:")
    environ = {key: value for key, value in ENVIRON.items() if "AUTHOR" not in key}
    environ = {key: value for key, value in environ.items() if "COMMITTER" not in key}

    with open_repository(str(clone.path), environ=environ) as repository:
        assert write(repository) is None

    authors = bare.git("log", "-1", "--format=%an %cn", "main")
    assert authors == "Cloe Cloe\n"


def test_headers_of_the_clone(clone: Repo) -> None:
    """A header that a CI system left in the checkout goes along; it yields to a password."""
    from gitops.adapters.gitrepo.command.discovery import inspect
    from gitops.adapters.gitrepo.command.process import Git
    from gitops.adapters.gitrepo.command.settings import carried

    clone.git("config", "http.https://x/.extraheader", "AUTHORIZATION: basic abc")
    lines = inspect(Git(ENVIRON, folder=clone.path), clone.path, "clone").lines

    header = ("http.https://x/.extraheader", "AUTHORIZATION: basic abc")
    assert header in carried(lines)
    assert header not in carried(lines, credentials=False)
    assert not any(key.startswith(("core.bare", "remote.", "branch.")) for key, _ in carried(lines))


def test_bare_runs_its_hooks(bare: Repo) -> None:
    """A bare repository's own hooks judge the push, and their words are shown."""
    bare.hook("pre-receive", "echo 'not today'; exit 1")

    with opened(bare.path) as repository, pytest.raises(HookDeclined, match="not today"):
        write(repository)

    assert bare.show(FILE) == b"tag 1\n"


def test_bare_with_a_remote_is_written_directly(bare: Repo, root: Path) -> None:
    """A mirror is written itself, not what it mirrors."""
    bare.git("clone", "-q", "--bare", str(bare.path), str(root / "mirror.git"))
    mirror = Repo(root / "mirror.git")

    with opened(mirror.path) as repository:
        assert write(repository) is None

    assert (b"tag 2\n", b"tag 1\n") == (mirror.show(FILE), bare.show(FILE))


def test_path_with_odd_letters(bare: Repo, root: Path) -> None:
    """Spaces, quotes and umlauts in a path are just letters."""
    odd = bare.copy(root / 'it\'s "ö"\\ a:b.git')

    with opened(odd.path) as repository:
        assert write(repository) is None

    assert odd.show(FILE) == b"tag 2\n"


def test_files_follow(plain: Repo) -> None:
    """Without a remote the branch moves and the checkout is clean, its other edits kept."""
    (plain.path / OTHER).write_bytes(b"my own edit\n")
    (plain.path / "new").write_bytes(b"untracked\n")

    with opened(plain.path) as repository:
        assert write(repository) is None

    assert (plain.path / FILE).read_bytes() == b"tag 2\n"
    assert plain.git("status", "--porcelain") == f" M {OTHER}\n?? new\n"
    plain.git("fsck", "--strict")


def test_files_come_and_go(plain: Repo) -> None:
    """New files appear in the checkout, deleted ones vanish, with their folders."""
    with opened(plain.path) as repository:
        base = repository.snapshot().commit
        files = {".gitops/holds/dev.yaml": b"by: ana\n", OTHER: None}
        new = repository.create(NewCommit((base,), files, "hold\n", NOW))
        assert repository.push([RefUpdate(MAIN, base, new)]) is None

    assert (plain.path / ".gitops/holds/dev.yaml").read_bytes() == b"by: ana\n"
    assert not (plain.path / OTHER).parent.exists()
    assert plain.git("status", "--porcelain") == ""


def edit(plain: Repo) -> None:
    (plain.path / FILE).write_bytes(b"my own edit\n")


def stage(plain: Repo) -> None:
    edit(plain)
    plain.git("add", FILE)


def remove(plain: Repo) -> None:
    (plain.path / FILE).unlink()


@pytest.mark.parametrize("spoil", [edit, stage, remove])
def test_dirty_file_is_refused(plain: Repo, spoil: object) -> None:
    """A file with edits that the change touches: refused before anything changes."""
    assert callable(spoil)
    spoil(plain)
    head, status = plain.head(), plain.git("status", "--porcelain")

    with opened(plain.path) as repository, pytest.raises(Denied, match="uncommitted") as caught:
        write(repository)

    assert FILE in caught.value.message
    assert (head, status) == (plain.head(), plain.git("status", "--porcelain"))


@pytest.mark.parametrize("ignored", [False, True])
def test_untracked_file_in_the_way(plain: Repo, ignored: bool) -> None:
    """A new file never overwrites one that Git does not know, ignored or not."""
    (plain.path / "hold.yaml").write_bytes(b"mine\n")
    if ignored:
        exclude = plain.git_dir / "info" / "exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text("hold.yaml\n")
    head = plain.head()

    with opened(plain.path) as repository:
        base = repository.snapshot().commit
        new = repository.create(NewCommit((base,), {"hold.yaml": b"x\n"}, "hold\n", NOW))
        with pytest.raises(Denied, match=r"hold\.yaml"):
            repository.push([RefUpdate(MAIN, base, new)])

    assert (head, b"mine\n") == (plain.head(), (plain.path / "hold.yaml").read_bytes())


def test_another_branch_is_checked_out(plain: Repo) -> None:
    """A branch that is checked out nowhere moves without touching any file."""
    plain.git("checkout", "-q", "-b", "feature/x")
    (plain.path / FILE).write_bytes(b"my own edit\n")

    with opened(plain.path) as repository:
        assert write(repository, branch="main") is None

    assert (plain.path / FILE).read_bytes() == b"my own edit\n"
    assert (b"tag 2\n", b"tag 1\n") == (plain.show(FILE), plain.show(FILE, "feature/x"))


def test_linked_work_tree(plain: Repo, root: Path) -> None:
    """`git worktree` checkouts: the one that has the branch follows, wherever one stands."""
    plain.git("worktree", "add", "-q", "-b", "side", str(root / "side"))

    with opened(root / "side") as repository:
        assert repository.snapshot().branch == "side"
        assert write(repository, b"tag 3\n") is None
        assert write(repository, b"tag 2\n", branch="main") is None

    assert (root / "side" / FILE).read_bytes() == b"tag 3\n"
    assert (plain.path / FILE).read_bytes() == b"tag 2\n"
    assert plain.git("status", "--porcelain") == ""


def test_detached_head(plain: Repo) -> None:
    """With a detached HEAD a branch must be named."""
    plain.git("checkout", "-q", "--detach")

    with opened(plain.path) as repository:
        with pytest.raises(NotFound, match="no branch checked out") as caught:
            repository.snapshot()
        assert write(repository, branch="main") is None

    assert "--branch" in (caught.value.hint or "")
    assert (plain.path / FILE).read_bytes() == b"tag 1\n"


def test_unborn_branch(tmp_path: Path) -> None:
    """A repository without a commit is empty."""
    Repo.checkout(tmp_path / "new")

    with opened(tmp_path / "new") as repository, pytest.raises(NotFound, match="is empty"):
        repository.snapshot()


@pytest.mark.parametrize("path", ["gone", "folder"])
def test_no_repository(tmp_path: Path, path: str) -> None:
    """No folder, or one in no repository: not found, with the way out."""
    (tmp_path / "folder").mkdir()

    with pytest.raises(NotFound) as caught:
        opened(tmp_path / path, GIT_CEILING_DIRECTORIES=str(tmp_path))

    assert "--repo" in (caught.value.hint or "")


def test_killed_before_the_files_followed(plain: Repo) -> None:
    """After a kill between branch and files, the next call lets the files follow."""
    old = plain.head()
    new = plain.commit({FILE: b"tag 2\n"})
    (plain.git_dir / "gitops-follow").write_text(f"{MAIN} {old} {new}\n")

    with opened(plain.path) as repository:
        repository.snapshot()
        assert plain.git("status", "--porcelain") == ""
        assert write(repository, b"tag 3\n") is None

    assert (plain.path / FILE).read_bytes() == b"tag 3\n"
    assert not (plain.git_dir / "gitops-follow").exists()


def test_killed_before_the_branch_moved(plain: Repo) -> None:
    """A note about a push that never happened changes nothing."""
    (plain.git_dir / "gitops-follow").write_text(f"{MAIN} {plain.head()} {'b' * 40}\n")

    with opened(plain.path) as repository:
        assert write(repository) is None

    assert (plain.path / FILE).read_bytes() == b"tag 2\n"


def test_writers_wait_for_each_other(plain: Repo) -> None:
    """While somebody writes, others wait, and give up when their time is over."""
    handle = os.open(plain.git_dir, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)

    since = time.monotonic()
    with (
        open_repository(str(plain.path), environ=ENVIRON, timeout=0.5) as repository,
        pytest.raises(Unavailable, match="another gitops"),
    ):
        write(repository)
    waited = time.monotonic() - since
    os.close(handle)

    assert waited > 0.5


def test_index_lock_of_another_git(plain: Repo) -> None:
    """While another git holds the index, nothing changes: try again."""
    (plain.git_dir / "index.lock").touch()
    head = plain.head()

    with opened(plain.path) as repository, pytest.raises(Unavailable):
        write(repository)

    assert head == plain.head()


def test_line_endings_are_no_edits(plain: Repo) -> None:
    """With `core.autocrlf` the checkout has CRLF, which is no edit, and the files follow."""
    plain.git("config", "core.autocrlf", "true")
    (plain.path / FILE).unlink()
    plain.git("checkout", "--", FILE)
    assert (plain.path / FILE).read_bytes() == b"tag 1\r\n"

    with opened(plain.path) as repository:
        assert write(repository) is None

    assert (plain.path / FILE).read_bytes() == b"tag 2\r\n"


def test_checked_out_branch_is_not_deleted(plain: Repo) -> None:
    """A branch that somebody has checked out stays."""
    with opened(plain.path) as repository:
        commit = repository.snapshot().commit
        with pytest.raises(Denied, match="checked out"):
            repository.push([RefUpdate(MAIN, commit, None)])

    assert commit == plain.head()


def test_shallow_checkout(bare: Repo, root: Path) -> None:
    """A shallow checkout without a remote is written; its oldest commit is told as cut."""
    bare.commit({FILE: b"tag 1.5\n"})
    bare.git("clone", "-q", "--depth=1", f"file://{bare.path}", str(root / "cut"))
    cut = Repo(root / "cut", root / "cut" / ".git")
    cut.git("remote", "remove", "origin")
    cut.git("symbolic-ref", "--delete", "refs/remotes/origin/HEAD")  # Git forgets it

    with opened(cut.path) as repository:
        assert write(repository) is None
        tip = repository.snapshot().commit
        versions = list(repository.history(tip, "overlays/dev"))

    assert [(b"tag 2\n", True), (b"tag 1.5\n", False)] == [
        (one.content, one.complete) for one in versions
    ]
    cut.git("fsck", "--strict")


# --- work tree -----------------------------------------------------------------------------------


def test_work_tree_replaces_and_keeps_the_mode(plain: Repo) -> None:
    """A file of the checkout is replaced with its mode, and nothing is committed."""
    (plain.path / FILE).chmod(0o640)

    with opened(plain.path) as repository:
        files = repository.work_tree()
        assert files is not None
        files.replace(FILE, b"tag 9\n")

        assert files.read(FILE) == b"tag 9\n"
        assert files.read("gone") is None
    assert (plain.path / FILE).stat().st_mode & 0o777 == 0o640
    assert plain.git("status", "--porcelain") == f" M {FILE}\n"
    assert [path.name for path in (plain.path / FILE).parent.iterdir()] == ["kustomization.yaml"]


@pytest.mark.parametrize("path", ["link", "folder/file", "../x", "/etc/passwd", ".git/config"])
def test_work_tree_follows_no_link(plain: Repo, root: Path, path: str) -> None:
    """No link and no path leads out of the checkout."""
    (root / "outside").mkdir()
    (root / "outside" / "file").write_bytes(b"theirs\n")
    (plain.path / "link").symlink_to(root / "outside" / "file")
    (plain.path / "folder").symlink_to(root / "outside")

    with opened(plain.path) as repository:
        files = repository.work_tree()
        assert files is not None
        with pytest.raises(ManifestError):
            files.replace(path, b"ours\n")
        with pytest.raises(ManifestError):
            files.read(path)

    assert (root / "outside" / "file").read_bytes() == b"theirs\n"


def test_no_work_tree(bare: Repo) -> None:
    """A bare repository and a URL have no files of their own."""
    with opened(bare.path) as repository:
        assert repository.work_tree() is None
        assert repository.directory_snapshot() is None
    with open_repository("https://git.example.com/m.git", environ=ENVIRON) as repository:
        assert repository.work_tree() is None


def test_directory_snapshot(plain: Repo) -> None:
    """Files as they stand: edits and new files included, Git's own folder not."""
    (plain.path / FILE).write_bytes(b"my own edit\n")
    (plain.path / "new").write_bytes(b"untracked\n")

    with opened(plain.path / "overlays") as repository:
        files = repository.directory_snapshot()

    assert files is not None
    assert (b"my own edit\n", "main") == (files.read(FILE), files.branch)
    assert files.entries("") == ("gitops.yaml", "new", "overlays/")
    assert files.entries("overlays/dev") == ("kustomization.yaml",)
    assert files.entries("gone") == ()


@pytest.mark.parametrize(("mode", "words"), [("120000", "symbolic link"), ("160000", "submodule")])
def test_links_in_a_commit(bare: Repo, mode: str, words: str) -> None:
    """A link or a submodule is never read or written as if it were a file or a folder."""
    if mode == "120000":
        bare.commit({"odd": b"overlays"}, modes={"odd": mode})
    else:
        tree = bare.git("ls-tree", "main") + f"160000 commit {bare.head()}\todd\n"
        entry = bare.git("mktree", feed=_sorted(tree)).strip()
        commit = subprocess.run(
            ["git", f"--git-dir={bare.path}", "commit-tree", entry, "-p", "main", "-m", "x"],
            env=ENVIRON,
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        bare.git("update-ref", MAIN, commit)

    with opened(bare.path) as repository:
        snapshot = repository.snapshot()
        for path in ("odd", "odd/dev"):
            with pytest.raises(ManifestError, match=words):
                snapshot.read(path)
            with pytest.raises(ManifestError):
                repository.create(NewCommit((snapshot.commit,), {path: b"x"}, "x\n", NOW))


def _sorted(listing: str) -> bytes:
    return "".join(sorted(listing.splitlines(True), key=lambda line: line.split("\t")[1])).encode()


@pytest.mark.parametrize("path", ["../x", "/x", "a//b", ".git/config", "a/.GIT/x", ""])
def test_paths_that_no_tree_may_hold(bare: Repo, path: str) -> None:
    """A commit never holds a path that leads out, or into Git's own folder."""
    with opened(bare.path) as repository:
        base = repository.snapshot().commit
        with pytest.raises(ManifestError):
            repository.create(NewCommit((base,), {path: b"x"}, "x\n", NOW))
