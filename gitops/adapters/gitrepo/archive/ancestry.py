"""Which commits lead to which, told by the parents that commits name, and never by less.

Git's own walks end in silence where a store was cut (`shallow`): what they leave out looks as if it
were not there. They also trust dates, and anybody may write any date. So the graph is kept here. A
commit that is named as a parent and was not read yet lies on the *edge*; an answer that an edge
could still change is not given: more is read, then more is fetched, and only when nobody has more
the caller is told that the answer is not known.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from msgspec import Struct

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.source import Depth
from gitops.adapters.gitrepo.objects.store import Store
from gitops.core.git.commit import CommitInfo
from gitops.errors import NotFound

_FIRST, _MOST = 512, 8192  # commits that one listing reads, more each time


class Range(Struct, frozen=True):
    """What some commits have over others.

    Attributes:
        commits: ids, in no order.
        known: False where nobody has the history that would tell whether these are all, and
            whether all of them belong here.
    """

    commits: frozenset[str]
    known: bool


class Ancestry:
    """The graph of one `Depth`, read as far as somebody asked.

    `below` are the commits whose history is deepened when the store has too little of it.
    """

    def __init__(self, git: Git, source: Depth) -> None:
        self._git = git
        self._source = source
        self._store: Store | None = None
        self._parents: dict[str, tuple[str, ...]] = {}
        self._next = _FIRST

    def over(self, tips: Sequence[str], without: Sequence[str], below: Sequence[str]) -> Range:
        """Return the commits that lead from `tips` and from none of `without`."""
        while True:
            found, open_ = self._over(tips, without)
            if not open_:
                return Range(found, True)
            if not self._more(open_, below):
                return Range(found, False)

    def at_hand(self, tips: Sequence[str], without: Sequence[str]) -> frozenset[str]:
        """Return what `over` would begin with: nothing is fetched, so it may be wrong."""
        self._read([one for one in (*tips, *without) if one not in self._graph()])
        return self._over(tips, without)[0]

    def leads(self, tip: str, commit: str, below: Sequence[str]) -> bool | None:
        """Say whether `commit` is `tip` or before it; None where nobody has what would tell."""
        while True:
            seen, edge = self._reach([tip])
            if commit in seen or commit in edge:
                return True
            if commit in self._parents:
                # What comes before `commit` cannot lead to it.
                edge -= self._reach([commit])[1]
            if not edge:
                return False
            if not self._more(edge, below):
                return None

    def parting(self, one: str, other: str, below: Sequence[str]) -> Range:
        """Return the newest commits that lead from both: none of them is before another."""
        sides = [self.over([one], [other], below), self.over([other], [one], below)]
        known = all(side.known for side in sides)
        apart = sides[0].commits | sides[1].commits
        common = {parent for side in apart for parent in self._parents[side]} - apart
        common |= {end for end in (one, other) if end not in apart}
        for commit in sorted(common):
            for newer in sorted(common - {commit}):
                led = self.leads(newer, commit, below)
                known = known and led is not None
                if led:
                    common.discard(commit)
                    break
        return Range(frozenset(common), known)

    def _over(
        self, tips: Sequence[str], without: Sequence[str]
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Return what is found so far, and the edge that could still change it.

        A commit on the edge of `without` could lead back to one that was found, unless that one
        leads to it: nothing leads in a circle. All that was found leads to the last ones of it.
        """
        ours, edge = self._reach(tips)
        theirs, their_edge = self._reach(without)
        found = ours - theirs
        if loose := edge - their_edge:
            return found, loose
        open_: set[str] = set()
        for one in found if their_edge else ():
            if found.isdisjoint(self._parents[one]):
                open_ |= their_edge - self._reach([one])[1]
        return found, frozenset(open_)

    def _reach(self, starts: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Return the commits that lead from `starts` as far as they were read, and the edge."""
        known = self._graph()
        seen: set[str] = set()
        edge: set[str] = set()
        waiting = list(starts)
        while waiting:
            one = waiting.pop()
            if one in seen:
                continue
            parents = known.get(one)
            if parents is None:
                edge.add(one)
            else:
                seen.add(one)
                waiting += parents
        return frozenset(seen), frozenset(edge)

    def _graph(self) -> dict[str, tuple[str, ...]]:
        """Return what was read of the store; another one has taken its place if it was damaged."""
        if self._store is not self._source.store:
            self._store, self._parents, self._next = self._source.store, {}, _FIRST
        return self._parents

    def _more(self, edge: Iterable[str], below: Sequence[str]) -> bool:
        """Read what is on the edge, or get it; False: nobody has it."""
        missing: set[str] = set()
        for one in self._source.store.boundary():
            missing.update(self._parents.get(one, ()))
        here = sorted(one for one in edge if one not in missing)
        if here:
            self._read(here)
            return True
        return self._source.deepen(below)

    def _read(self, starts: Sequence[str]) -> None:
        """Read commits that the store has, and some of those before them."""
        if not starts:
            return
        store = self._source.store
        most = max(self._next, len(starts))
        self._next = min(2 * most, _MOST)
        answer = self._git.run(
            [*store.args, "rev-list", "--parents", f"--max-count={most}", "--stdin"],
            feed="".join(f"{one}\n" for one in starts).encode(),
        )
        if answer.code != 0:
            raise NotFound(f"the history cannot be read: {answer.err.strip()}")
        for line in answer.text.split("\n"):
            one, *parents = line.split(" ")
            # Where a store is cut Git names none: the commit itself does.
            self._parents[one] = tuple(parents) or store.parents(one)


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
