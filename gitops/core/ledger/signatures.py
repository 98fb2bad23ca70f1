"""Which lines of a ledger count when only signed ones do.

A line counts when the commit that added it is signed with a listed key, is a word of gitops and
nothing else, and names this repository, environment and app; and it counts once. A commit that
alters or removes earlier lines voids itself: nothing of it counts, and what it took away still
does.

The branch is a line of commits: gitops never merges there. Whoever merges something into it could
choose which of two words comes last, so of what came in by a merge only what says no counts. That
a branch was set back as a whole cannot be told from its commits: the forge must protect it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from gitops.core.git.message import trailers
from gitops.core.ledger.records import (
    NEGATIVE,
    Ledger,
    LedgerEntry,
    LedgerProblem,
    RecordSubject,
    read_ledger,
)

MANIFESTS: Final = "gitops.yaml"
_ACTIONS = frozenset({"qa", "approve", "wait"})  # what writes words


class LedgerCommit(Struct, frozen=True):
    """One commit of the ledger's branch, seen at one file.

    Attributes:
        before, after: the file in its first parent and in itself; None: it did not exist.
        signer: principal of the listed key that made its good signature, or None.
        trouble: what is wrong when there is no signer (`is not signed`).
        merges: it has several parents.
        doubt: why nobody can tell what it came before, or that it is of a ledger; only what says
            no counts then. None: it can be told.
    """

    commit: str
    before: bytes | None
    after: bytes | None
    signer: str | None
    trouble: str = "is not signed with a listed key"
    merges: bool = False
    doubt: str | None = None


class BranchCommit(Struct, frozen=True):
    """One commit of a branch: its parents, and the paths that it changed (of a merge: none)."""

    commit: str
    parents: tuple[str, ...]
    paths: tuple[str, ...] = ()


class SignedLine(Struct, frozen=True):
    """A branch as a line.

    Attributes:
        places: commit -> its place; what a merge brought in comes just before that merge.
        aside: commits that a merge brought in.
        merges: merges on the line, oldest first.
        paths: commit -> the paths that it changed.
        foreign: commits that wrote manifests, and those made on top of them: they are of no ledger.
    """

    places: Mapping[str, tuple[int, int, int]]
    aside: frozenset[str]
    merges: tuple[str, ...]
    paths: Mapping[str, tuple[str, ...]]
    foreign: frozenset[str]

    def doubt(self, commit: str) -> str | None:
        """Return why only what says no counts of a commit, None when all of it does."""
        if commit in self.aside or commit not in self.places:
            return "it came in by a merge, and nobody can tell what it came before"
        if commit in self.foreign:
            return f"its commit is of a branch with {MANIFESTS}, and of no ledger"
        return None


class ExpectedSubject(Struct, frozen=True):
    """What the lines of one file must name to count there.

    Attributes:
        repositories: every name that the repository has.
        environments: the name of the environment, and earlier ones.
        place: how commands name the overlay (`stage`, `stage --app shop`).
    """

    repositories: frozenset[str]
    environments: frozenset[str]
    app: str | None
    place: str = "ENV"

    def fits(self, about: RecordSubject) -> bool:
        """Say whether a line that names `about` is about this."""
        return (
            about.repository in self.repositories
            and about.environment in self.environments
            and about.app == self.app
        )


def line_of(commits: Sequence[BranchCommit], tip: str) -> SignedLine:
    """Put the commits of a branch, children before parents, into one order; `tip` is its newest."""
    known = {one.commit: one for one in commits}
    age = {one.commit: place for place, one in enumerate(reversed(commits))}
    line: list[BranchCommit] = []
    at: str | None = tip
    while at is not None and at in known:
        line.append(known[at])
        at = known[at].parents[0] if known[at].parents else None
    line.reverse()
    places = {one.commit: (place, 1, 0) for place, one in enumerate(line)}
    aside: set[str] = set()
    for place, one in enumerate(line):
        todo = list(one.parents[1:])
        while todo:
            other = todo.pop()
            if other in places or other not in known:
                continue
            places[other] = (place, 0, age[other])
            aside.add(other)
            todo += known[other].parents
    foreign: set[str] = set()
    for one in reversed(commits):
        if MANIFESTS in one.paths or not foreign.isdisjoint(one.parents[:1]):
            foreign.add(one.commit)
    merges = tuple(one.commit for one in line if len(one.parents) > 1)
    paths = {one.commit: one.paths for one in commits}
    return SignedLine(places, frozenset(aside), merges, paths, frozenset(foreign))


def why_no_word(message: str, paths: Sequence[str], path: str, labels: Iterable[str]) -> str | None:
    """Return why a signed commit is no word on the overlay, None when it is one.

    A key signs many commits; one that was made for something else must not be taken for a word.
    """
    if tuple(paths) != (path,):
        return "changes something else, too"
    said = trailers(message)
    named = said.get("Gitops-Environment", ())
    if _ACTIONS.isdisjoint(said.get("Gitops-Action", ())[-1:]) or len(named) != 1:
        return "was not made to say a word"
    return None if named[0] in labels else "was made for another environment"


def judge_signatures(
    commits: Iterable[LedgerCommit], named: ExpectedSubject | None = None
) -> Ledger:
    """Read the lines that signed `commits` (ordered as `SignedLine`) added; others are problems.

    `named` is what the lines must be about; None: whatever they name. The line numbers are those of
    the file as each commit left it.
    """
    judge = _Judge(named)
    for commit in commits:
        judge.look(commit)
    return judge.told()


class _Judge:
    def __init__(self, named: ExpectedSubject | None) -> None:
        self._named = named
        self._entries: list[LedgerEntry] = []
        self._problems: list[LedgerProblem] = []
        self._counted: set[tuple[str, bytes]] = set()
        self._old: list[LedgerEntry] = []

    def look(self, commit: LedgerCommit) -> None:
        before, after = commit.before or b"", commit.after or b""
        if commit.merges:
            return  # `history_problems` tells
        added = _added(before, after)
        if added is None:
            what = "alters or removes earlier lines: nothing of it counts"
            self._problems.append(LedgerProblem(what, None, commit.commit))
            return
        first = before.count(b"\n")
        read = read_ledger(added)
        lines = added.split(b"\n")
        for entry in read.entries:
            self._add(commit, LedgerEntry(first + entry.line, entry.record), lines[entry.line - 1])
        if commit.signer is not None:
            self._problems += [
                LedgerProblem(problem.text, first + (problem.line or 0), commit.commit)
                for problem in read.problems
            ]

    def _add(self, commit: LedgerCommit, entry: LedgerEntry, line: bytes) -> None:
        trouble = self._trouble(commit, entry)
        if trouble is not None:
            record = entry.record
            what = f"{record.verdict} on {record.commit[:7]} by {record.by} does not count: "
            self._problems.append(LedgerProblem(what + trouble, entry.line, commit.commit))
            return
        signer = commit.signer or ""
        entry = LedgerEntry(entry.line, entry.record, signer)
        is_old = self._named is not None and entry.record.about is None
        if is_old and entry.record.verdict not in NEGATIVE:
            self._old.append(entry)
            return
        if (signer, line.rstrip()) not in self._counted:
            self._counted.add((signer, line.rstrip()))
            self._entries.append(entry)

    def _trouble(self, commit: LedgerCommit, entry: LedgerEntry) -> str | None:
        if commit.signer is None:
            return f"its commit {commit.trouble}"
        about = entry.record.about
        if self._named is not None and about is not None and not self._named.fits(about):
            return f"it is about {about}"
        if entry.record.verdict in NEGATIVE:
            return None
        return commit.doubt

    def told(self) -> Ledger:
        return Ledger(tuple(self._entries), (*self._problems, *self._unnamed()))

    def _unnamed(self) -> Iterator[LedgerProblem]:
        """Tell of words without names that nobody has said again, and how that is done."""
        again = {(one.record.commit, _aspect(one.record.verdict)) for one in self._entries}
        old = [
            one.record
            for one in self._old
            if one.record.verdict != "approved"  # a proposal tells itself what it waits for
            and (one.record.commit, _aspect(one.record.verdict)) not in again
        ]
        if not old or self._named is None:
            return
        newest, place = old[-1], self._named.place
        words = "word names" if len(old) == 1 else "words name"
        command = f"gitops wait {place}"
        if newest.verdict == "qa-passed":
            command = f"gitops qa {place} --pass --release {newest.commit[:12]}"
        yield LedgerProblem(
            f"{len(old)} signed {words} no repository, as an older gitops wrote, and no longer "
            f"counts (what says no does); the newest: {newest.verdict} on {newest.commit[:7]} by "
            f"{newest.by}. Said again, it counts: `{command}`"
        )


def _aspect(verdict: str) -> str:
    return "quality" if verdict.startswith("qa-") else "health"


def history_problems(line: SignedLine) -> tuple[LedgerProblem, ...]:
    """Tell what is wrong with the branch itself."""
    return tuple(
        LedgerProblem(
            "is a merge, which gitops never makes: of what it brought in only what says no counts",
            None,
            commit,
        )
        for commit in line.merges
    )


def _added(before: bytes, after: bytes) -> bytes | None:
    """Return what was written behind `before`; None when `before` is not all there any more.

    A last line without its newline must get one first: whatever follows on it alters that line.
    """
    if not after.startswith(before):
        return None
    added = after[len(before) :]
    if added and before and not before.endswith(b"\n") and not added.startswith(b"\n"):
        return None
    return added
