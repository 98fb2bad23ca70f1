"""Which commits lead to which, told by the parents that commits name, and never by less.

Git's own walks end in silence where a store was cut (`shallow`): what they leave out looks as if it
were not there. They also trust dates, and anybody may write any date. So the graph is kept here. A
commit that is named as a parent and was not looked at lies on the *edge*; an answer that the edge
could still change is not given: more is read, then more is fetched, and only when nobody has more
the caller is told that the answer is not known.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.source import Depth
from gitops.adapters.gitrepo.objects.store import Store
from gitops.core.git.commit import CommitInfo
from gitops.errors import NotFound

_FIRST, _MOST = 512, 8192  # commits that one listing reads, more each time
_OURS, _THEIRS = 1, 2


class Range(Struct, frozen=True):
    """What some commits have over others.

    Attributes:
        commits: ids, in no order.
        known: False where nobody has the history that would tell whether these are all, and
            whether all of them belong here.
    """

    commits: frozenset[str]
    known: bool


class _Node(Struct, frozen=True):
    """A commit that was read; `place` grows towards older ones, mostly: it decides nothing."""

    place: int
    parents: tuple[str, ...]


class Ancestry:
    """The graph of one `Depth`, read as far as somebody asked.

    `below` are the commits whose history is deepened when the store has too little of it; with none
    nothing is fetched.
    """

    def __init__(self, git: Git, source: Depth) -> None:
        self._git = git
        self._source = source
        self._store: Store | None = None
        self._nodes: dict[str, _Node] = {}
        self._next = _FIRST

    def over(self, tips: Sequence[str], without: Sequence[str], below: Sequence[str]) -> Range:
        """Return the commits that lead from `tips` and from none of `without`.

        The store must have all of these.
        """
        if self._store is not self._source.store:  # a damaged one was replaced
            self._store, self._nodes, self._next = self._source.store, {}, _FIRST
        self._read([one for one in dict.fromkeys((*tips, *without)) if one not in self._nodes])
        search = _Search(self._nodes, tips, without)
        while edge := search.go_on(self._missing()):
            if not self._more(edge, below):
                return Range(search.found(), known=False)
        return Range(search.found(), known=True)

    def size(self) -> int:
        """Return how many commits are remembered."""
        return len(self._nodes)

    def leads(self, tip: str, commit: str, below: Sequence[str]) -> bool | None:
        """Say whether `commit` is `tip` or before it; None where nobody has what would tell."""
        while not self._source.store.holds(commit):
            if not self._source.deepen(below):
                return None if self.is_cut([tip]) else False
        found = self.over([commit], [tip], below)
        return commit not in found.commits if found.known else None

    def parting(self, one: str, other: str, below: Sequence[str]) -> Range:
        """Return the newest commits that lead from both: none of them is before another."""
        sides = [self.over([one], [other], below), self.over([other], [one], below)]
        known = all(side.known for side in sides)
        apart = sides[0].commits | sides[1].commits
        common = {parent for side in apart for parent in self._nodes[side].parents} - apart
        common |= {end for end in (one, other) if end not in apart}
        if not known:
            return Range(frozenset(common), known=False)
        for commit in sorted(common):
            newer = [self.leads(other, commit, below) for other in sorted(common - {commit})]
            known = known and None not in newer
            if any(newer):
                common.discard(commit)
        return Range(frozenset(common), known)

    def is_cut(self, tips: Sequence[str]) -> bool:
        """Say whether what leads from `tips` ends where the store does."""
        cut = self._source.store.boundary()
        if not cut:
            return False
        self._source.store.vouch()
        answer = self._git.run([*self._source.store.args, "rev-list", *tips, "--"])
        return not cut.isdisjoint(answer.text.split("\n"))

    def _missing(self) -> frozenset[str]:
        """Return the parents that the store was cut off from."""
        cut = self._nodes.keys() & self._source.store.boundary()
        return frozenset(parent for one in cut for parent in self._nodes[one].parents)

    def _more(self, edge: Collection[str], below: Sequence[str]) -> bool:
        """Read what is on the edge, or get it; False: nobody has it."""
        if here := sorted(set(edge) - self._missing()):
            self._read(here)
            return True
        return bool(below) and self._source.deepen(below)

    def _read(self, starts: Sequence[str]) -> None:
        """Read commits that the store has, and some of those before them."""
        if not starts:
            return
        store = self._source.store
        starts = [one for one in starts if not self._lies_on(store, one)]
        if not starts:
            return
        most = max(self._next, len(starts))
        self._next = min(2 * most, _MOST)
        store.vouch()
        answer = self._git.run(
            [*store.args, "rev-list", "--parents", f"--max-count={most}", "--stdin"],
            feed="".join(f"{one}\n" for one in starts).encode(),
        )
        if answer.code != 0:
            raise NotFound(f"the history cannot be read: {answer.err.strip()}")
        for line in answer.text.split("\n"):
            one, *parents = line.split(" ")
            if one not in self._nodes:
                # Where a store is cut Git names no parents: the commit itself does.
                named = tuple(parents) or store.parents(one)
                self._nodes[one] = _Node(len(self._nodes), named)

    def _lies_on(self, store: Store, one: str) -> bool:
        """Read a commit whose parents are known, as a branch begins: no listing is needed."""
        if not store.holds(one):
            return False
        parents = store.parents(one)
        known = [self._nodes[parent].place for parent in parents if parent in self._nodes]
        if not parents or len(known) < len(parents):
            return False
        self._nodes[one] = _Node(min(known) - 1, parents)
        return True


class _Search:
    """Goes from two sides towards what both lead from, newest first, as far as it takes.

    What was not looked at could belong to the found only if it led back to them. It does not when
    the found lead to it: nothing leads in a circle. All of the found lead to the last ones of them.
    """

    def __init__(
        self, nodes: Mapping[str, _Node], ours: Iterable[str], theirs: Iterable[str]
    ) -> None:
        self._nodes = nodes
        self._sides: dict[str, int] = {}
        self._waiting: set[str] = set()  # named, and not looked at since the last side came
        self._loose: set[str] = set()  # of these: on our side only, as far as is known
        self._heap: list[tuple[int, str]] = []
        self._edge: list[tuple[int, str]] = []  # passed over: the store lacks them
        for side, starts in ((_OURS, ours), (_THEIRS, theirs)):
            for one in starts:
                self._mark(one, side, 0)

    def go_on(self, missing: Collection[str]) -> frozenset[str]:
        """Search; return what must be read before it can go on, nothing when all is found.

        What is `missing` is asked for only when nothing else is left to look at.
        """
        for entry in self._edge:
            heapq.heappush(self._heap, entry)
        self._edge = []
        steps = rest = 0
        while True:
            if not self._loose and steps >= rest:
                if not self._unproven():
                    return frozenset()
                rest = 2 * steps + 1
            if not self._heap:
                unread = frozenset(one for _, one in self._edge)
                return unread if self._loose else self._unproven()
            place, one = heapq.heappop(self._heap)
            if one not in self._waiting:
                continue
            if one in self._nodes:
                steps += 1
                self._look_at(one)
            elif one in missing:
                self._edge.append((place, one))
            else:
                heapq.heappush(self._heap, (place, one))
                if not self._loose and not self._unproven():
                    return frozenset()
                return frozenset(self._waiting - self._nodes.keys() - set(missing))

    def found(self) -> frozenset[str]:
        """Return what leads from our side only, as far as was looked."""
        ours = (one for one, sides in self._sides.items() if sides == _OURS)
        return frozenset(ours) - self._waiting

    def _mark(self, one: str, sides: int, place: int) -> None:
        before = self._sides.get(one, 0)
        if before | sides == before:
            return
        self._sides[one] = before | sides
        self._waiting.add(one)
        if before | sides == _OURS:
            self._loose.add(one)
        else:
            self._loose.discard(one)
        node = self._nodes.get(one)
        heapq.heappush(self._heap, (node.place if node is not None else place, one))

    def _look_at(self, one: str) -> None:
        self._waiting.discard(one)
        self._loose.discard(one)
        node = self._nodes[one]
        for parent in node.parents:
            self._mark(parent, self._sides[one], node.place + 1)

    def _unproven(self) -> frozenset[str]:
        """Return what waits and could still lead back to the found."""
        found = self.found()
        open_: set[str] = set()
        for one in found if self._waiting else ():
            if found.isdisjoint(self._nodes[one].parents):
                open_ |= self._waiting - self._below(one)
        return frozenset(open_)

    def _below(self, one: str) -> set[str]:
        """Return what waits and leads from `one`, through what was looked at."""
        seen: set[str] = set()
        met: set[str] = set()
        todo = [one]
        while todo:
            at = todo.pop()
            if at in self._waiting:
                met.add(at)
            elif at not in seen:
                seen.add(at)
                todo += self._nodes[at].parents
        return met


def newest_first(commits: Iterable[CommitInfo]) -> list[CommitInfo]:
    """Order commits by their dates, but none before one that leads to it."""
    infos = {info.commit: info for info in commits}
    children = dict.fromkeys(infos, 0)
    for info in infos.values():
        for parent in info.parents:
            if parent in children:
                children[parent] += 1
    waiting = [_key(infos[one]) for one, count in children.items() if not count]
    heapq.heapify(waiting)
    ordered = []
    while waiting:
        info = infos[heapq.heappop(waiting)[1]]
        ordered.append(info)
        for parent in info.parents:
            if parent in children:
                children[parent] -= 1
                if not children[parent]:
                    heapq.heappush(waiting, _key(infos[parent]))
    return ordered


def _key(info: CommitInfo) -> tuple[float, str]:
    return (-info.time.timestamp() if info.time is not None else 0.0, info.commit)


def shortfall(source: Depth, tips: Sequence[str]) -> NotFound:
    """Return the error for history of `tips` that is needed and that nobody has."""
    oldest = min(source.store.boundary(), default=tips[0])
    return NotFound(
        f"the history before {oldest[:7]} is not in {source.place}",
        hint="fetch it: git fetch --unshallow, or check out with the whole history "
        "(fetch-depth: 0, GIT_DEPTH: 0)",
    )
