"""All objects of one kind in a Kubernetes API server: listed in pages, and followed from there."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from msgspec import Struct

from gitops.adapters.argocd.connection import (
    Connection,
    KubernetesQuery,
    KubernetesResponse,
    ListAgain,
)
from gitops.core.text.plain import one_line
from gitops.core.unstructured import table, tables, text
from gitops.errors import NotFound, Unavailable

V = TypeVar("V")
ObjectKey = tuple[str, str]
"""Namespace and name."""

_PAGE = "500"  # objects
_MOST_PAGES = 400
_STREAM = 50.0  # seconds: a stream that hangs is noticed when it is over and nothing has come


class CollectionPage(Struct, Generic[V], frozen=True):
    """A part of a list; `version` is the same in all of its pages, `time` is of the cluster."""

    time: datetime
    version: str
    items: tuple[tuple[ObjectKey, V], ...]


class CollectionChange(Struct, Generic[V], frozen=True):
    """One thing that a stream told.

    Attributes:
        key: None: nothing changed, and somebody is there (the stream is open, a bookmark).
        value: None: the object is gone.
        version: to go on from; "" where it is not told.
    """

    key: ObjectKey | None = None
    value: V | None = None
    version: str = ""


class Collection(Protocol[V]):
    """What can be listed and followed. Both raise what `ports.Cluster` does."""

    def listed(self) -> Iterator[CollectionPage[V]]:
        """Yield the pages of a list. Raises ListAgain when it took too long for the server."""
        ...

    def changes(self, version: str) -> Iterator[CollectionChange[V]]:
        """Yield what changed since `version`, until the stream ends, which is no error.

        Raises ListAgain when that is not known any more.
        """
        ...


class KubernetesCollection(Generic[V]):
    """`Collection` of the objects at `path`.

    Args:
        read: makes of each what is kept of it.
        missing: raised where the server knows no such path.
        query: which of them are listed; None of it follows.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        read: Callable[[Mapping[str, Any]], V],
        missing: NotFound | None = None,
        query: KubernetesQuery = (),
    ) -> None:
        self._connection = connection
        self._path = path
        self._read = read
        self._missing = missing
        self._query = query

    def listed(self) -> Iterator[CollectionPage[V]]:
        """See `Collection`: 500 objects a page, so that no answer is without bounds."""
        more = ""
        for _ in range(_MOST_PAGES):
            query = [*self._query, ("limit", _PAGE), *([("continue", more)] if more else [])]
            answer = self._get(query)
            meta = table(answer.data, "metadata")
            items = tuple((key_of(one), self._read(one)) for one in tables(answer.data, "items"))
            yield CollectionPage(answer.time, text(meta, "resourceVersion"), items)
            more = text(meta, "continue")
            if not more:
                return
        raise Unavailable(f"{self._connection.name} lists without end")

    def _get(self, query: KubernetesQuery) -> KubernetesResponse:
        try:
            return self._connection.get(self._path, query)
        except NotFound as error:
            raise self._missing or error from error

    def changes(self, version: str) -> Iterator[CollectionChange[V]]:
        """See `Collection`: with bookmarks, so that a quiet stream goes on from a late version."""
        longest = _STREAM * random.uniform(0.8, 1.0)  # noqa: S311 - jitter, no secret
        query = [("watch", "true"), ("resourceVersion", version), ("allowWatchBookmarks", "true")]
        query += [("timeoutSeconds", f"{longest:.0f}")]
        chunks = self._connection.stream(self._path, query, longest=longest)
        yield CollectionChange()
        for line in _lines(chunks):
            yield self._change(line)

    def _change(self, line: bytes) -> CollectionChange[V]:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise Unavailable(f"{self._connection.name} sent something that is no JSON object")
        made = table(told, "object")
        version = text(table(made, "metadata"), "resourceVersion")
        match told.get("type"):
            case "ADDED" | "MODIFIED":
                return CollectionChange(key_of(made), self._read(made), version)
            case "DELETED":
                return CollectionChange(key_of(made), None, version)
            case "ERROR" if made.get("code") == 410:
                raise ListAgain(f"{self._connection.name} has forgotten what was before")
            case "ERROR":
                words = one_line(text(made, "message"), 200)
                raise Unavailable(f"{self._connection.name} ends the stream: {words}")
        return CollectionChange(version=version)


def key_of(told: Mapping[str, Any]) -> ObjectKey:
    """Return namespace and name of an object."""
    meta = table(told, "metadata")
    return text(meta, "namespace"), text(meta, "name")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield whole lines; half of one at the end of a stream is not looked at."""
    parts: list[bytes] = []
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            whole = b"".join((*parts, line))
            parts.clear()
            if whole.strip():
                yield whole
        parts += [rest] if rest else []


def api_path(*parts: str) -> str:
    """Return the path of an object, made of quoted parts, with a slash before each.

    Raises NotFound for what no object is called, since a server may go up a path for it.
    """
    for part in parts:
        if part in ("", ".", ".."):
            raise NotFound(f"{part!r} is no name in Kubernetes")
    return "".join(f"/{quote(part, safe='')}" for part in parts)
