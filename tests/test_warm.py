"""Gitops in a fork of a loaded process: it must say and do what a new Python would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import warm
from builds import remember_builds
from gitops.adapters.local.kustomize import Kustomize, find_kustomize
from gitops.ports import Build, BuildFile
from manifests import Manifests

CALLS = [
    ["--version"],
    ["deploy", "--help"],
    ["statu"],
    ["status"],
    ["validate", "-o", "json"],
    ["history", "stage", "-o", "json"],
    ["deploy", "shop/api:9.9.9", "--to", "dev", "--dry-run"],
    ["deploy", "shop/nobody:1", "--to", "dev", "-o", "json"],
    ["rollback", "stage"],
    ["resume", "--help", "--no-such-option"],
]


@pytest.mark.parametrize("arguments", CALLS, ids=" ".join)
def test_says_the_same(manifests: Manifests, arguments: list[str]) -> None:
    """Output, errors and exit code are those of `python -m gitops`, in a folder of the call's."""
    environ = {**os.environ, "GITOPS_REPO": str(manifests.path), "GITOPS_AUTHOR": "A <a@x.org>"}
    running = warm.start(arguments, manifests.elsewhere, environ)
    said = running.communicate()
    cold = subprocess.run(
        [sys.executable, "-m", "gitops", *arguments],
        cwd=manifests.elsewhere,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )

    assert isinstance(running, warm.Running)
    assert (cold.returncode, cold.stdout, cold.stderr) == (running.returncode, *said)


def test_calls_leave_nothing_to_each_other(manifests: Manifests) -> None:
    """Variables, folder and what a call has read are gone when the next one begins."""
    before = manifests.gitops("status", "-o", "json")
    wrong = manifests.gitops("status", repo="no/such/place", env={"TZ": "Asia/Seoul"})
    manifests.gitops("deploy", "shop/api:7.7.7", "--to", "dev")
    after = manifests.gitops("status", "-o", "json")

    assert (0, 0) == (before.code, after.code)
    assert wrong.code != 0
    assert ("7.7.7" in before.out, "7.7.7" in after.out) == (False, True)


def test_what_python_reads_at_its_start_has_a_python(tmp_path: Path) -> None:
    """Another locale, path or coverage: a process that was loaded with others will not do."""
    for name in ("PYTHONPATH", "LC_ALL", "COVERAGE_FILE", "PYTHONUTF8"):
        running = warm.start(["--version"], tmp_path, {**os.environ, name: "0"})
        running.communicate()
        assert isinstance(running, subprocess.Popen), name


def test_who_is_killed_has_no_exit_code(tmp_path: Path) -> None:
    """A call that says nothing is told as one that was killed, and the next one still works."""
    environ = {**os.environ, "PATH": str(tmp_path), "GITOPS_REPO": "http://127.0.0.1:9/m.git"}
    git = tmp_path / "git"
    git.write_text("#!/bin/sh\nkill -9 $PPID\n")
    git.chmod(0o755)
    killed = warm.start(["status"], tmp_path, environ)
    killed.communicate()
    alive = warm.start(["--version"], tmp_path, environ)
    alive.communicate()

    assert (-signal.SIGKILL, 0) == (killed.returncode, alive.returncode)


def test_a_build_is_started_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same files in the same folder are built once; what failed, and a stand-in, each time."""
    starts: list[str] = []
    build = Kustomize.build

    def counted(self: Kustomize, files: Mapping[str, BuildFile], directory: str) -> Build:
        starts.append(directory)
        return build(self, files, directory)

    monkeypatch.setattr(Kustomize, "build", counted)
    program, another = tmp_path / "kustomize", tmp_path / "bin" / "kustomize"
    another.parent.mkdir()
    for one in (program, another):
        one.write_text('#!/bin/sh\nset -eu\nread -r line <"$2/a.yaml"\necho "$line"\n')
        one.chmod(0o755)
    remember_builds(tmp_path / "builds", {str(program)})
    kustomize = find_kustomize({"PATH": str(tmp_path)})
    assert kustomize is not None
    one, other = ({"a/a.yaml": BuildFile(f"{name}: 1\n".encode())} for name in ("one", "other"))

    stand_in = find_kustomize({"PATH": str(tmp_path / "bin")})
    assert stand_in is not None

    built = [kustomize.build(files, "a").text for files in (one, one, other, one, other)]
    failed = [kustomize.build(one, "b").text for _ in range(2)]
    others = [stand_in.build(one, "a").text for _ in range(2)]

    assert ["one: 1\n", "one: 1\n", "other: 1\n", "one: 1\n", "other: 1\n"] == built
    assert ([None, None], ["one: 1\n"] * 2) == (failed, others)
    assert ["a", "a", "b", "b", "a", "a"] == starts
