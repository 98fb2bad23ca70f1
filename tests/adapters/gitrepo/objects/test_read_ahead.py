"""What is read ahead: the same answers, asked for together."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence

import pytest

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.reader import BatchReader
from gitops.adapters.gitrepo.objects.snapshot import CommitSnapshot
from gitops.adapters.gitrepo.objects.source import BranchTip
from gitops.adapters.gitrepo.objects.store import Store
from gitops.errors import ManifestError

COMMIT = "tree {}\nauthor A <a@example.com> 1 +0000\ncommitter A <a@example.com> 1 +0000\n\nx\n"
FILE = "kustomization.yaml"


@pytest.fixture
def store() -> Iterator[Store]:
    """A store with a thousand folders, of which each has one file."""
    made = Store(Git({"PATH": "/usr/bin:/bin"}))
    yield made
    made.close()


def build(store: Store, paths: Sequence[str]) -> CommitSnapshot:
    """Return a commit with these files, each holding its own path."""
    tree = store.write_patched(None, {path: path.encode() for path in paths})
    return CommitSnapshot(
        store, BranchTip("main", store.write("commit", COMMIT.format(tree).encode()))
    )


def leave_to_git(store: Store) -> None:
    """Forget what was made: from now on git alone has it."""
    oids = list(store.made)
    store.settle()
    store.made.clear()
    store.ahead.let_go(oids)


def count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of names in each exchange."""
    asked: list[int] = []
    ask = BatchReader.ask

    def counting(self: BatchReader, names: Sequence[str]) -> list[tuple[str, bytes] | None]:
        asked.append(len(names))
        return ask(self, names)

    monkeypatch.setattr(BatchReader, "ask", counting)
    return asked


def test_what_is_prepared_is_asked_for_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders and files that were announced take a few exchanges, not one each."""
    folders = [f"apps/a{number}/dev" for number in range(60)]
    snapshot = build(store, [f"{folder}/{FILE}" for folder in folders])
    leave_to_git(store)
    asked = count(monkeypatch)
    snapshot.prepare([*folders, "apps/none/dev", f"{folders[0]}/{FILE}"], [FILE])
    for folder in folders:
        assert (FILE,) == snapshot.entries(folder)
        assert f"{folder}/{FILE}".encode() == snapshot.read(f"{folder}/{FILE}")
    assert ((), None) == (snapshot.entries("apps/none/dev"), snapshot.read("apps/none/dev/x"))
    assert len(asked) < 12 < sum(asked)


def test_more_than_fits_into_a_pipe_comes_whole(store: Store) -> None:
    """Twelve hundred objects, one that is not there among them: each answer is of its own name."""
    oids = [store.write("blob", b"%d" % number * 50) for number in range(1200)]
    leave_to_git(store)
    store.ahead.read([*oids[:600], "0" * 40, *oids[600:]])
    assert all(store.read(oid)[1] == b"%d" % number * 50 for number, oid in enumerate(oids))
    assert store.find("0" * 40) is None


def test_what_is_expected_comes_a_few_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred contents, read in the order that was told, take seven exchanges."""
    oids = [store.write("blob", b"%d" % number * 50) for number in range(100)]
    leave_to_git(store)
    asked = count(monkeypatch)
    store.ahead.expect([*oids[:50], "0" * 40, *oids[50:]])
    assert all(store.read(oid)[1] == b"%d" % number * 50 for number, oid in enumerate(oids))
    assert sum(asked) == 101
    assert len(asked) == 7
    assert store.find("0" * 40) is None


