"""Packs in process: what git writes is read, and git reads what is written."""

from __future__ import annotations

import hashlib
import random
import subprocess
import zlib
from pathlib import Path

import pytest

from gitops.adapters.gitrepo.objects import pack
from gitops.adapters.gitrepo.objects.codec import (
    FILE,
    TREE,
    ObjectEntry,
    object_id,
    parse_tree,
    patch_tree,
    render_tree,
)
from gitrepos import Repo

WIDE = b"".join(b"line %d\n" % number for number in range(4000))


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Files large and small, that git packs as deltas of each other."""
    made = Repo.bare(tmp_path_factory.mktemp("pack") / "m.git")
    made.commits(
        [
            ({"a/big": WIDE, "b": b"", "c": b"one\n" * 40}, "first\n"),
            ({"a/big": WIDE.replace(b"line 777\n", b"other\n")}, "second\n"),
            ({"a/big": WIDE[:-5000] + b"end\n", "c": b"one\n" * 39 + b"two\n"}, "third\n"),
        ]
    )
    return made


def packed(repo: Repo, *options: str, revisions: str = "main\n") -> bytes:
    """Return the pack that git makes."""
    args = ["git", f"--git-dir={repo.path}", "pack-objects", "-q", "--revs", "--stdout", *options]
    return subprocess.run(args, input=revisions.encode(), capture_output=True, check=True).stdout


@pytest.mark.parametrize("options", [(), ("--delta-base-offset",)])
def test_git_and_we_read_the_same(repo: Repo, tmp_path: Path, options: tuple[str, ...]) -> None:
    """Every object of a pack is what git says, and its index is git's, byte for byte."""
    whole = packed(repo, *options)
    found = pack.read_pack(whole, lambda _: None)

    listed = repo.git("rev-list", "--objects", "main").split("\n")
    assert {line.split(" ")[0] for line in listed if line} == found.objects.keys()
    assert all(object_id(*one) == oid for oid, one in found.objects.items())
    assert not found.thin
    (tmp_path / "p.pack").write_bytes(whole)
    subprocess.run(["git", "index-pack", str(tmp_path / "p.pack")], check=True, capture_output=True)
    assert (tmp_path / "p.idx").read_bytes() == pack.make_index(found.name, found.entries)


def test_deltas_on_what_is_not_in_the_pack(repo: Repo) -> None:
    """A thin pack is read with what is here, and refused without."""
    whole = packed(repo, "--thin", revisions="main\n^main~1\n")
    before = pack.read_pack(packed(repo, revisions="main~1\n"), lambda _: None).objects

    found = pack.read_pack(whole, before.get)

    assert found.thin
    assert repo.show("a/big") in [body for _, body in found.objects.values()]
    with pytest.raises(pack.BadPack):
        pack.read_pack(whole, lambda _: None)


