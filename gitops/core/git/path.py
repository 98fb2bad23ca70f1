"""Paths inside a repository."""

from __future__ import annotations

from gitops.errors import ManifestError


def check_path(path: str) -> None:
    """Raise ManifestError for a path that no Git tree may hold."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" or "\0" in part for part in parts):
        raise ManifestError("is not a path inside the repository", path=path)
