"""First-parent history of one folder, read no deeper than the caller iterates.

A store that holds only the newest commits is deepened by and by. History is read in spans: one is
all that the store holds from a commit on, and it says whether it ends at a root or at a cut. Only a
root ends history. The commit at a cut looks as if it had made every file, so it is looked at again
once its parent is there; where nobody has its parent it is told, as not `complete`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from gitops.adapters.gitrepo.archive.ancestry import Ancestry, Range, newest_first, shortfall
from gitops.adapters.gitrepo.archive.file_versions import read_versions
from gitops.adapters.gitrepo.archive.landed import LandedCommits, walk_since
from gitops.adapters.gitrepo.archive.log_format import (
    COMMIT_FORMAT,
    parse_changes,
    parse_commit,
    parse_object,
)
from gitops.adapters.gitrepo.archive.own_line import UNKNOWN, blob_at, own_side
from gitops.adapters.gitrepo.archive.walk import Hits, HitSpan, hits_of, log_records, walk
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.codec import ObjectEntry
from gitops.adapters.gitrepo.objects.source import Depth
from gitops.core.git.commit import CommitInfo
from gitops.core.git.message import trailers
from gitops.core.kustomization import FILE_NAMES
from gitops.core.ledger.signatures import BranchCommit
from gitops.core.releases.history import OverlayVersion
from gitops.errors import NotFound
from gitops.ports import FileChange

_LOT = 32  # versions that are looked at together
_FAR, _GROWTH, _MOST = 64, 20, 16_384  # the same, where contents are fetched: few fetches
_FEW = 2  # versions that tell the newest release, mostly
_Beside = tuple[str, Collection[str], frozenset[str]]  # start, folders read together, cut


class _Version(Struct, frozen=True):
    info: CommitInfo
    file: str | None
    entry: ObjectEntry | None


class HistoryReader:
    """Reads history of one `Source`; `git` runs the walks."""

    def __init__(self, git: Git, source: Depth) -> None:
        self._git = git
        self._source = source
        self._ancestry = Ancestry(git, source)
        self._infos: dict[str, CommitInfo] = {}
        self._spans: dict[tuple[str, str, frozenset[str]], HitSpan] = {}
        self._walked: dict[str, frozenset[str]] = {}  # start of such a walk -> the cut it ended at
        self._together: dict[str, frozenset[str]] = {}  # tip -> folders that are walked at once
        self._fetched: set[str] = set()  # contents that came with such a walk

    def size(self) -> int:
        """Return how many commits and contents are remembered."""
        spans = sum(len(span.hits) for span in self._spans.values())
        return spans + len(self._infos) + len(self._fetched) + self._ancestry.size() // 16

    def gather(self, commit: str, directories: Iterable[str]) -> None:
        """Be told that `versions` will be asked for all of these: they are walked at once then."""
        wanted = frozenset(directories) | self._together.get(commit, frozenset())
        self._together[commit] = wanted

    def versions(self, commit: str, directory: str) -> Iterator[OverlayVersion]:
        """Yield what each commit of the branch's line left in `directory`, newest first.

        The last one is not `complete` where history goes on and nobody has it.
        """
        start, seen, far, again = commit, 0, False, False
        leads = partial(self._ancestry.leads, below=[commit])
        told = self._together.get(commit, frozenset())
        together = told if directory in told and len(told) > 1 else frozenset()
        while True:
            cut = self._source.store.boundary()
            if together and not again:
                cut = self._walk_all(start, directory, together, cut)
            span = self._spans.get((start, directory, cut))
            if span is None:  # a call asks for the same again for each of its tries
                span = self._spans[start, directory, cut] = self._span(start, directory, cut)
            own, beside = None, (start, together, cut) if together else None
            loaded = self._load(commit, span.hits, directory, seen if far else None, beside)
            for at, version in enumerate(loaded):
                own = own_side(self._source.store, leads, span.hits, at, version.file, directory)
                if own == UNKNOWN and span.cut is not None and self._uncover(span.cut, commit):
                    own, again = version.commit.commit, True  # with what lies before the cut
                if own:
                    start = own
                    break
                yield version
                if not version.complete:
                    return
                seen += 1
            else:
                if span.cut is None:
                    return
                if not self._uncover(span.cut, commit):
                    yield self._unsure(span.cut, directory)
                    return
                start, far = span.cut, True

    def landed(self, commit: str, since: str) -> LandedCommits | None:
        """Return what came on top of `since`; see `ports.Evidence`."""
        walked = walk_since(self._git, self._source, commit, since)
        if walked is None:
            return None
        leads = partial(self._ancestry.leads, below=[commit])
        return LandedCommits(self._source.store, walked, partial(self._load, commit), leads)

    def _walk_all(
        self, start: str, directory: str, together: frozenset[str], cut: frozenset[str]
    ) -> frozenset[str]:
        """Let the span of `directory` be known, and return the cut that it ends at.

        What came in since an earlier walk goes on where that ended: nothing is walked twice.
        """
        ended = self._walked.get(start, cut)
        if (start, directory, ended) in self._spans:
            return ended
        if (start, directory, cut) not in self._spans:
            self._span_all(start, together, cut)
        return cut

    def _span_all(self, start: str, directories: frozenset[str], cut: frozenset[str]) -> None:
        """Find the spans of all `directories` in one walk, and fetch their newest contents."""
        store = self._source.store
        walked = walk(self._git, store, [start]) if start not in cut else []
        last = walked[-1].commit if walked else start
        if walked:  # one that begins at the cut tells nothing, and must not be taken again
            self._walked.setdefault(start, cut)
        newest: list[str] = []
        for directory, hits in hits_of(walked, directories, cut).items():
            self._spans[start, directory, cut] = HitSpan(hits, last if last in cut else None)
            looked = (self._look(hits, at, directory) for at in range(min(_FEW, len(hits))))
            newest += [one.entry.oid for one in looked if one.entry is not None]
        newest = list(dict.fromkeys(newest))
        self._source.fetch_blobs(newest)
        store.ahead.read(newest)
        self._fetched.update(newest)

    def _span(self, start: str, directory: str, cut: frozenset[str]) -> HitSpan:
        if start in cut:
            return HitSpan(Hits(), start)
        hits = self.commits([start, "--first-parent"], directory or ".")
        if not cut:
            return HitSpan(Hits(hits), None)  # git itself fails where a parent is missing
        # The oldest first parent that the store holds: a root, or one at a cut.
        last = self.commits([start, "--first-parent", "--max-parents=0"])[0].commit
        if last in cut:
            return HitSpan(Hits([info for info in hits if info.commit != last]), last)
        if self._source.store.parents(last):
            raise NotFound(f"the history before {last[:7]} cannot be read")
        return HitSpan(Hits(hits), None)

    def _uncover(self, cut: str, tip: str) -> bool:
        """Get more history until the parents of `cut` are there; False when nobody has them."""
        while cut in self._source.store.boundary():
            if not self._source.deepen([tip]):
                return False
        return True

    def _unsure(self, commit: str, directory: str) -> OverlayVersion:
        """Return what the folder was at a commit that may or may not have changed it."""
        found = self._look(Hits(self.commits([commit, "--no-walk"])), 0, directory)
        if found.entry is not None:
            self._source.fetch_blobs([found.entry.oid])
        return self._version(found, complete=False)

    def file_changes(self, commit: str, path: str) -> tuple[FileChange, ...]:
        """Return what each commit did to `path`, oldest first, all sides of merges included.

        Along first parents alone a merge could leave out what was on the branch before it.
        """
        self._complete(commit)
        store = self._source.store
        cut = store.boundary()
        hits = self.commits([commit, "--full-history", "--topo-order", "--reverse"], path)
        sides = []
        for info in hits:
            parent = info.parents[0] if info.parents and info.commit not in cut else None
            before = blob_at(store, parent, path) if parent is not None else None
            sides.append((before, blob_at(store, info.commit, path)))
        self._source.fetch_blobs([oid for pair in sides for oid in pair if oid is not None])
        contents = read_versions(store, path, (oid for pair in sides for oid in pair))
        return tuple(
            FileChange(info, contents.get(old), contents.get(new), info.commit not in cut)
            for info, (old, new) in zip(hits, sides, strict=True)
            if old != new  # a merge may differ from its other parents only
        )

    def branch(self, commit: str) -> tuple[BranchCommit, ...]:
        """Return every commit that `commit` has; see `ports.Evidence`."""
        self._complete(commit)
        args = ("--topo-order", "--name-only", "--format=%x00%H %P", commit)
        records = log_records(self._git, self._source.store, args, "waiting for git")
        return tuple(map(parse_changes, records))

    def _complete(self, commit: str) -> None:
        while self._ancestry.is_cut([commit]) and self._source.deepen([commit]):
            pass

    def newest(self, commit: str, most: int) -> list[CommitInfo]:
        """Return the newest `most` commits of all that `commit` has and the store holds."""
        return self.commits([commit, f"--max-count={most}"])

    def find_intent(self, commit: str, intent: str, since: str) -> str | None:
        """Return the commit with `Gitops-Id: intent` among those that `commit` has over `since`."""
        if commit == since:
            return None
        store = self._source.store
        # First what is at hand. Where history is cut for good, what landed lately is on this side.
        for below in ((), (commit,)):
            while below and not store.holds(since) and self._source.deepen(below):
                pass
            without = [since] if store.holds(since) else []
            found = self._ancestry.over([commit], without, below)
            for one in self._with_intent(found.commits, intent):
                if found.known or not (without and self._ancestry.leads(since, one, below)):
                    return one
            if found.known and without:
                break
        return None

    def _with_intent(self, commits: Collection[str], intent: str) -> Iterator[str]:
        for info in self.infos(commits):
            if intent in trailers(info.message).get("Gitops-Id", ()):
                yield info.commit

    def infos(self, commits: Collection[str]) -> list[CommitInfo]:
        """Return what these commits say, in no order, with their true parents."""
        unknown, found = sorted(set(commits) - self._infos.keys()), []
        store, parents = self._source.store, self._source.store.parents
        if len(unknown) <= _LOT and all(map(store.holds, unknown)):
            read = [parse_object(one, store.read(one)[1]) for one in unknown]
            found = [one for one in read if one is not None]
        if len(found) < len(unknown):
            feed = "".join(f"{one}\n" for one in unknown).encode()
            found = self.commits(["--no-walk=unsorted", "--stdin"], feed=feed)
        told = {one: self._infos[one] for one in self._infos.keys() & set(commits)}
        for one in found:
            told[one.commit] = one if one.parents else replace(one, parents=parents(one.commit))
        if len(told) <= _LOT:  # each try of a call asks for the same few again
            self._infos |= told
        return [*told.values()]

    def over(self, tips: Sequence[str], without: Sequence[str]) -> list[CommitInfo]:
        """Return what `tips` have and `without` have not, newest first.

        Raises NotFound where nobody has the history that would tell.
        """
        ends = [*tips, *without]
        found = self._ancestry.over(tips, without, ends)
        if not found.known:
            raise shortfall(self._source, ends)
        return newest_first(self.infos(found.commits))

    def forks(self, one: str, other: str) -> tuple[str, ...]:
        """Return the newest commits that both have, by their dates, newest first; () for none.

        None of them leads to another. Raises NotFound where nobody has the history that would tell.
        """
        found = self._ancestry.parting(one, other, [one, other])
        if not found.known:
            raise shortfall(self._source, [one, other])
        # Parents beyond a cut are known by their names alone.
        while not all(map(self._source.store.holds, found.commits)):
            if not self._source.deepen([one, other]):
                raise shortfall(self._source, [one, other])
        return tuple(info.commit for info in newest_first(self.infos(found.commits)))

    def contains(self, tip: str, commit: str, earlier: str) -> bool:
        """Is `earlier` `commit` or an ancestor of it, both in the history of `tip`?

        Raises NotFound where nobody has the history that would tell.
        """
        for newer, older in ((tip, commit), (commit, earlier)):
            led = self._ancestry.leads(newer, older, [tip])
            if led is None:
                raise shortfall(self._source, [tip])
            if not led:
                return False
        return True

    def commits(
        self, revisions: Sequence[str], directory: str = "", feed: bytes | None = None
    ) -> list[CommitInfo]:
        """Return the commits that `git rev-list REVISIONS` finds in the store, and no others.

        With `directory` those that changed something in it; `feed`: its standard input.
        """
        paths = ["--", directory] if directory else ["--"]
        args = ["--literal-pathspecs", "rev-list", "--encoding=UTF-8", COMMIT_FORMAT]
        self._source.store.vouch()
        answer = self._git.run([*self._source.store.args, *args, *revisions, *paths], feed=feed)
        if answer.code != 0:
            raise NotFound(f"the history cannot be read: {answer.err.strip()}")
        text = answer.out.decode("utf-8", "replace")
        return [parse_commit(record) for record in text.split("\0")[:-1]]

    def _load(
        self,
        tip: str,
        hits: Hits,
        directory: str,
        far: int | None = None,
        beside: _Beside | None = None,
    ) -> Iterator[OverlayVersion]:
        """Yield versions lot by lot; `far`: so many came before, and contents must be fetched.

        Of folders that are read together mostly the newest versions are wanted: lots begin small,
        and the contents of all of them are fetched with those of one.

        A merge of which nobody can tell what it brought in is the last one, and not complete.
        """
        at = 0
        while at < len(hits):
            size = _LOT if far is None else min(max(_FAR, _GROWTH * (far + at)), _MOST)
            if beside is not None:
                size = min(max(_FEW, at), size)
            ends = range(at, min(at + size, len(hits)))
            lot = [self._look(hits, one, directory) for one in ends]
            contents = [one.entry.oid for one in lot if one.entry is not None]
            if not self._fetched.issuperset(contents):
                self._fetch(contents, beside, at, size)
            at += size
            merges = self._merges([one.info for one in lot if len(one.info.parents) > 1])
            for one in lot:
                merged: tuple[str, ...] | None = ()
                if len(one.info.parents) > 1:
                    merged = merges.get(one.info.commit)
                    if merged is None:
                        merged = self._merged(one.info, [tip])
                info = replace(one.info, merged=merged or ())
                yield self._version(replace(one, info=info), complete=merged is not None)

    def _fetch(self, contents: Sequence[str], beside: _Beside | None, at: int, size: int) -> None:
        """Fetch contents, and those of the same lot of all folders that are read together."""
        wanted = dict.fromkeys(contents)
        start, directories, cut = beside or ("", (), frozenset())
        for directory in directories:
            span = self._spans.get((start, directory, cut))
            ends = range(at, min(at + size, len(span.hits) if span is not None else 0))
            looked = (self._look(span.hits, one, directory) for one in ends if span is not None)
            wanted |= dict.fromkeys(one.entry.oid for one in looked if one.entry is not None)
        self._source.fetch_blobs(list(wanted))
        if beside is not None:
            self._source.store.ahead.read(list(wanted))
            self._fetched.update(wanted)

    def _version(self, one: _Version, *, complete: bool) -> OverlayVersion:
        content = None
        if one.entry is not None:
            content = self._source.store.read(one.entry.oid)[1]
        return OverlayVersion(one.info, one.file, content, complete)

    def _look(self, hits: Hits, at: int, directory: str) -> _Version:
        """Find the kustomization that the folder had at one commit."""
        info, known = hits[at], hits.file(at)
        if known is not None:
            return _Version(info, *known)
        store = self._source.store
        tree = store.folder(store.tree_of(info.commit), directory)
        for name in FILE_NAMES:
            entry = tree.get(name)
            if entry is not None and entry.is_file:
                return _Version(info, name, entry)
        return _Version(info, None, None)

    def _merges(self, merges: Sequence[CommitInfo]) -> Mapping[str, tuple[str, ...]]:
        """Return merge -> messages that it brought in, for those that need no more history."""
        brought = {info.commit: self._brought(info, ()) for info in merges}
        ids = {one for some in brought.values() if some.known for one in some.commits}
        infos = self.infos(ids)
        return {
            merge: _messages(info for info in infos if info.commit in some.commits)
            for merge, some in brought.items()
            if some.known
        }

    def _merged(self, merge: CommitInfo, below: Sequence[str]) -> tuple[str, ...] | None:
        """Return the messages that one merge brought in, None where nobody knows them all."""
        brought = self._brought(merge, below)
        return _messages(self.infos(brought.commits)) if brought.known else None

    def _brought(self, merge: CommitInfo, below: Sequence[str]) -> Range:
        first, *others = merge.parents
        return self._ancestry.over(others, [first], below)


def _messages(infos: Iterable[CommitInfo]) -> tuple[str, ...]:
    return tuple(info.message for info in newest_first(infos))
