"""Lanes: tests against real servers that are not everywhere. Skipped by name, or demanded.

A lane that cannot run says why and what to do; `GITOPS_REQUIRE_FORGE=1`, and the like for each
lane, make that a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import pytest

from servers.demands import REQUIRED_BY, demanded
from servers.programs import LANE_PROGRAMS, PACKAGES, SYSTEM_PROGRAMS, find_program
from servers.store import missing

_MARK = "lane "


def absent(group: str) -> str | None:
    """Return what a group of servers lacks on this machine and the way out, None when nothing."""
    if reason := not_installed(SYSTEM_PROGRAMS[group]):
        return reason
    if unbuilt := missing(group):
        names = ", ".join(one.name for one in unbuilt)
        return f"{names} not built here: run scripts/servers build {group}"
    return None


def not_installed(programs: Sequence[str]) -> str | None:
    """Return which of these programs the distribution should have and has not, None when none."""
    lacking = [name for name in programs if find_program(name) is None]
    if not lacking:
        return None
    verb = "is" if len(lacking) == 1 else "are"
    packages = " ".join(dict.fromkeys(PACKAGES.get(name, name) for name in lacking))
    return f"{' and '.join(lacking)} {verb} not installed (Debian: apt install {packages})"


def need(lane: str) -> None:
    """Leave the test out where a lane that builds nothing lacks a program."""
    if reason := not_installed(LANE_PROGRAMS[lane]):
        leave_out(lane, reason)


def leave_out(lane: str, reason: str) -> NoReturn:
    """Skip the test that asks; fail it where the lane is demanded."""
    text = f"{_MARK}{lane}: {reason}"
    if demanded(lane):
        pytest.fail(f"{text} ({REQUIRED_BY[lane]} is set)", pytrace=False)
    pytest.skip(text)


def left_out(reporter: pytest.TerminalReporter) -> dict[str, int]:
    """Return the lanes that were skipped in a run, with the number of their tests."""
    found: dict[str, int] = {}
    for report in reporter.stats.get("skipped", ()):
        if isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if reason.startswith(_MARK):
                found[reason] = found.get(reason, 0) + 1
    return found
