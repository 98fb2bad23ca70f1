"""The images in manifests that were built, as `images:` of a kustomization would reach them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops.core.kustomization.image import ImageValue, split_reference
from gitops.core.yamltext import compose_all, pairs_of, text_of

_LISTS = ("containers", "initContainers")


def rendered_images(text: str) -> dict[str, tuple[ImageValue, ...]]:
    """Return name -> what it is pinned at, once each, in the order of the manifests.

    Raises ManifestError for what is no YAML.
    """
    found: dict[str, dict[ImageValue, None]] = {}
    for document in compose_all(text.encode(), "the build"):
        for reference in _references(document.root):
            name, tag, digest = split_reference(reference)
            found.setdefault(name, {})[ImageValue(None, tag, digest)] = None
    return {name: tuple(values) for name, values in found.items()}


def _references(node: Any) -> Iterator[str]:
    todo, seen = [node], set[int]()
    while todo:
        node = todo.pop()
        if node is None or node.id == "scalar" or id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "sequence":
            todo += reversed(node.value)
            continue
        for key, value in pairs_of(node):
            todo.append(value)
            if key in _LISTS and value.id == "sequence":
                yield from _images(value.value)


def _images(items: list[Any]) -> Iterator[str]:
    for item in items:
        for key, value in pairs_of(item) if item.id == "mapping" else ():
            if key == "image" and value.id == "scalar" and value.value:
                yield text_of(value)
