"""Standard output that is closed, full, gone or in another encoding: what landed has landed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from manifests import Manifests

DEPLOY = "deploy shop/api:1.5.0 --to dev"


def shell(
    manifests: Manifests, words: str, redirect: str, **environ: str
) -> subprocess.CompletedProcess[bytes]:
    """Run gitops in a process of its own with a redirection of the shell."""
    return subprocess.run(
        ["bash", "-c", f"{sys.executable} -m gitops {words} {redirect}"],
        cwd=manifests.elsewhere,
        env={**os.environ, "GITOPS_REPO": str(manifests.path), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def tag_of(manifests: Manifests) -> str:
    """Return whether dev has the new tag."""
    return "1.5.0" if "newTag: 1.5.0" in manifests.file("overlays/dev/kustomization.yaml") else ""


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", ">&- 2>&- <&-", "2>/dev/full"])
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_closed_stream_is_no_failure(manifests: Manifests, closed: str, output: str) -> None:
    """The commit lands, exit 0, and nothing is complained about."""
    done = shell(manifests, f"{DEPLOY} -o {output}", closed)

    assert (done.returncode, done.stderr) == (0, b"")
    assert tag_of(manifests)


@pytest.mark.parametrize("words", [DEPLOY, f"{DEPLOY} -o json", f"{DEPLOY} --no-wait"])
def test_a_full_disk_does_not_undo_what_landed(manifests: Manifests, words: str) -> None:
    """What landed is said on standard error, exit 0: on the quick way and on the common one."""
    done = shell(manifests, words, ">/dev/full")
    told = done.stderr.decode()

    assert done.returncode == 0
    assert tag_of(manifests)
    assert "No space left" in told
    assert f"committed {manifests.git('rev-parse', 'main')[:7]} to main" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("words", ["status", "history dev -o json", "--help", "deploy --help"])
def test_half_an_answer_is_none(manifests: Manifests, words: str) -> None:
    """What only looks fails when its answer cannot be written: exit 3, in words."""
    done = shell(manifests, words, ">/dev/full")

    assert done.returncode == 3
    assert done.stderr.startswith(b"error: standard output cannot be written (No space left")
    assert b"Traceback" not in done.stderr


def test_a_file_that_was_edited_is_edited(manifests: Manifests) -> None:
    """`set-image` writes a file: that stands, and is said."""
    done = shell(manifests, f"set-image {manifests.checkout}/overlays/dev shop/api:9", ">/dev/full")

    assert done.returncode == 0
    assert b"edited " in done.stderr


def test_who_goes_away_is_not_told(manifests: Manifests) -> None:
    """A reader that has seen enough (`| head -1`) is nobody's fault."""
    done = shell(manifests, "schema", "| head -1; exit ${PIPESTATUS[0]}")

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["latin-1", "euc-kr", "ascii"])
def test_another_encoding(manifests: Manifests, encoding: str) -> None:
    """Whatever the terminal cannot show is escaped; JSON says the same in every encoding."""
    author = {"GITOPS_AUTHOR": "김철수 <kim@example.com>", "PYTHONIOENCODING": encoding}
    done = shell(manifests, f"{DEPLOY} --reason 'grüße 🚀'", "", **author)
    assert (done.returncode, done.stderr) == (0, b"")

    shown = shell(manifests, "status dev", "", **author)
    assert shown.returncode == 0
    assert b"Traceback" not in shown.stderr
    name = "김철수".encode(encoding, "backslashreplace")
    assert name in shown.stdout
    document = shell(manifests, "history dev -o json", "", **author).stdout
    assert json.loads(document.decode(encoding))["releases"][0]["author"] == "김철수"


def test_a_file_descriptor_is_not_taken(manifests: Manifests, tmp_path: Path) -> None:
    """With standard output closed no file or socket of gitops stands in its place."""
    done = shell(manifests, f"{DEPLOY} --repo file://{manifests.path}", ">&-")

    assert (done.returncode, done.stderr) == (0, b"")
    assert manifests.git("fsck", "--no-dangling") == ""


_LONG = """
import os, signal, sys
from gitops.cli import streams
streams.prepare()
signal.signal(signal.SIGALRM, lambda *_: os.write(2, b"."))
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
streams.write("x" * 1_000_000)
signal.setitimer(signal.ITIMER_REAL, 0)
streams.finish()
"""


def test_a_long_result_is_whole_whatever_comes_between() -> None:
    """Nobody reads for a while, signals come, and Python was told to buffer nothing."""
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", _LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.read(5) == b"....."
        assert len(process.stdout.read()) == 1_000_001
