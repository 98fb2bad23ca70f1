"""A longer way to the server: the loopback of a network namespace of its own, with delay."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_ENTER = 'ip link set lo up && tc qdisc add dev lo root netem delay "$1"ms && shift && exec "$@"'


def why_not() -> str | None:
    """Return why no delay can be added here, or None."""
    for tool in ("unshare", "ip", "tc"):
        if shutil.which(tool) is None:
            return f"no `{tool}` on PATH"
    if os.geteuid() != 0:
        return "only root may make a network namespace"
    tried = subprocess.run(_inside(1, ["true"]), capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"`tc … netem` says: {tried.stderr.strip() or 'no'}"
    return None


def run_inside(milliseconds: int, arguments: Sequence[str]) -> int:
    """Run this program again behind a round trip of so many milliseconds; return its status."""
    program = [sys.executable, str(Path(__file__).parent), *arguments]
    return subprocess.run(_inside(milliseconds, program), check=False).returncode


def _inside(milliseconds: int, command: Sequence[str]) -> list[str]:
    # Both directions pass the same loopback, so each gets half of the round trip.
    return ["unshare", "--net", "sh", "-ec", _ENTER, "sh", str(milliseconds / 2), *command]
