"""Which images the manifests behind an overlay use: kustomize passes over names without a match.

A text search, so that it answers for manifests of every kind; it may find too much (a comment), so
what it does not find is worth a warning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gitops.core.kustomization import ImageEntry
from gitops.core.kustomization.graph import BuildGraph
from gitops.errors import ManifestError
from gitops.ports import Snapshot

_KEY = r"""(?:^|[\s{,])["']?(?:%s)["']?[ \t]*:[ \t]*["']?([^\s"'#,{}]+)"""
_IMAGE = re.compile(_KEY % "image|reference")  # `reference` is the image of a volume
_NEW_NAME = re.compile(_KEY % "newName")  # in a base: the name that an overlay must use
# An image that stands elsewhere than behind its key: an anchor, a block, the next line.
_ELSEWHERE = re.compile(
    r"""(?:^|[\s{,?])["']?(?:image|reference)["']?(?:[ \t]*:[ \t]*(?:[&*!>|#]|\r?$)|[ \t]*\r?$)""",
    re.M,
)
_WORD = re.compile(r"[\w.][\w./:@-]*")
# What these add, or change, or let an entry reach, is known only after a build.
_BUILT = frozenset(
    {
        *("generators", "transformers", "configurations", "components", "helmcharts"),
        *("helmchartinflationgenerator", "replacements"),
        *("patches", "patchesjson6902", "patchesstrategicmerge"),
    }
)


def manifest_images(snapshot: Snapshot, directory: str, graph: BuildGraph) -> frozenset[str] | None:
    """Return the image names (without tag and digest) used by what `directory` builds on.

    `graph` is what a build of it reads. None when that cannot be told from the repository alone:
    remote bases, charts, generators.
    """
    if not _is_whole(graph, directory):
        return None
    names: set[str] = set()
    try:
        for folder, (path,) in graph.kustomizations.items():
            content = snapshot.read(path) or b""
            _collect(content, names)
            if folder != directory:
                names |= set(_NEW_NAME.findall(content.decode(errors="replace")))
            # Patches lie beside the file, or in it.
            for name in snapshot.entries(folder):
                beside = f"{folder}/{name}" if folder else name
                if name.endswith((".yaml", ".yml", ".json")) and beside != path:
                    _collect(snapshot.read(beside), names)
        for path in graph.manifests:
            _collect(snapshot.read(path), names)
    except ManifestError:
        return None
    return frozenset(names)


def _is_whole(graph: BuildGraph, directory: str) -> bool:
    """Say whether the graph tells all that a build would read, and the build succeeds."""
    unknown = (graph.remotes, graph.outside, graph.programs, graph.broken, graph.missing)
    alone = all(len(found) == 1 for found in graph.kustomizations.values())
    return (
        directory in graph.kustomizations
        and alone
        and not any((*unknown, graph.limits, graph.used & _BUILT))
    )


def unused(entries: Sequence[ImageEntry], used: frozenset[str]) -> frozenset[str]:
    """Return the names of entries that meet none of the images `used`, nor a name made of one.

    Entries run one after the other, so each meets what those before it have renamed.
    """
    names, idle = set(used), set()
    for entry in entries:
        if entry.image not in names:
            idle.add(entry.image)
        elif entry.value.name is not None:
            names.add(entry.value.name)
    return frozenset(idle)


def _collect(content: bytes | None, names: set[str]) -> None:
    text = (content or b"").decode(errors="replace")
    for found in (_WORD if _ELSEWHERE.search(text) else _IMAGE).findall(text):
        name = found.partition("@")[0]
        folder, slash, last = name.rpartition("/")
        names.add(folder + slash + last.partition(":")[0])
