"""Whatever ends a command is told in words, on machines where nothing can be written, too."""

from __future__ import annotations

import errno
import os
import tempfile

import pytest

from gitops.cli.errors import guarded


def raises(error: Exception) -> int:
    """End a command with `error`; return its exit code."""

    def command() -> int:
        raise error

    return guarded(command, [])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_no_bug(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told where nothing can be written, and how to go on."""
    assert 3 == raises(OSError(number, os.strerror(number), "/some/place"))

    told = capsys.readouterr().err
    assert f"error: /some/place cannot be written: {os.strerror(number)}" in told
    assert "TMPDIR" in told


def test_a_bug_whose_details_cannot_be_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told as one, and no traceback comes in its place."""

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "mkstemp", full)

    assert 70 == raises(KeyError("x"))
    told = capsys.readouterr().err
    assert "this is a bug in gitops: KeyError" in told
    assert "cannot be kept: No space left on device" in told
