"""Two replicas of `gitops serve` on one repository, killed while callers send all verbs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_killed_replicas_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    """`scripts/bench server --kill`, three rounds: every call is answered, in the end by the other
    replica; what was answered is in Git, once, and Git is sound."""
    run = subprocess.run(
        [
            *(sys.executable, str(ROOT / "scripts" / "benchmarks"), "server", "--kill", "3"),
            *("--gitops", f"{sys.executable} -m gitops", "--no-page", "--quick"),
            *("--work", str(tmp_path / "work"), "--json", str(tmp_path / "kept.json")),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert 0 == run.returncode, run.stderr
    seen = json.loads((tmp_path / "kept.json").read_text())["kill"]

    assert [] == seen["faults"], run.stdout
    assert seen["sound"]
    assert seen["kills"] >= 3
    assert seen["calls"] > 60
    assert len({answer.split()[0] for answer in seen["answers"]}) > 5
