"""Argo CD Applications that lie in the manifest repository: which folders they read.

Whoever changes one can turn an overlay aside, so it belongs to the environment whose overlay it
reads (argo-cd: pkg/apis/application/v1alpha1, `spec.source`, `spec.sources`; an ApplicationSet has
the same in `spec.template`, with placeholders).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitops.core.kustomization.references import join
from gitops.core.yamltext import compose_all
from gitops.errors import ManifestError

_GROUP = b"argoproj.io"
_KINDS = ("Application", "ApplicationSet")
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
_LONGEST = 1 << 20


def is_manifest(path: str) -> bool:
    """Say whether a file may hold an Application, by its name."""
    return path.lower().endswith((".yaml", ".yml", ".json"))


def folders_read(content: bytes, path: str) -> tuple[str, ...]:
    """Return the folders that Applications in `content` read, as they are written there.

    A text that cannot be read holds none, as Argo CD would not take it either.
    """
    return tuple(folder for root in _roots(content, path) for folder in _folders(root))


def names_by_folder(content: bytes, path: str) -> dict[str, str]:
    """Return folder -> name of the Application in `content` that reads it, as written there."""
    return {
        folder: _text(_field(root, "metadata"), "name")
        for root in _roots(content, path)
        for folder in _folders(root)
    }


def _roots(content: bytes, path: str) -> tuple[Any, ...]:
    if _GROUP not in content or len(content) > _LONGEST:
        return ()
    try:
        return tuple(document.root for document in compose_all(content, path))
    except ManifestError:
        return ()


def _folders(root: Any) -> Iterator[str]:
    if _text(root, "kind") not in _KINDS or not _text(root, "apiVersion").startswith("argoproj.io"):
        return
    spec = _field(root, "spec")
    for one in (spec, _field(_field(spec, "template"), "spec")):
        source, sources = _field(one, "source"), _field(one, "sources")
        many = sources.value if sources is not None and sources.id == "sequence" else []
        for entry in (source, *many):
            folder = _text(entry, "path")
            if folder:
                yield folder


def may_be(folder: str, directory: str) -> bool:
    """Say whether the `folder` of an Application is `directory`, or may become it."""
    pieces = _PLACEHOLDER.split(folder)
    if len(pieces) > 1:
        pattern = "[^/]+".join(re.escape(piece) for piece in pieces)
        # A placeholder that is a whole path may stand for any.
        return re.fullmatch(pattern.replace("[^/]+", ".+"), directory) is not None
    return join("", folder) == directory


def _field(node: Any, name: str) -> Any:
    if node is None or node.id != "mapping":
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _text(node: Any, name: str) -> str:
    value = _field(node, name)
    return str(value.value) if value is not None and value.id == "scalar" else ""
