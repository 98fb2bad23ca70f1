"""Which file of a directory is its kustomization."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.errors import ManifestError

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def choose_file(names: Sequence[str], directory: str) -> str | None:
    """Return the kustomization file among `names`, None when there is none.

    Raises ManifestError when there are two: kustomize builds neither.
    """
    found = [name for name in FILE_NAMES if name in names]
    if len(found) > 1:
        raise ManifestError(
            f"there are two kustomizations in one directory: {' and '.join(found)}",
            path=directory or ".",
            hint="kustomize builds neither: remove one",
        )
    return found[0] if found else None
