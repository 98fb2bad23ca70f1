"""Local folders: atomic replacement, and new files that never overwrite."""

from __future__ import annotations

import os
import subprocess

import pytest

from gitops.adapters.local.folder import LocalFolder
from gitops.errors import Denied, ManifestError, Refused


def tree(folder) -> dict[str, bytes]:
    """Return every file below `folder`, path -> bytes."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_names_and_read(tmp_path):
    """Names are sorted, files are bytes, and what is not there is no error."""
    (tmp_path / "b").write_bytes(b"\xff\r\n")
    (tmp_path / "a").mkdir()
    folder = LocalFolder(str(tmp_path))

    assert folder.names() == ("a", "b")
    assert folder.read("b") == b"\xff\r\n"
    assert folder.read("a") is None
    assert folder.read("c") is None
    assert LocalFolder(str(tmp_path / "no")).names() == ()
    assert LocalFolder(str(tmp_path / "b")).names() == ()


def test_replace_keeps_the_mode(tmp_path):
    """The file is a new one with the old mode, and nothing else is left in the folder."""
    file = tmp_path / "kustomization.yaml"
    file.write_bytes(b"old")
    file.chmod(0o640)
    before = file.stat().st_ino
    LocalFolder(str(tmp_path)).replace("kustomization.yaml", b"new")

    assert tree(tmp_path) == {"kustomization.yaml": b"new"}
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.stat().st_ino != before


def test_a_reader_never_sees_half_a_file(tmp_path):
    """Who has the old file open goes on reading the old text."""
    file = tmp_path / "kustomization.yaml"
    file.write_bytes(b"old text")
    with file.open("rb") as reader:
        LocalFolder(str(tmp_path)).replace("kustomization.yaml", b"new")

        assert reader.read() == b"old text"


def test_a_link_is_not_edited(tmp_path):
    """Replacing a link would leave its target as it was: say so."""
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "kustomization.yaml").symlink_to("real")
    with pytest.raises(ManifestError) as caught:
        LocalFolder(str(tmp_path)).read("kustomization.yaml")

    assert caught.value.problem == "is a symbolic link"
    assert caught.value.hint == "edit real instead"


def test_replace_needs_the_file(tmp_path):
    """A file that went away meanwhile is the disk's no, with the place."""
    with pytest.raises(Denied) as caught:
        LocalFolder(str(tmp_path)).replace("gone", b"x")

    assert caught.value.message == f"cannot write {tmp_path}/gone: No such file or directory"
    assert tree(tmp_path) == {}


def test_write_new_makes_folders(tmp_path):
    """Files arrive with the folders that they need, readable as usual."""
    LocalFolder(str(tmp_path / "x" / "y")).write_new({"a/b.yaml": b"1", "c.yaml": b"2"})

    assert tree(tmp_path) == {"x/y/a/b.yaml": b"1", "x/y/c.yaml": b"2"}
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "x/y/c.yaml").stat().st_mode & 0o777 == 0o666 & ~mask


def test_write_new_is_all_or_nothing(tmp_path):
    """A file in the way stops everything, and takes back what was written before."""
    (tmp_path / "z.yaml").write_bytes(b"mine")
    with pytest.raises(Refused):
        LocalFolder(str(tmp_path)).write_new({"a/b.yaml": b"1", "z.yaml": b"2"})

    assert tree(tmp_path) == {"z.yaml": b"mine"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["z.yaml"]


def test_write_new_below_a_file(tmp_path):
    """A file where a folder must be is the disk's no; nothing is left behind."""
    (tmp_path / "b").write_bytes(b"mine")
    with pytest.raises(Denied):
        LocalFolder(str(tmp_path)).write_new({"a/x.yaml": b"1", "b/x.yaml": b"2"})

    assert tree(tmp_path) == {"b": b"mine"}
    assert not (tmp_path / "a").exists()


def test_taken(tmp_path):
    """What stands in the way: files, links even to nowhere, and what is no real folder."""
    (tmp_path / "a.yaml").write_bytes(b"")
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked").symlink_to("folder")
    paths = ["a.yaml", "dangling.yaml", "file/x", "folder/x", "linked/x", "linked/y", "new/x"]

    assert LocalFolder(str(tmp_path)).taken(paths) == ("a.yaml", "dangling.yaml", "file", "linked")


ORIGINS = [
    ("https://git.example.com/x.git", "https://git.example.com/x.git"),
    ("https://ana:tok3n@git.example.com/x.git", "https://git.example.com/x.git"),
    ("https://tok3n@git.example.com/x.git", "https://git.example.com/x.git"),
    ("git@git.example.com:shop/x.git", "git@git.example.com:shop/x.git"),
    ("ssh://git@git.example.com:22/x", "ssh://git@git.example.com:22/x"),
    ("ssh://ana:tok3n@git.example.com/x", "ssh://ana@git.example.com/x"),
    ("/srv/git/x.git", None),
    ("../x.git", None),
    (None, None),
]


@pytest.mark.parametrize(("url", "expected"), ORIGINS)
def test_origin(tmp_path, monkeypatch, url, expected):
    """The remote's URL without credentials; a path is nothing that a cluster could read."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as in a hook: it must not decide
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "init", "-q", str(checkout)], env=environ, check=True)
    if url is not None:
        command = ["git", "-C", str(checkout), "remote", "add", "origin", url]
        subprocess.run(command, env=environ, check=True)

    assert LocalFolder(str(checkout)).origin() == expected


def test_origin_of_a_plain_folder(tmp_path):
    """A folder that is not the root of a checkout has none."""
    assert LocalFolder(str(tmp_path)).origin() is None