def test_git_reads_what_we_make(repo: Repo, tmp_path: Path) -> None:
    """A pack of ours holds what it should, empty objects and large ones, too."""
    objects = pack.read_pack(packed(repo), lambda _: None).objects
    (tmp_path / "p.pack").write_bytes(pack.make_pack(objects))
    subprocess.run(["git", "index-pack", str(tmp_path / "p.pack")], check=True, capture_output=True)
    told = subprocess.run(
        ["git", "verify-pack", "-v", str(tmp_path / "p.idx")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert all(oid in told for oid in objects)


def test_wide_folders_are_told_by_what_differs(tmp_path: Path) -> None:
    """A hundred commits that change an app each: git finds every folder as it was made, and each
    after the first takes a few bytes; what differs in many places is put in whole."""
    draw = random.Random(3)
    tree = {f"a{number}": ObjectEntry(TREE, f"{number:040x}") for number in range(2000)}
    tree |= {"a7 a8": ObjectEntry(TREE, "0" * 40), "ümlaut": ObjectEntry(FILE, "1" * 40)}
    body = render_tree(tree)
    oid = object_id("tree", body)
    objects, grew = {oid: ("tree", body)}, dict[str, str]()
    for number in range(100):
        changed = draw.sample(sorted(tree), 1 if number % 10 else 5)
        tree |= {one: ObjectEntry(tree[one].mode, draw.randbytes(20).hex()) for one in changed}
        if number == 50:
            tree["new"] = ObjectEntry(TREE, "2" * 40)
        body = render_tree(tree)
        grew[object_id("tree", body)] = oid
        oid = object_id("tree", body)
        objects[oid] = ("tree", body)

    whole = pack.make_pack(objects, grew)

    assert len(whole) < 13 * len(body)
    assert objects == pack.read_pack(whole, lambda _: None).objects
    (tmp_path / "p.pack").write_bytes(whole)
    index = ["git", "index-pack", str(tmp_path / "p.pack")]
    subprocess.run(index, check=True, capture_output=True)
    store = Repo.bare(tmp_path / "m.git")
    unpack = ["git", f"--git-dir={store.path}", "unpack-objects", "-q"]
    subprocess.run(unpack, input=whole, check=True)
    assert "tree" == store.git("cat-file", "-t", oid).strip()


def test_a_patched_folder_is_as_if_made_anew() -> None:
    """Only ids of a wide folder are new: spliced, it is byte for byte what sorting gives; also
    where an id looks like an entry."""
    tree = {f"a{number}": ObjectEntry(TREE, f"{number:040x}") for number in range(300)}
    inner = render_tree({"f": ObjectEntry(FILE, "3" * 40)})
    tree["odd"] = ObjectEntry(TREE, object_id("tree", inner))
    bodies = {"root": render_tree(tree), object_id("tree", inner): inner}
    for number in range(300):
        bodies[f"{number:040x}"] = inner
    trees = {oid: parse_tree(body) for oid, body in bodies.items()}
    files: list[dict[str, bytes | None]] = [
        {"a7/f": b"x"},
        {"a7/f": b"x", "odd/f": b"y", "a299/f": b"z"},
        {"a7/f": b"x", "added/f": b"y"},
        {"a7/f": None},
    ]
    for patch in files:
        plain, _ = patch_tree("root", patch, trees.__getitem__)
        oid, made = patch_tree("root", patch, trees.__getitem__, body_of=bodies.__getitem__)
        assert plain == oid
        assert "root" == made.grew[oid]
        assert all(object_id(*one) == name for name, one in made.objects.items())


def test_what_is_no_pack(repo: Repo) -> None:
    """Whatever comes instead of a pack, or of a part of it, is refused; nothing is guessed."""
    whole = packed(repo, "--delta-base-offset")
    draw = random.Random(16)
    for number in range(300):
        broken = bytearray(whole[:-20])
        if number % 3 == 0:
            del broken[draw.randrange(len(broken)) :]
        for _ in range(draw.randrange(1, 4) if number % 3 else 0):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        sealed = bytes(broken) + bytes.fromhex(hashlib.sha1(bytes(broken)).hexdigest())
        try:
            found = pack.read_pack(sealed, lambda _: None)
        except pack.BadPack:
            continue
        assert all(object_id(*one) == oid for oid, one in found.objects.items())
    with pytest.raises(pack.BadPack):
        pack.read_pack(whole[:-1] + b"x", lambda _: None)


def test_an_object_that_grows(repo: Repo) -> None:
    """What inflates to more than it says, or than anybody needs, is given up early."""
    bomb = zlib.compress(b"\0" * (1 << 24))
    head = b"PACK\0\0\0\2" + (1).to_bytes(4)
    for size in (bytes([0x3F, 0]), bytes([0xBF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F])):
        body = head + size + bomb
        seal = hashlib.sha1(body).digest()
        with pytest.raises(pack.BadPack):
            pack.read_pack(body + seal, lambda _: None)


def test_a_large_object_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is inflated bit by bit is the same, and no more and no less than it says."""
    monkeypatch.setattr(pack, "_WINDOW", 16)
    body = random.Random(16).randbytes(3000) + b"x" * 100_000
    objects = {object_id("blob", one): ("blob", one) for one in (body, b"", b"after")}
    whole = pack.make_pack(objects)

    found = pack.read_pack(whole, lambda _: None).objects

    assert found == objects
    for size in (len(body) - 1, len(body) + 1):
        head = bytes(
            [0xB0 | size & 15, 0x80 | size >> 4 & 127, 0x80 | size >> 11 & 127, size >> 18]
        )
        lying = b"PACK\0\0\0\2" + (1).to_bytes(4) + head + zlib.compress(body, 1)
        with pytest.raises(pack.BadPack, match=r"as it says|than it says"):
            pack.read_pack(lying + hashlib.sha1(lying).digest(), lambda _: None)
