"""A store that any commit can be brought into: from the caller's clone, else from its remote.

The objects of a clone on this machine are borrowed, nothing of it is written. What it lacks (a
`--depth 1` checkout has no parents) is fetched by id: a server that speaks Git's protocol 2 gives
every commit that it has. Git takes the oldest commits of such a store for roots; the list of them
(`shallow`) is ours, and shrinks as their parents come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitops.adapters.gitrepo.command import messages
from gitops.adapters.gitrepo.command.discovery import RepositoryLocation
from gitops.adapters.gitrepo.command.messages import AnswerKind
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.codec import FILE, LINK, MODULE, TREE, TreeContent, render_tree
from gitops.adapters.gitrepo.objects.store import Store
from gitops.errors import ManifestError, NotFound

_STEPS = (50, 500, 5000, 50_000, 500_000)  # commits that each further fetch asks for
_FETCH = ("fetch", "-q", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
_FEW = 200  # ids that one fetch names
_MODES = frozenset((TREE, FILE, "100755", "100664", LINK, MODULE))  # 100664: an old Git's


class CheckedStore(Store):
    """A store whose trees are what Git itself would have written.

    Git reads others too, each part of it in its own way: one with a name twice would show us what
    it was, and check out something else.
    """

    def _parsed(self, oid: str, body: bytes) -> TreeContent:
        """Return the entries of a tree. Raises ManifestError for one that is odd."""
        tree = super()._parsed(oid, body)
        modes = {entry.mode for entry in tree.values()}
        if not modes <= _MODES or render_tree(tree) != body:
            raise ManifestError(
                "is a folder that Git would not write so (a name twice, out of order, or of an odd "
                "kind): nobody can tell what it holds",
                path=f"tree {oid[:12]}",
                hint="look at it with: git fsck",
            )
        return tree


class LazyFetch:
    """`source.Depth` for commits by id.

    Args:
        git: runs git with the credentials of the remote.
        url: where what is missing is fetched from; None: nowhere.
        name: what messages call the repository.
        clone: the caller's clone or bare repository, whose objects are borrowed.
        algorithm: `sha1` or `sha256`.
    """

    def __init__(
        self,
        git: Git,
        *,
        url: str | None,
        name: str,
        clone: RepositoryLocation | None,
        algorithm: str,
    ) -> None:
        self._git = git
        self._url = url
        self.place = name
        self.store = CheckedStore(
            git, algorithm=algorithm, borrow=clone.common if clone is not None else None
        )
        self._step = 0
        self._there: set[str] = set()
        self._blobs: set[str] = set()

    def need(self, commits: Iterable[str]) -> None:
        """Have `commits` and all of their files. Raises NotFound for one that nobody has."""
        wanted = [one for one in dict.fromkeys(commits) if one not in self._there]
        missing = self._missing(wanted)
        if missing:
            self._fetch(missing, depth=1, blobs=True)
            missing = self._missing(wanted)
        if missing:
            raise self._lost(missing[0])
        self._there.update(wanted)

    def note(self, commits: Iterable[str]) -> None:
        """Remember commits that a walk has found here."""
        self._there.update(commits)

    def deepen(self, commits: Sequence[str]) -> bool:
        """Get the parents of the oldest commits that `commits` lead to; False: nobody has them."""
        cut = self.store.boundary()
        oldest = [one for one in self._below(commits) if one in cut] if cut else []
        if not oldest:
            return False
        parents = {one: self.store.parents(one) for one in oldest}
        wanted = list(dict.fromkeys(parent for some in parents.values() for parent in some))
        missing = self._missing(wanted)
        if missing:
            self._fetch(missing, depth=_STEPS[min(self._step, len(_STEPS) - 1)])
            self._step += 1
            missing = self._missing(wanted)
        freed = {one for one, some in parents.items() if not set(some) & set(missing)}
        if freed:
            self.store.cut_at(self.store.boundary() - freed)
        return bool(freed)

    def fetch_blobs(self, oids: Sequence[str]) -> None:
        """Fetch contents by id, all at once; what fails is fetched when it is read."""
        self.store.ahead.expect(oids)
        new = [oid for oid in dict.fromkeys(oids) if oid not in self._blobs]
        self._blobs.update(new)
        if self._url is None or not new:
            return
        missing = self._missing(new, blobs=True)
        if not missing:
            return
        args = ("-c", "fetch.negotiationAlgorithm=noop", *_FETCH, "--filter=blob:none", "--stdin")
        self._git.run(
            [*self.store.args, *args, "--", self._url],
            feed="".join(f"{oid}\n" for oid in missing).encode(),
            doing=f"reading files from {self.place}",
        )
        self.store.reopen()

    def close(self) -> None:
        """Remove the store."""
        self.store.close()

    def _below(self, tips: Sequence[str]) -> list[str]:
        answer = self._git.run([*self.store.args, "rev-list", *tips, "--"])
        if answer.code != 0:
            raise NotFound(f"the history cannot be read: {messages.words_of(answer.err)}")
        return answer.text.split("\n")

    def _missing(self, oids: Sequence[str], *, blobs: bool = False) -> list[str]:
        """Return the commits (or blobs) that the store lacks; asking fetches none of them."""
        if not oids:
            return []
        args = ["rev-list", "--no-walk=unsorted", "--missing=print", "--ignore-missing"]
        answer = self._git.run(
            [*self.store.args, *args, *(["--objects"] if blobs else []), "--stdin"],
            feed="".join(f"{oid}\n" for oid in oids).encode(),
        )
        there = {line.split(" ")[0] for line in answer.text.split("\n")}
        return [oid for oid in oids if oid not in there]

    def _fetch(self, commits: Sequence[str], *, depth: int, blobs: bool = False) -> None:
        if self._url is None:
            return
        for start in range(0, len(commits), _FEW):
            lot = commits[start : start + _FEW]
            if not self._fetch_lot(lot, depth, blobs) and len(lot) > 1:
                # One that the server does not have spoils them all.
                for commit in lot:
                    self._fetch_lot([commit], depth, blobs)
        self.store.reopen()

    def _fetch_lot(self, commits: Sequence[str], depth: int, blobs: bool) -> bool:
        only = "--no-filter" if blobs else "--filter=blob:none"
        # Refs tell the server next time what is here already.
        specs = [f"+{commit}:refs/gitops/at/{commit}" for commit in commits]
        answer = self._git.run(
            [*self.store.args, *_FETCH, only, f"--depth={depth}", "--", self._url or "", *specs],
            doing=f"reading commits from {self.place}",
        )
        if answer.code == 0:
            return True
        verdict = messages.read_transport(answer.err)
        if verdict.kind in (AnswerKind.UNKNOWN, AnswerKind.NO_BRANCH):
            return False  # "not our ref", in many words
        raise messages.error_of(verdict, self.place)

    def _lost(self, commit: str) -> NotFound:
        where = f"in this clone nor on {self.place}" if self._url else f"in {self.place}"
        neither = "neither " if self._url else "not "
        return NotFound(
            f"commit {commit[:12]} is {neither}{where}",
            hint=f"fetch it: git fetch origin {commit}" if self._url is None else None,
        )
