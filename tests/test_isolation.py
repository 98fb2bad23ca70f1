"""The tests are kept away from the machine: what tests/conftest.py promises."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest


def test_other_machines_are_out_of_reach() -> None:
    """A test that would talk to another machine fails at once."""
    with socket.socket() as other, pytest.raises(AssertionError, match="wants to connect"):
        other.connect(("192.0.2.1", 80))


def test_this_machine_is_in_reach() -> None:
    """Servers of the tests listen on the loopback, and can be reached."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_home_and_git_are_our_own() -> None:
    """Git reads one configuration file, which lies in a temporary home."""
    done = subprocess.run(
        ["git", "config", "--list", "--show-origin"],
        cwd=os.environ["HOME"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(os.environ["HOME"]).name.startswith("gitops-test-home-")
    assert {f"file:{os.environ['GIT_CONFIG_GLOBAL']}"} == {
        line.split("\t")[0] for line in done.stdout.splitlines()
    }


def test_nothing_of_ci_is_left() -> None:
    """No variable of a CI system, no token and no proxy of the machine is seen."""
    left = [
        name for name in os.environ if name.startswith(("CI", "GITHUB_", "GITLAB_", "JENKINS_"))
    ]
    left += [name for name in os.environ if "TOKEN" in name or "PASSWORD" in name]

    assert [] == left
    assert "http://127.0.0.1:9" == os.environ["http_proxy"]