@pytest.mark.parametrize("number", [10, 100])
@pytest.mark.parametrize("stays", [False, True])
def test_git_sees_what_was_made_when_it_is_asked(store: Store, number: int, *, stays: bool) -> None:
    """Nothing has a file before somebody asks git; then all has, loose, or many as one pack."""
    store.stays = stays
    oids = [store.write("blob", b"%d" % number) for number in range(number)]
    assert [] == [*(store.path / "objects").glob("??/*"), *store.pack_folder.iterdir()]
    assert [] == store.missing(oids)
    assert store.holds(oids[0])

    git = ["git", *store.args, "cat-file", "--batch-check"]
    told = subprocess.run(git, input="\n".join(oids), capture_output=True, text=True, check=True)

    assert number == told.stdout.count(" blob ")
    assert (stays and number > 64) == store.is_mixed == bool(store.packs())
    leave_to_git(store)
    assert b"3" == store.read(oids[3])[1]


@pytest.mark.parametrize("body", [b"40000 abc", b"x", b"40000 a\0" + bytes(19), b"a\0 "])
def test_what_is_no_tree_is_said_to_be_none(store: Store, body: bytes) -> None:
    """Whoever may push may push such a folder: a clear word, with its id, and no bug."""
    oid = store.write("tree", body)
    with pytest.raises(ManifestError, match=f"tree {oid[:12]}.*no folder as Git writes them"):
        store.tree(oid)


def test_a_store_that_stays_is_bounded_and_goes_on_reading_ahead(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many calls the last ones are remembered, and what one announces is asked for together."""
    monkeypatch.setattr("gitops.adapters.gitrepo.objects.reader._ROOM_EACH", 3000)
    monkeypatch.setattr("gitops.adapters.gitrepo.objects.store._ENTRIES_EACH", 300)
    folders = [f"apps/a{number}/dev" for number in range(60)]
    path = f"{folders[0]}/{FILE}"
    base = build(store, [f"{folder}/{FILE}" for folder in folders]).commit
    commits = []
    for number in range(20):
        tree = store.write_patched(base, {path: f"{number}".encode()})
        commits.append(store.write("commit", COMMIT.format(tree).encode()))
    leave_to_git(store)
    store.stays = True
    asked = count(monkeypatch)
    for number, commit in enumerate(commits):
        snapshot = CommitSnapshot(store, BranchTip("main", commit))
        assert snapshot.read(path) == f"{number}".encode()
        assert store.ahead._size <= 2 * 3000
        assert store._trees.entries <= 300
    before = len(asked)
    snapshot.prepare(folders[1:12], [FILE])
    assert len(asked) - before <= 4


def test_little_is_kept_from_one_call_to_the_next(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of small objects, too: each takes more than its bytes. What was asked for lately is kept."""
    monkeypatch.setattr("gitops.adapters.gitrepo.objects.reader._KEPT_EACH", 20_000)
    store.stays = True
    oids = [store.write("blob", b"%d" % number) for number in range(500)]
    leave_to_git(store)
    for oid in [*oids, oids[0]]:
        store.read(oid)
    store.rest()
    assert oids[0] in store.ahead._here
    assert oids[1] not in store.ahead._here
    assert 10 < len(store.ahead._here) <= 50
    assert store.ahead._size == sum(len(body) for _, body in store.ahead._here.values())


def test_few_folders_are_kept_from_one_call_to_the_next(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were asked for lately; a folder of one file counts for more than its line."""
    monkeypatch.setattr("gitops.adapters.gitrepo.objects.store._ENTRIES_KEPT", 150)
    store.stays = True
    trees = [store.write_patched(None, {f"f{number}": b"x"}) for number in range(100)]
    for oid in [*trees, trees[0]]:
        assert len(store.tree(oid)) == 1
    store.rest()
    assert trees[0] in store._trees
    assert trees[1] not in store._trees
    assert 10 < len(store._trees) <= 30
    assert store._trees.entries == 5 * len(store._trees)


def test_what_waits_for_its_file_counts_for_what_it_takes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer of many small objects gives them files before they are much."""
    monkeypatch.setattr("gitops.adapters.gitrepo.objects.store._WAITING", 40_000)
    store.stays = True
    for number in range(500):
        oid = store.write("blob", b"%d" % number)
        store.shared([oid])
        assert len(store._waiting.objects) <= 101
    assert b"7" == store.read(store.write("blob", b"7"))[1]
