"""Marks of files on disk: Git's ids, and nothing for what may be changing."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from gitops.adapters.gitrepo.local.worktree import CheckoutFiles, mark_of

_GIT = ("git", "-c", "core.autocrlf=false", "-c", "user.name=A", "-c", "user.email=a@example.com")


def git(folder: Path, *words: str) -> str:
    """Run git there."""
    return subprocess.run(
        [*_GIT, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_marks_are_what_git_says(tmp_path: Path) -> None:
    """Folders, files, programs and links are called what Git calls them; links are not followed."""
    git(tmp_path, "init", "-q", "-b", "main", ".")
    inside = tmp_path / "apps" / "a" / "dev"
    inside.mkdir(parents=True)
    (inside / "kustomization.yaml").write_text("images: []\n")
    (inside / "run").write_text("x\n")
    (inside / "run").chmod(0o755)
    (inside / "a.b").mkdir()
    (inside / "a.b" / "c").write_text("c\n")
    (inside / "a").mkdir()
    (inside / "a" / "c").write_text("c\n")
    (inside / "link").symlink_to("../../../..")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "x")
    later = time.time() + 60

    for path in ("apps/a/dev", "apps/a/dev/a", "apps", ""):
        oid = git(tmp_path, "rev-parse", f"HEAD:{path}")
        assert mark_of(tmp_path / path, later) == f"40000 {oid}"
    for path in ("apps/a/dev/run", "apps/a/dev/link", "apps/a/dev/kustomization.yaml"):
        mode, _, oid, _ = git(tmp_path, "ls-tree", "HEAD", path).split()
        assert mark_of(tmp_path / path, later) == f"{mode} {oid}"
    assert mark_of(tmp_path / "none", later) == ""
    assert mark_of(inside / "run" / "none", later) == ""


def test_what_changes_meanwhile_has_no_mark(tmp_path: Path) -> None:
    """A file that was written since the call began may not be what was read: nobody can tell."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "file").write_text("x\n")
    assert mark_of(tmp_path / "one", time.time() - 60) is None
    assert CheckoutFiles(tmp_path).mark("one") is None
    os.mkfifo(tmp_path / "one" / "pipe")
    assert mark_of(tmp_path / "one", time.time() + 60) is None


def test_large_folders_are_not_read_for_a_mark(tmp_path: Path) -> None:
    """More than a few hundred files, or a file of megabytes, has none."""
    later = time.time() + 60
    for number in range(250):
        (tmp_path / f"{number}").write_text("x\n")
    assert mark_of(tmp_path, later) is None
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    assert mark_of(tmp_path / "large", later) is None
