"""What `git rev-list` and `git log` print of commits, and how it is read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.ledger.signatures import BranchCommit

LOG_FORMAT = "--format=%x00%H%n%P%n%an%n%ae%n%ct%n%B"
"""For `git log -z`: a record begins with a NUL."""
COMMIT_FORMAT = "--format=%H%n%P%n%an%n%ae%n%ct%n%B%x00"
"""For `git rev-list`: a record ends with a NUL."""


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


def _moment(seconds: str) -> datetime | None:
    """Return a commit's date, None where no calendar has it: anybody may write any number."""
    try:
        number = int(seconds)
        return datetime.fromtimestamp(number, UTC) if number >= 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def parse_commit(record: str) -> CommitInfo:
    """Read one record of `COMMIT_FORMAT`."""
    # `rev-list` puts a line "commit ID" before each record.
    _, oid, parents, name, email, time, message = record.lstrip("\n").split("\n", 6)
    return CommitInfo(
        oid,
        tuple(parents.split()),
        Identity(name, email),
        _moment(time),
        message.rstrip("\n") + "\n",
    )
