"""Does a change touch an environment? What belongs to one, path by path.

Everything that was looked at counts, also where nothing was found: a file that appears there is
read by the next build. So a change that meets no path of the state before it leaves what belongs
to the environment as it was, and need not be looked at again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from gitops.core.kustomization.graph import BuildGraph

Whose = TypeVar("Whose", bound=Hashable)


class AffectedPath(Struct, frozen=True):
    """A changed path that belongs to an environment, and why it does."""

    path: str
    reason: str


class Belongings:
    """What belongs to one environment at one commit.

    Attributes:
        paths: path that was looked at -> why it belongs to the environment.
        folders: folder all of which belongs to it -> why.
        nested: overlays of others that lie in its own folder: what is in them belongs to it only
            where a build reads it.
        graph: what a build of it reads, and what of that nobody here can follow.
    """

    def __init__(self, graph: BuildGraph | None = None) -> None:
        self.graph = graph if graph is not None else BuildGraph()
        self.paths: dict[str, str] = {}
        self.folders: dict[str, str] = {}
        self.nested: dict[str, tuple[str, ...]] = {}
        self._index: _Index | None = None

    def add(self, path: str, reason: str) -> None:
        """Note that `path` belongs to it; what was noted first stays."""
        self.paths.setdefault(path, reason)
        self._index = None

    def add_folder(self, path: str, reason: str) -> None:
        """Note that `path` and everything below it belongs to it."""
        self.folders.setdefault(path, reason)
        self._index = None

    def touched(self, changed: Iterable[str]) -> tuple[AffectedPath, ...]:
        """Return those of the `changed` paths that belong to it, sorted.

        Names that a file system may take for the same (case, composed letters) count too.
        """
        if self._index is None:
            self._index = _Index(self.paths, self.folders, self.nested)
        found = ((path, self._index.reason(path)) for path in changed)
        return tuple(
            AffectedPath(path, reason) for path, reason in sorted(found) if reason is not None
        )


class TouchIndex(Generic[Whose]):
    """Which of many belongings a change may touch: at least those whose `touched` says so."""

    def __init__(self) -> None:
        self._at: dict[str, set[Whose]] = {}
        self._within: dict[str, set[Whose]] = {}
        self._above: dict[str, set[Whose]] = {}
        self._keys: dict[Whose, list[tuple[dict[str, set[Whose]], str]]] = {}

    def put(self, whose: Whose, *belongings: Belongings) -> None:
        """Take in what belongs to `whose`, in place of what did."""
        for place, key in self._keys.pop(whose, ()):
            place[key].discard(whose)
        keys = []
        for path in (path for one in belongings for path in (*one.paths, *one.folders)):
            keys.append((self._at, folded(path)))
            keys += [(self._above, folded(parent)) for parent in _parents(path)]
        keys += [(self._within, folded(path)) for one in belongings for path in one.folders]
        for place, key in keys:
            place.setdefault(key, set()).add(whose)
        self._keys[whose] = keys

    def may_touch(self, changed: Iterable[str]) -> set[Whose]:
        """Return those that one of the `changed` paths may belong to."""
        found: set[Whose] = set()
        for path in changed:
            name = folded(path)
            folder, _, last = name.rpartition("/")
            found |= self._at.get(name, set()) | self._above.get(name, set())
            for parent in _parents(path):
                found |= self._within.get(folded(parent), set())
            if last == ".gitattributes":
                found |= self._above.get(folder, set())
        return found


class _Known(Struct, frozen=True):
    path: str
    reason: str


class _Index:
    """Looks up a changed path; keys are folded names."""

    def __init__(
        self,
        paths: Mapping[str, str],
        folders: Mapping[str, str],
        nested: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._nested = {
            folded(path): {folded(one) for one in inside} for path, inside in nested.items()
        }
        self._paths: dict[str, _Known] = {}
        self._folders: dict[str, _Known] = {}
        self._above: dict[str, _Known] = {}
        for known, into in ((paths, self._paths), (folders, self._folders)):
            for path, reason in known.items():
                into.setdefault(folded(path), _Known(path, reason))
                for parent in _parents(path):
                    self._above.setdefault(folded(parent), _Known(path, reason))

    def reason(self, changed: str) -> str | None:
        """Return why the changed path belongs here, None when it does not."""
        name = folded(changed)
        known = self._paths.get(name) or self._folders.get(name)
        if known is not None:
            return known.reason if known.path == changed else _like(known)
        parents = {folded(parent) for parent in _parents(changed)}
        for parent in _parents(changed):
            known = self._folders.get(folded(parent))
            if known is not None and parents.isdisjoint(self._nested.get(folded(parent), ())):
                return known.reason if known.path == parent else _like(known)
        folder, _, last = name.rpartition("/")
        if last == ".gitattributes" and folder in self._above:
            known = self._above[folder]
            return f"it says how {known.path} is checked out, and {known.reason}"
        below = self._above.get(name)
        # What was a folder is a file, a link or a submodule on one side.
        return f"{below.path} lies below it, and {below.reason}" if below is not None else None


def _like(known: _Known) -> str:
    return f"its name is that of {known.path} where case does not count, and {known.reason}"


def folded(path: str) -> str:
    """Return `path` as a file system sees it that ignores case and how letters are composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _parents(path: str) -> Iterable[str]:
    """Yield every folder above `path`, the nearest first, "" (the root) last."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
    if path:
        yield ""
