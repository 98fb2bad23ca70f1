"""The throw-away manifest under a tag that is being taken away: the journal of what was begun."""

from __future__ import annotations

import json
from typing import Final

from msgspec import Struct

from gitops.core.images.manifest import OCI_MANIFEST, Manifest, digest_of
from gitops.core.images.name import is_digest

UNTAGGED: Final = "application/vnd.dev.gitops.untagged.v1"
"""Its artifact type; its annotations begin with this."""

EMPTY: Final = b"{}"
"""Its config, which must be there before it is pushed."""

_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


class Untagged(Struct, frozen=True):
    """What a tag named before somebody began to take it away.

    Attributes:
        children: what was in it, which cannot be read any more once it is deleted.
    """

    digest: str
    children: tuple[str, ...] = ()


def untagged_manifest(tag: str, named: Manifest, unique: str) -> bytes:
    """Return the manifest that a tag gets in place of `named`; `unique`: nobody else has it."""
    annotations = {
        f"{UNTAGGED}.from": named.digest,
        f"{UNTAGGED}.children": ",".join(child.digest for child in named.children),
        f"{UNTAGGED}.tag": tag,
        f"{UNTAGGED}.id": unique,
    }
    config = {"mediaType": _EMPTY_TYPE, "digest": digest_of(EMPTY), "size": len(EMPTY)}
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": UNTAGGED,
            "config": config,
            "layers": [],
            "annotations": annotations,
        }
    ).encode()


def untagged_from(manifest: Manifest) -> Untagged | None:
    """Return what a tag named before, None when `manifest` is no such manifest."""
    before = manifest.annotations.get(f"{UNTAGGED}.from", "")
    if manifest.artifact_type != UNTAGGED or not is_digest(before):
        return None
    children = manifest.annotations.get(f"{UNTAGGED}.children", "").split(",")
    return Untagged(before, tuple(one for one in children if is_digest(one)))
