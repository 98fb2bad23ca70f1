"""`kill -9` at every step: the remote is before or after, and the next run works."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from manifests import Manifests

DEV = "overlays/dev/kustomization.yaml"

# Takes the place of git: kills whoever called it, before or after the step named by KILL_AT.
KILLER = """\
#!/bin/sh
case " $* " in
*" $KILL_AT "*)
    [ "$KILL_WHEN" = before ] || {git} "$@"
    kill -9 $PPID
    exit 1 ;;
esac
exec {git} "$@"
"""

pytestmark = pytest.mark.no_cover

REMOTE_STEPS = ["fetch", "cat-file", "push"]
LOCAL_STEPS = ["cat-file", "update-ref", "read-tree", "commit-tree", "update-index", "write-tree"]


def killer(folder: Path) -> Path:
    """A folder with the killing git, to stand first in PATH."""
    real = shutil.which("git")
    assert real is not None
    script = folder / "bin" / "git"
    script.parent.mkdir()
    script.write_text(KILLER.replace("{git}", real))
    script.chmod(0o755)
    return script.parent


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", REMOTE_STEPS + LOCAL_STEPS)
@pytest.mark.parametrize("place", ["bare", "clone", "plain"])
def test_killed_at_a_step(
    manifests: Manifests, tmp_path: Path, place: str, step: str, when: str
) -> None:
    """The branch is before or after the commit, Git finds it whole, and the next call lands."""
    repo = manifests.path if place == "bare" else manifests.checkout
    if place == "plain":
        subprocess.run(["git", "-C", str(repo), "remote", "remove", "origin"], check=True)
    before = manifests.file(DEV)
    path = f"{killer(tmp_path)}{os.pathsep}{os.environ['PATH']}"
    arguments = ("deploy", "shop/api:1.9.0", "--to", "dev")
    manifests.gitops(
        *arguments, repo=str(repo), env={"PATH": path, "KILL_AT": step, "KILL_WHEN": when}
    )
    where = repo if place == "plain" else manifests.path
    killed = _show(where)
    _git(where, "fsck", "--strict")

    again = manifests.gitops(*arguments, repo=str(repo))

    assert killed in (before, before.replace("1.4.1", "1.9.0"))
    assert (0, "") == (again.code, again.err)
    assert before.replace("1.4.1", "1.9.0") == _show(where)
    assert len(_git(where, "log", "--format=%H", "main").split()) == 2
    if place != "bare":
        assert _git(manifests.checkout, "status", "--porcelain") == ""


def _show(repository: Path) -> str:
    return _git(repository, "show", f"main:{DEV}")


def _git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
