"""Test runs inside a test: held, killed, or made to fail, each with servers of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from servers.demands import REQUIRED_BY
from servers.sharing import TESTS

ROOT = TESTS.parent

_DEMANDS = set(REQUIRED_BY.values())

_PLUGINS = {
    # Holds a test until the run is killed.
    "hold": "import signal\n\ndef pytest_runtest_call(item):\n    signal.pause()\n",
    "spoil": """\
from servers.sharing import run_folder

def pytest_runtest_call(item):
    raise AssertionError(f"spoilt beside {[one.name for one in run_folder().glob('*/')]}")
""",
}


def start_run(
    folder: Path,
    test: str,
    *options: str,
    plugin: str | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start pytest with one test; its temporary files and its `output` are below `folder`."""
    chosen = []
    if plugin is not None:
        (folder / f"{plugin}.py").write_text(_PLUGINS[plugin])
        chosen = ["-p", plugin]
    (folder / "tmp").mkdir()
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml")),
                *("--rootdir", str(ROOT), "-p", "no:cacheprovider", "--import-mode=importlib"),
                *(*chosen, *options, str(ROOT / test)),
            ],
            env={
                # Whether a lane is demanded is for each of these runs to say.
                **{name: value for name, value in os.environ.items() if name not in _DEMANDS},
                "TMPDIR": str(folder / "tmp"),
                "PYTHONPATH": str(folder),
                **(env or {}),
            },
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def run(folder: Path, test: str, *options: str, **rest: object) -> tuple[int, str]:
    """Run pytest with one test; return its exit code and what it printed."""
    code = start_run(folder, test, *options, **rest).wait()  # type: ignore[arg-type]
    return code, (folder / "output").read_text()


def until(question: Callable[[], object], *, seconds: float = 60) -> None:
    """Wait until something is so."""
    give_up = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < give_up, "not so in time"
        time.sleep(0.05)


def lives(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()
