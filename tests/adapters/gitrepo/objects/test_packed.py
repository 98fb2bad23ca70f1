"""A few objects read out of packs without git: the same as git reads, or none."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gitops.adapters.gitrepo.objects import packed
from gitops.adapters.gitrepo.objects.codec import object_id
from gitops.adapters.gitrepo.objects.packed import PackedObjects
from gitrepos import Repo


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A repository whose one pack has deltas upon deltas, and large objects that are whole."""
    repo = Repo.bare(tmp_path_factory.mktemp("packed") / "m.git")
    draw = random.Random(1)
    lines = [f"line {draw.random()}\n" for _ in range(400)]
    for number in range(12):
        lines[draw.randrange(400)] = f"changed {number}\n"
        files = {"long": "".join(lines).encode(), f"a/{number}": b"x" * number}
        repo.commit(files, f"{number}\n")
    repo.git("repack", "-adfq", "--depth=20", "--window=20")
    return repo


def pack_of(repo: Repo) -> Path:
    """Return the path of its only pack, without the ending."""
    (pack,) = (repo.path / "objects" / "pack").glob("*.pack")
    return pack.with_suffix("")


def ids_of(repo: Repo) -> list[str]:
    """Return the id of each object."""
    form = "--batch-check=%(objectname)"
    return repo.git("cat-file", "--batch-all-objects", form).split()


def test_all_objects_are_what_git_reads(repo: Repo) -> None:
    """Whole ones and deltas, of each kind; one that is not there is git's to look for."""
    found = PackedObjects([pack_of(repo)])
    deltas = repo.git("verify-pack", "-v", f"{pack_of(repo)}.idx").count(" 2 ")
    names = ids_of(repo)
    read = found.find(names)

    assert deltas  # some are two deltas away from a whole one
    assert read is not None
    assert names == [object_id(*one) for one in read]
    assert {"commit", "tree", "blob"} == {kind for kind, _ in read}
    assert found.find(["0" * 40]) is None
    assert found.find([names[0], "0" * 40]) is None
    assert found.find(["HEAD"]) is None


def test_many_are_gits_to_read(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some objects nothing is read here any more."""
    monkeypatch.setattr(packed, "_MOST", 3)
    found = PackedObjects([pack_of(repo)])
    names = ids_of(repo)

    assert found.find(names[:2]) is not None
    assert found.find(names[2:4]) is None
    assert found.find(names[:1]) is None


def test_what_is_damaged_is_never_another_object(repo: Repo, tmp_path: Path) -> None:
    """Any byte may be another one, any end be missing: what is read is what its id says."""
    draw = random.Random(2)
    names = ids_of(repo)
    whole = {end: Path(f"{pack_of(repo)}.{end}").read_bytes() for end in ("idx", "pack")}
    missed = 0
    for number in range(60):
        changed = {end: bytearray(content) for end, content in whole.items()}
        content = changed[("idx", "pack")[number % 2]]
        if number % 5:
            for _ in range(draw.choice((1, 40, 400))):
                content[draw.randrange(len(content))] = draw.randrange(256)
        else:
            del content[draw.randrange(len(content)) :]
        for end, content in changed.items():
            (tmp_path / f"{number}.{end}").write_bytes(content)
        found = PackedObjects([tmp_path / str(number), tmp_path / "missing"])
        for name in draw.sample(names, 20):
            read = found.find([name])
            missed += read is None
            assert read is None or name == object_id(*read[0])

    assert missed


def test_deltas_that_go_in_a_circle_end(tmp_path: Path, repo: Repo) -> None:
    """A delta on itself, and a chain that is longer than git makes, are not followed for ever."""
    from gitops.adapters.gitrepo.objects.pack import PackedEntry, make_index

    oid = "12" * 20
    import zlib

    entry = bytes([7 << 4 | 4]) + bytes.fromhex(oid) + zlib.compress(b"\4\4\x90\4")
    content = b"PACK\0\0\0\2\0\0\0\1" + entry + b"\0" * 20
    (tmp_path / "p.pack").write_bytes(content)
    (tmp_path / "p.idx").write_bytes(make_index("0" * 40, [PackedEntry(oid, 12, 0)]))
    found = PackedObjects([tmp_path / "p"])

    assert found.find([oid]) is None
