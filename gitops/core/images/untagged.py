"""The throw-away manifest under a tag that is being taken away."""

from __future__ import annotations

from typing import Final

from gitops.core.images.manifest import Manifest
from gitops.core.images.name import is_digest

UNTAGGED: Final = "application/vnd.dev.gitops.untagged.v1"
"""Its artifact type; its annotations begin with this."""


def untagged_from(manifest: Manifest) -> str | None:
    """Return the digest that a tag named before, None when `manifest` is no such manifest."""
    before = manifest.annotations.get(f"{UNTAGGED}.from", "")
    return before if manifest.artifact_type == UNTAGGED and is_digest(before) else None
