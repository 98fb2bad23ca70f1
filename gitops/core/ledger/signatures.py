"""Which lines of a ledger count when only signed ones do.

A line counts when the commit that added it is signed with a listed key. A commit that alters or
removes earlier lines voids itself: nothing of it counts, and what it took away still does. That a
branch was set back as a whole cannot be told from its commits: the forge must protect it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from gitops.core.ledger.records import Entry, Ledger, Problem, read_ledger


class LedgerCommit(Struct, frozen=True):
    """One first-parent commit of the ledger's branch, seen at one file.

    Attributes:
        before, after: the file in its first parent and in itself; None: it did not exist.
        signer: principal of the listed key that made its good signature, or None.
        trouble: what is wrong when there is no signer (`is not signed`).
    """

    commit: str
    before: bytes | None
    after: bytes | None
    signer: str | None
    trouble: str = "is not signed with a listed key"


def judge_signatures(commits: Iterable[LedgerCommit]) -> Ledger:
    """Read the lines that signed `commits` (oldest first) added; the rest are problems.

    The line numbers are those of the file as each commit left it.
    """
    entries: list[Entry] = []
    problems: list[Problem] = []
    for commit in commits:
        before, after = commit.before or b"", commit.after or b""
        added = _added(before, after)
        if added is None:
            problems.append(
                Problem(
                    "alters or removes earlier lines: nothing of it counts", None, commit.commit
                )
            )
            continue
        first = before.count(b"\n")
        read = read_ledger(added)
        if commit.signer is None:
            problems += [
                Problem(
                    f"{entry.record.verdict} on {entry.record.commit[:7]} by {entry.record.by} "
                    f"does not count: its commit {commit.trouble}",
                    first + entry.line,
                    commit.commit,
                )
                for entry in read.entries
            ]
            continue
        entries += [
            Entry(first + entry.line, entry.record, commit.signer) for entry in read.entries
        ]
        problems += [
            Problem(problem.text, first + (problem.line or 0), commit.commit)
            for problem in read.problems
        ]
    return Ledger(tuple(entries), tuple(problems))


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
