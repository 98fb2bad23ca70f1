"""Which images the manifests behind an overlay use: kustomize passes over names without a match.

A text search, so that it answers for manifests of every kind; it may find too much (a comment), so
what it does not find is worth a warning.
"""

from __future__ import annotations

import re
from typing import Any

from gitops.core.kustomization import choose_file
from gitops.core.kustomization.references import join
from gitops.core.yamltext import YamlDocument, compose_first
from gitops.errors import ManifestError
from gitops.ports import Snapshot

_KEY = r"""(?:^|[\s{,])["']?(?:%s)["']?[ \t]*:[ \t]*["']?([^\s"'#,{}]+)"""
_IMAGE = re.compile(_KEY % "image|reference")  # `reference` is the image of a volume
_NEW_NAME = re.compile(_KEY % "newName")  # in a base: the name that an overlay must use
_REFERENCES = ("resources", "bases", "components")
# What these add, or change, is known only after a build.
_BUILT = ("helmCharts", "helmChartInflationGenerator", "generators", "transformers")


def manifest_images(snapshot: Snapshot, directory: str) -> frozenset[str] | None:
    """Return the image names (without tag and digest) used by what `directory` builds on.

    None when that cannot be told from the repository alone: remote bases, charts, generators.
    """
    names: set[str] = set()
    seen: set[str] = set()
    try:
        complete = _visit(snapshot, directory, names, seen, own=True)
    except ManifestError:
        return None
    return frozenset(names) if complete else None


def _visit(
    snapshot: Snapshot, directory: str, names: set[str], seen: set[str], *, own: bool = False
) -> bool:
    if directory in seen:
        return True
    seen.add(directory)
    entries = snapshot.entries(directory)
    file = choose_file(entries, directory)
    content = snapshot.read(f"{directory}/{file}") if file else None
    if content is None:
        return False
    document = compose_first(content, f"{directory}/{file}")
    # Patches lie beside the file, or in it.
    for name in entries:
        if name.endswith((".yaml", ".yml", ".json")) and name != file:
            _collect(snapshot.read(f"{directory}/{name}"), names)
    _collect(content, names)
    names |= set() if own else set(_NEW_NAME.findall(content.decode(errors="replace")))
    references = _references(document)
    if references is None:
        return False
    for reference in references:
        path = join(directory, reference)
        if path is None:
            return False
        if snapshot.entries(path):
            if not _visit(snapshot, path, names, seen):
                return False
            continue
        manifest = snapshot.read(path)
        if manifest is None:
            return False
        _collect(manifest, names)
    return True


def _collect(content: bytes | None, names: set[str]) -> None:
    for found in _IMAGE.findall((content or b"").decode(errors="replace")):
        name = found.partition("@")[0]
        folder, slash, last = name.rpartition("/")
        names.add(folder + slash + last.partition(":")[0])


def _references(document: YamlDocument) -> list[str] | None:
    """Return the paths that a kustomization builds on, None when a build adds to them."""
    root: Any = document.root
    if root is None or root.id != "mapping":
        return []
    found: list[str] = []
    for key, node in root.value:
        if key.value in _BUILT:
            return None
        if key.value in _REFERENCES and node.id == "sequence":
            found += [item.value for item in node.value if item.id == "scalar"]
    return found
