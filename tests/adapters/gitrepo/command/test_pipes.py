"""What a child is fed and says: whole where it is short, bounded where it does not end."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from gitops.adapters.gitrepo.command import process
from gitops.adapters.gitrepo.command.process import Git
from gitops.errors import Unavailable


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """A git that runs nowhere in particular."""
    return Git(os.environ, folder=tmp_path)


def shell(git: Git, script: str, feed: bytes | None = None) -> process.GitResult:
    """Run a script as a child of git, which has its pipes."""
    return git.run(["-c", f"alias.x=!{script}", "x"], feed=feed)


def test_all_of_it_comes_back(git: Git) -> None:
    """More than a pipe holds is fed, and comes back as it is; so does what is said beside."""
    fed = os.urandom(1 << 20) * 3
    answer = shell(git, "echo said >&2; cat; exit 3", fed)

    assert (3, "said\n") == (answer.code, answer.err)
    assert fed == answer.out


def test_who_reads_nothing_may_end(git: Git) -> None:
    """A child that does not take what it is fed ends as it likes."""
    assert 5 == shell(git, "exit 5", b"x" * (1 << 20)).code


def test_a_speech_without_end(git: Git) -> None:
    """Of what a server says by the gigabyte the beginning and the end are kept, and no more."""
    lines = "first; yes remote: words | head -c 30000000; echo; echo last"
    tracemalloc.start()
    try:
        answer = shell(git, f"{{ echo {lines}; }} >&2")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.err.startswith("first\nremote: words\n")
    assert answer.err.endswith("\nlast\n")
    assert len(answer.err) < 50_000
    assert peak < 2_000_000


def test_prints_without_end(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list without end, as of a server's branches, is given up."""
    monkeypatch.setattr(process, "_MOST_OUTPUT", 1 << 20)

    with pytest.raises(Unavailable, match="git prints more than 1 MB"):
        shell(git, "yes")
