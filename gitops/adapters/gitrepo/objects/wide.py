"""Wide folders of commits that follow each other: read by what differs from one of the same length.

A folder of a thousand apps is as long after a deploy as before it, and one id in it is another.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from msgspec import Struct

from gitops.adapters.gitrepo.objects.codec import ObjectEntry, TreeContent, parse_tree

_LENGTHS = 16  # that are remembered
_MOST = 32  # entries that differ; with more of them parsing costs less


class _Known(Struct):
    """The newest tree of one length; `starts`: where its entries begin, and where it ends."""

    body: bytes
    tree: TreeContent
    starts: list[int] | None = None


class WideTrees:
    """Remembers wide trees, and reads others of their length.

    What differs in nothing but ids is in order, and of the kinds that it has, if the other one is.

    Args:
        length: of a raw id, in bytes.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._known: dict[int, _Known] = {}

    def parse(self, body: bytes) -> TreeContent:
        """Return the entries of a wide tree. Raises ValueError for bytes that are no tree."""
        tree = self.read(body)
        if tree is None:
            tree = parse_tree(body, self._length)
            self.note(body, tree)
        return tree

    def note(self, body: bytes, tree: TreeContent) -> None:
        """Remember what was parsed, in the order of `body`."""
        self._known.pop(len(body), None)
        while len(self._known) >= _LENGTHS:
            del self._known[next(iter(self._known))]
        self._known[len(body)] = _Known(body, tree)

    def read(self, body: bytes) -> TreeContent | None:
        """Return the entries of a tree of which only ids are new, None for any other."""
        known = self._known.get(len(body))
        if known is None:
            return None
        if known.starts is None:
            names = (
                len(entry.mode) + len(name.encode("utf-8", "surrogateescape")) + 2 + self._length
                for name, entry in known.tree.items()
            )
            known.starts = list(accumulate(names, initial=0))
            if known.starts[-1] != len(body):  # a name twice
                del self._known[len(body)]
                return None
        found = self._replaced(body, known, known.starts)
        if found is not None:
            known.body, known.tree = body, found
        return found

    def _replaced(self, body: bytes, known: _Known, starts: list[int]) -> TreeContent | None:
        old, names, last = known.body, list(known.tree), len(starts) - 1
        found = dict(known.tree)
        at = 0
        for _ in range(_MOST):
            first = starts[at]

            def differs(number: int, first: int = first) -> bool:
                end = starts[number + 1]
                return body[first:end] != old[first:end]

            at = bisect_left(range(last), True, at, key=differs)
            if at == last:
                return found
            begin, end = starts[at], starts[at + 1]
            raw = end - self._length
            if body[begin:raw] != old[begin:raw]:
                return None
            name = names[at]
            found[name] = ObjectEntry(found[name].mode, body[raw:end].hex())
            at += 1
        return None
