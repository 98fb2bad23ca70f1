"""ci/install.sh: what is installed once is found again, and is whole; pip is a stand-in here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from manifests import ROOT

_PYTHON = f"""\
#!/bin/sh
case "$*" in
*"-m venv"*)
    for place; do :; done
    mkdir -p "$place/bin"
    cp "$STAND_INS/venv-python" "$place/bin/python"
    printf '#!/bin/sh\\necho "the script of pip"\\n' >"$place/bin/gitops"
    chmod +x "$place/bin/gitops" ;;
*) exec {sys.executable} "$@" ;;
esac
"""
_IN_VENV = """\
#!/bin/sh
case "$*" in
*"-m pip"*)
    echo pip >>"$STAND_INS/calls"
    while [ -e "$STAND_INS/wait" ]; do sleep 0.01; done
    [ ! -e "$STAND_INS/fail" ] ;;
*) echo "$*" ;;
esac
"""


@dataclass(frozen=True)
class Kit:
    """A copy of the kit, a Python that installs nothing, and a folder that outlives jobs."""

    folder: Path

    def start(self, job: str, **env: str) -> subprocess.Popen[str]:
        """Start the script in a job of this name."""
        path = f"{self.folder / 'stand-ins'}:{os.environ['PATH']}"
        told = {"PATH": path, "STAND_INS": str(self.folder / "stand-ins")}
        return subprocess.Popen(
            [self.folder / "kit" / "ci" / "install.sh", self.folder / job],
            env={**told, "RUNNER_TOOL_CACHE": str(self.folder / "cache"), **env},
            stderr=subprocess.PIPE,
            text=True,
        )

    def install(self, job: str, **env: str) -> int:
        """Run the script in a job of this name; return its exit code."""
        running = self.start(job, **env)
        running.communicate()
        return running.returncode

    def pips(self) -> int:
        """How often pip was called."""
        calls = self.folder / "stand-ins" / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0

    def kept(self) -> list[str]:
        """What the folder of installed versions has."""
        return sorted(path.name for path in (self.folder / "cache" / "gitops").iterdir())

    def runs(self, job: str) -> str:
        """Return what the installed program of a job says."""
        command = [self.folder / job / "bin" / "gitops", "version"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """The files that the script looks at."""
    for name in ("ci/install.sh", "pyproject.toml", "gitops/__init__.py", "requirements/build.txt"):
        (tmp_path / "kit" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "kit" / name)
    for name in ("gitops", "cluster"):
        shutil.copy(ROOT / "requirements" / f"{name}.txt", tmp_path / "kit" / "requirements")
    stand_ins = tmp_path / "stand-ins"
    stand_ins.mkdir()
    for name, text in (("python3", _PYTHON), ("venv-python", _IN_VENV)):
        (stand_ins / name).write_text(text)
        (stand_ins / name).chmod(0o755)
    return Kit(tmp_path)


def test_a_second_job_installs_nothing(kit: Kit) -> None:
    """Another job finds what was installed; another version or extra has a place of its own."""
    assert 0 == kit.install("first")
    once = kit.pips()
    assert 0 == kit.install("second")
    assert once == kit.pips() > 0
    assert "-P -m gitops version" == kit.runs("first") == kit.runs("second")

    assert 0 == kit.install("third", WAIT="true")
    (kit.folder / "kit" / "gitops" / "new.py").write_text("")
    assert 0 == kit.install("fourth")
    assert 3 * once == kit.pips()
    names = [name.split("-")[0] for name in kit.kept()]
    assert ["cluster", "gitops", "gitops"] == names


def test_two_jobs_at_once(kit: Kit) -> None:
    """Both have it, one folder is left, and never is half of one found."""
    (kit.folder / "stand-ins" / "wait").touch()
    jobs = [kit.start(name) for name in ("first", "second")]
    give_up = time.monotonic() + 60
    while kit.pips() < 2:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert all(name.startswith("making-") for name in kit.kept())
    (kit.folder / "stand-ins" / "wait").unlink()

    assert [("", 0), ("", 0)] == [(job.communicate()[1], job.returncode) for job in jobs]
    assert 1 == len(kit.kept())
    assert "-P -m gitops version" == kit.runs("first") == kit.runs("second")


def test_what_failed_is_not_found(kit: Kit) -> None:
    """pip that fails leaves nothing, and the next job installs it."""
    (kit.folder / "stand-ins" / "fail").touch()
    assert 0 != kit.install("first")
    assert [] == kit.kept()

    (kit.folder / "stand-ins" / "fail").unlink()
    assert 0 == kit.install("second")
    assert 1 == len(kit.kept())


def test_without_a_folder_that_outlives_it(kit: Kit) -> None:
    """Where nothing is kept it lies in FOLDER, where a second step of the job finds it."""
    for _ in range(2):
        assert 0 == kit.install("job", RUNNER_TOOL_CACHE="")
    assert 3 == kit.pips()
    assert "the script of pip" == kit.runs("job")


def test_a_python_that_is_too_old(kit: Kit) -> None:
    """It says so, and how to get a newer one."""
    old = kit.folder / "stand-ins" / "python3"
    old.write_text("#!/bin/sh\ncat >/dev/null\nexit 3\n")
    running = kit.start("job")
    said = running.communicate()[1]

    assert 3 == running.returncode
    assert "error: gitops needs Python 3.11" in said
    assert "hint: " in said
