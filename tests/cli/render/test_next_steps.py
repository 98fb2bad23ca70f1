"""What is told to be typed next can be typed as it stands."""

from __future__ import annotations

import pytest

from gitops.cli.render.terminal import there


def test_a_folder_is_named_where_a_command_would_look_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In another folder, and where GITOPS_REPO is set; quoted as a shell reads it."""
    monkeypatch.delenv("GITOPS_REPO", raising=False)
    assert ("", " --repo 'my shop'") == (there("."), there("my shop"))

    monkeypatch.setenv("GITOPS_REPO", "https://git.example.com/shop/manifests.git")
    assert " --repo ." == there(".")
