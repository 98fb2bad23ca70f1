"""What registries do of their own, as their makers have published it.

docs/how-to/images.md has the table, with what was run and what was only read.
"""

from __future__ import annotations

from gitops.core.images.name import ImageName


def how_to_delete(name: ImageName) -> str:
    """Return the way out where a registry deletes nothing by the protocol (it says 405)."""
    host = name.host
    if ".dkr.ecr." in host:
        return (
            "Amazon ECR deletes by its own API: aws ecr batch-delete-image "
            f"--repository-name {name.path} --image-ids imageTag=TAG"
        )
    return (
        "it is switched off there: in docker-registry `storage: {delete: {enabled: true}}`, "
        "elsewhere in its settings"
    )
