"""What registries do of their own, as their makers have published it.

docs/how-to/images.md has the table, with what was run and what was only read.
"""

from __future__ import annotations

from gitops.core.images.name import ImageName


def how_to_delete(name: ImageName) -> str:
    """Return the way out where a registry deletes nothing by the protocol (it says 405)."""
    return (
        "it is switched off there: in docker-registry `storage: {delete: {enabled: true}}`, "
        "elsewhere in its settings"
    )
