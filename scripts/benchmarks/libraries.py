"""Libraries that were named for gitops and are not used as named: what they would cost.

GitPython beside the git command line where a checkout is worked on, and the newest typer beside the
one that is pinned. Each in a virtual environment of its own, made from the package index.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from figures import table
from single import say

_ROOT = Path(__file__).parents[2]
_BY_GIT = """
import subprocess
def git(*words):
    return subprocess.run(["git", *words], capture_output=True, check=True).stdout
{work}
"""
# What an environment with `change: work-tree` asks before it edits (GIT_TRACE shows it).
_LOOK_BY_GIT = _BY_GIT.format(
    work="""
git("rev-parse", "--is-bare-repository", "--absolute-git-dir", "--git-common-dir")
git("rev-parse", "--show-toplevel")
git("symbolic-ref", "-q", "HEAD")
git("config", "--list", "-z", "--show-scope")
git("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/")
subprocess.run(["git", "cat-file", "--batch"], input=b"HEAD:gitops.yaml\\n", capture_output=True)
"""
)
_LOOK_BY_LIBRARY = """
import git
repository = git.Repo(".")
repository.working_tree_dir, repository.bare, repository.head.ref.name
reader = repository.config_reader()
[reader.items(one) for one in reader.sections()]
{one.name: one.commit.hexsha for one in repository.heads}
(repository.head.commit.tree / "gitops.yaml").data_stream.read()
"""
# What `init` in an empty folder and the demo do: a repository with a first commit.
_WRITE_BY_GIT = _BY_GIT.format(
    work="""
import tempfile, pathlib, os
os.chdir(tempfile.mkdtemp(dir="."))
pathlib.Path("a").write_text("a")
git("init", "-q", "-b", "main")
git("add", "-A")
git("-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "a")
"""
)
_WRITE_BY_LIBRARY = """
import tempfile, pathlib, git
place = pathlib.Path(tempfile.mkdtemp(dir="."))
(place / "a").write_text("a")
repository = git.Repo.init(place, initial_branch="main")
repository.index.add(["a"])
actor = git.Actor("A", "a@example.com")
repository.index.commit("a", author=actor, committer=actor)
"""
_COMMANDS = (("--help",), ("deploy", "--help"), ("history", "dev"))


def measure_libraries(root: Path, runs: int) -> dict[str, Any]:
    """Return CPU milliseconds of each, the best of `runs`, and the median."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GITOPS_CACHE": "off"}
    environment |= {key: value for key, value in os.environ.items() if key.startswith("PIP_INDEX")}
    try:
        pinned = _made(root / "pinned", environment, str(_ROOT), "gitpython")
        newest = _made(root / "newest", environment, str(_ROOT))
        again = ["-m", "pip", "install", "-q", "--upgrade", "typer"]
        _run([newest, *again], environment, root)
    except subprocess.CalledProcessError as error:
        return {"rows": [], "missing": [error.stderr.strip().splitlines()[-1]]}
    shop = root / "shop"
    _run([pinned, "-m", "gitops", "init", str(shop), "--sample"], environment, root)
    for words in ("init -q -b main", "add -A", "commit -q -m sample"):
        who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        _run(["git", *who, *words.split()], environment, shop)
    cases: list[tuple[str, str, Sequence[str]]] = [
        ("a checkout is looked at", "git", [pinned, "-c", _LOOK_BY_GIT]),
        ("a checkout is looked at", "GitPython", [pinned, "-c", _LOOK_BY_LIBRARY]),
        ("a repository is begun", "git", [pinned, "-c", _WRITE_BY_GIT]),
        ("a repository is begun", "GitPython", [pinned, "-c", _WRITE_BY_LIBRARY]),
    ]
    for words in _COMMANDS:
        for python in (pinned, newest):
            about = "import importlib.metadata as m; print(m.version('typer'), end='')"
            version = f"typer {_run([python, '-c', about], environment, root)}"
            name = f"gitops {' '.join(words)}"
            cases.append((name, version, [python, "-P", "-m", "gitops", *words]))
    rows = []
    for case, who, command in cases:
        say(f"libraries: {case}, {who}")
        spent = sorted(_cpu(command, environment, shop) for _ in range(max(runs, 3)))
        rows.append(
            {"case": case, "who": who, "best": spent[0], "median": statistics.median(spent)}
        )
    return {"rows": rows, "missing": []}


def _made(folder: Path, environment: dict[str, str], *packages: str) -> str:
    """Make a virtual environment with packages, and return its Python."""
    _run([sys.executable, "-m", "venv", str(folder)], environment, folder.parent)
    python = str(folder / "bin" / "python")
    _run([python, "-m", "pip", "install", "-q", *packages], environment, folder.parent)
    return python


def _run(command: Sequence[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        command, env=environment, cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def _cpu(command: Sequence[str], environment: dict[str, str], folder: Path) -> float:
    """Return the CPU milliseconds of a process and what it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(command, environment, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def libraries_text(results: dict[str, Any]) -> str:
    """Return the table."""
    if results["missing"]:
        return f"Not measured: {results['missing'][0]}."
    lines = [
        (row["case"], row["who"], f"{row['best']:.0f}", f"{row['median']:.0f}")
        for row in results["rows"]
    ]
    return table(("what", "by", "CPU ms, best", "median"), lines)
