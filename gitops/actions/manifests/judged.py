"""Overlays that an earlier `validate` looked at, by the contents that it read: a copy.

What is said of an overlay follows from its folder and from the files beside it that it is built
from. Where all of them are as they were, by Git's ids, nothing is parsed again. Whatever is broken
is not kept, and neither is what a build said, or what `gitops.yaml` says of it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice

import msgspec
from msgspec import Struct

from gitops import __version__
from gitops.core.environments.environment import Overlay
from gitops.core.kustomization import ImageEntry
from gitops.core.kustomization.graph import BuildGraph
from gitops.core.kustomization.image import ImageValue
from gitops.core.report import Problem
from gitops.ports import Index, Snapshot

_LARGEST = 1 << 26  # bytes of a page; more cannot have been kept
_MOST_BESIDE = 50  # paths beside an overlay; one that is built from more is looked at each time
_RULES = 2  # counts with each rule about overlays that is new, or that says something else


class JudgedOverlay(Struct, frozen=True, array_like=True):
    """What was found in one overlay.

    Attributes:
        path: of its kustomization.
        entries: what that pins.
        problems: what is wrong there.
        idle: images that no manifest was seen to use; none, where some problem is an error.
        under: the other folders with a kustomization that it is built from.
    """

    path: str
    entries: tuple[ImageEntry, ...]
    problems: tuple[Problem, ...]
    idle: frozenset[str] = frozenset()
    under: tuple[str, ...] = ()


class _Kept(Struct, frozen=True, array_like=True):
    """A judgement, the mark of the overlay's folder, and marks of what lies beside it by path."""

    own: str
    beside: Mapping[str, str]
    found: JudgedOverlay


class _Page(Struct, frozen=True, array_like=True):
    """What was found in the overlays of one environment, by label and folder."""

    form: str
    overlays: Mapping[str, _Kept]


_SHAPES = [one.__struct_fields__ for one in (_Page, _Kept, JudgedOverlay, Problem, ImageValue)]
_FORM = hashlib.sha256(
    repr((__version__, _RULES, _SHAPES, ImageEntry._fields)).encode()
).hexdigest()[:16]


class JudgedOverlays:
    """What is known of overlays from an earlier call, and what this one adds.

    Args:
        index: where it is kept; None: nowhere.
    """

    def __init__(self, index: Index | None = None) -> None:
        self._index = index
        self._pages: dict[str, Mapping[str, _Kept]] = {}  # of environments, by their names
        self._now: dict[str, dict[str, _Kept]] = {}

    def find(self, home: Snapshot, overlay: Overlay) -> JudgedOverlay | None:
        """Return what was found in an overlay that is as it was."""
        if self._index is None:
            return None
        row, key = overlay.environment.name, _key(overlay)
        if (now := self._now.get(row, {}).get(key)) is not None:
            return now.found  # it was asked for in this call
        if row not in self._pages:
            self._pages[row] = self._read(row)
        known = self._pages[row].get(key)
        if known is None or home.mark(overlay.directory) != known.own:
            return None
        if any(home.mark(path) != mark for path, mark in known.beside.items()):
            return None
        self._now.setdefault(row, {})[key] = known
        return known.found

    def unknown(self, home: Snapshot, overlays: Sequence[Overlay]) -> list[Overlay]:
        """Return those that have to be looked at."""
        return [one for one in overlays if self.find(home, one) is None]

    def note(
        self, home: Snapshot, overlay: Overlay, graph: BuildGraph, found: JudgedOverlay
    ) -> None:
        """Remember what was found in an overlay; `graph`: what a build of it reads."""
        if self._index is None or _is_open(graph):
            return
        paths = list(islice(_beside(graph, overlay.directory), _MOST_BESIDE + 1))
        own, beside = home.mark(overlay.directory), {path: home.mark(path) for path in paths}
        marks = {path: mark for path, mark in beside.items() if mark is not None}
        if own and len(marks) == len(paths) <= _MOST_BESIDE:
            now = self._now.setdefault(overlay.environment.name, {})
            now[_key(overlay)] = _Kept(own, marks, found)

    def keep(self) -> None:
        """Keep what is known now for the next call."""
        for row, overlays in self._now.items():
            if self._index is not None and overlays != self._pages.get(row):
                content = msgspec.msgpack.encode(_Page(_FORM, overlays))
                if len(content) <= _LARGEST:
                    self._index.keep(_name(row), zlib.compress(content, 1))

    def _read(self, row: str) -> Mapping[str, _Kept]:
        content = self._index.page(_name(row)) if self._index is not None else None
        with suppress(msgspec.MsgspecError, zlib.error, ValueError):
            stream = zlib.decompressobj()
            whole = stream.decompress(content or b"", _LARGEST)
            page = msgspec.msgpack.decode(whole, type=_Page)
            if stream.eof and not stream.unused_data and page.form == _FORM:
                return page.overlays
        return {}


def _name(row: str) -> str:
    return f"validate:{row}"


def _key(overlay: Overlay) -> str:
    return f"{overlay.label}\0{overlay.directory}"


def _is_open(graph: BuildGraph) -> bool:
    """Say whether something was not found, so that more than ids decides what becomes of it."""
    return any((graph.outside, graph.missing, graph.broken, graph.limits))


def _beside(graph: BuildGraph, directory: str) -> Iterator[str]:
    """Yield what was looked at outside of `directory`: whole folders, and other paths."""
    folders = [one for one in graph.kustomizations if not _within(one, [directory])]
    yield from folders
    inside = [directory, *folders]
    yield from (one for one in {**graph.paths, **graph.folders} if not _within(one, inside))


def _within(path: str, folders: Iterable[str]) -> bool:
    return any(not one or path == one or path.startswith(f"{one}/") for one in folders)
