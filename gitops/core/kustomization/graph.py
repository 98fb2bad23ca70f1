"""What a kustomization brings in from other directories."""

from __future__ import annotations

from collections.abc import Callable

from gitops.core.kustomization.references import join
from gitops.core.yamltext import compose_first
from gitops.errors import ManifestError

_LISTS = ("resources", "components", "bases")
_DEEPEST = 10


def brought_in(content: bytes, directory: str) -> tuple[str, ...]:
    """Return the paths, from the root, that a kustomization in `directory` names.

    Files and directories alike; URLs and what leads out of the repository are left out. A file
    that cannot be read names nothing.
    """
    try:
        root = compose_first(content, "kustomization.yaml").root
    except ManifestError:
        return ()
    found: list[str] = []
    for key, value in getattr(root, "value", None) or () if _is_table(root) else ():
        if key.value not in _LISTS or getattr(value, "id", "") != "sequence":
            continue
        for item in value.value:
            if item.id != "scalar" or "://" in item.value:
                continue
            path = join(directory, item.value)
            if path is not None:
                found.append(path)
    return tuple(dict.fromkeys(found))


def brings_in(directory: str, wanted: str, read: Callable[[str], bytes | None]) -> bool:
    """Say whether the kustomization in `directory` brings in the directory `wanted`.

    `read` returns the kustomization file of a directory, None where there is none. Directories are
    followed through each other, each once, ten deep at most.
    """
    seen: set[str] = set()
    level = [directory]
    for _ in range(_DEEPEST):
        following: list[str] = []
        for one in level:
            content = read(one)
            for path in brought_in(content, one) if content is not None else ():
                if path == wanted:
                    return True
                if path not in seen:
                    seen.add(path)
                    following.append(path)
        if not following:
            return False
        level = following
    return False


def _is_table(node: object) -> bool:
    return getattr(node, "id", "") == "mapping"
