"""What the tests of `gitops check` have in common."""

from __future__ import annotations

from typing import Any

from manifests import Manifests

DEV = "overlays/dev/kustomization.yaml"
PROD = "overlays/prod/kustomization.yaml"
HOLD = ".gitops/holds/prod.yaml"
BEN = {"GITOPS_AUTHOR": "Ben <ben@example.com>"}


def edited(manifests: Manifests, path: str, old: str, new: str) -> str:
    """Return a file of main with one text replaced, which must be there."""
    content = manifests.file(path)
    assert old in content
    return content.replace(old, new)


def check(manifests: Manifests, *arguments: str, repo: str | None = None) -> Any:
    """Run the check; its document, once the exit code says the same."""
    result = manifests.gitops("check", *arguments, "-o", "json", repo=repo)
    document = result.json
    errors = [one for one in document.get("findings", []) if one["level"] == "error"]
    if "findings" in document:
        assert result.code == int(bool(errors)), result.err
        assert bool(errors) == ("error" in document)
    return document


def told(document: Any, level: str = "error") -> list[tuple[str | None, str | None]]:
    """Return (environment, path) of what was found."""
    return [
        (one["environment"], one["path"]) for one in document["findings"] if one["level"] == level
    ]


def messages(document: Any) -> str:
    """Return all that was found as one text."""
    return "\n".join(one["message"] for one in document["findings"])


def standing(document: Any) -> list[str]:
    """Return how each commit stands."""
    return [one["standing"] for one in document["commits"]]
