"""What `git rev-list` and `git log` print of commits, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.ledger.signatures import BranchCommit

LOG_FORMAT = "--format=%x00%H%n%P%n%an%n%ae%n%ct%n%B"
"""For `git log -z`: a record begins with a NUL."""
COMMIT_FORMAT = "--format=%H%n%P%n%an%n%ae%n%ct%n%B%x00"
"""For `git rev-list`: a record ends with a NUL."""

_PERSON = re.compile(rb"(\S|\S[^<>\n]*\S) <([^<>\s]*)> ([0-9]{1,18}) [+-][0-9]{4}")


def folders_above(path: str) -> Iterator[str]:
    """Yield every folder that `path` is in, the root ("") last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def parse_changes(record: bytes) -> BranchCommit:
    """Read one record of `git log -z --name-only --format=%x00%H %P`."""
    # `git log -z` puts a NUL behind the header, and a line end before the first path.
    head, _, listed = record.decode("utf-8", "surrogateescape").partition("\0")
    commit, *parents = head.split()
    paths = listed.removeprefix("\n").split("\0")
    return BranchCommit(commit, tuple(parents), tuple(path for path in paths if path))


def commit_time(seconds: str) -> datetime | None:
    """Return a commit's date, None where no calendar has it: anybody may write any number."""
    try:
        number = int(seconds)
        return datetime.fromtimestamp(number, UTC) if number >= 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def parse_object(oid: str, body: bytes) -> CommitInfo | None:
    """Read a commit as it is stored; None for one that is odd: git knows how to tell it."""
    head, _, message = body.partition(b"\n\n")
    if b"\0" in body or b"\nencoding " in head:
        return None
    parents, author, moment = [], None, None
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif key in (b"author", b"committer"):
            found = _PERSON.fullmatch(value)
            if found is None:
                return None
            if key == b"author":
                author = [one.decode("utf-8", "replace") for one in found.group(1, 2)]
            moment = found[3].decode()
    if author is None or moment is None:
        return None
    text = message.decode("utf-8", "replace").rstrip("\n") + "\n"
    return CommitInfo(oid, tuple(parents), Identity(*author), commit_time(moment), text)


def parse_commit(record: str) -> CommitInfo:
    """Read one record of `COMMIT_FORMAT`."""
    # `rev-list` puts a line "commit ID" before each record.
    _, oid, parents, name, email, time, message = record.lstrip("\n").split("\n", 6)
    return CommitInfo(
        oid,
        tuple(parents.split()),
        Identity(name, email),
        commit_time(time),
        message.rstrip("\n") + "\n",
    )
