"""Temporary folders: where they are made, and what is removed with them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gitops.adapters.gitrepo.objects.temporary import (
    make_folder,
    remove_folder,
    temporary_place,
)


def test_a_folder_is_made_for_one_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies where `TMPDIR` says, has a name of its own, and nobody else may look into it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    made = [make_folder(), make_folder()]

    assert {tmp_path} == {one.parent for one in made}
    assert 2 == len(set(made))
    assert {0o700} == {stat.S_IMODE(one.stat().st_mode) for one in made}
    assert str(tmp_path) == temporary_place()


def test_a_place_that_is_of_no_use_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file, a folder that is not there, one that takes nothing: the next one is taken."""
    file = tmp_path / "file"
    file.touch()
    good = tmp_path / "good"
    good.mkdir()
    monkeypatch.setenv("TMPDIR", str(file))
    monkeypatch.setenv("TEMP", str(tmp_path / "missing"))
    monkeypatch.setenv("TMP", str(good))
    assert good == make_folder().parent

    full = tmp_path / "full"
    full.mkdir()
    monkeypatch.setenv("TMPDIR", str(full))
    mkdir = os.mkdir

    def no_room(path: str, mode: int = 0o777) -> None:
        if path.startswith(str(full)):
            raise OSError(28, "No space left on device")
        mkdir(path, mode)

    monkeypatch.setattr(os, "mkdir", no_room)
    assert good == make_folder().parent


def test_no_link_is_followed(tmp_path: Path) -> None:
    """What a link leads to stays, whether it stands in the folder or for it."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    folder = tmp_path / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "file").touch()
    (folder / "a" / "to-folder").symlink_to(kept)
    (folder / "to-file").symlink_to(kept / "file")
    (folder / "to-nothing").symlink_to(tmp_path / "nothing")
    link = tmp_path / "link"
    link.symlink_to(kept)

    remove_folder(folder)
    remove_folder(link)
    remove_folder(tmp_path / "missing")

    assert not folder.exists()
    assert link.is_symlink()
    assert (kept / "file").exists()
