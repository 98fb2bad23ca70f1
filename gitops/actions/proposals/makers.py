"""Who made some of a pull request: nobody approves what they wrote or pushed."""

from __future__ import annotations

from collections.abc import Iterable

from gitops.core.git.commit import CommitInfo
from gitops.ports import Contribution


def counted(approvals: Iterable[str], makers: frozenset[str]) -> tuple[str, ...]:
    """Return who approved and neither wrote nor pushed some of it, each once."""
    return tuple(dict.fromkeys(who for who in approvals if who.lower() not in makers))


def made_by(
    told: Iterable[Contribution], commits: Iterable[CommitInfo], updates: Iterable[CommitInfo]
) -> frozenset[str]:
    """Return who made some of a pull request: of `commits`, which bring something.

    `updates` are merges that only bring the base in.
    """
    own = {info.commit for info in commits}
    parents = {info.commit: info.parents for info in updates}
    return frozenset(
        one.who.lower()
        for one in told
        if one.commit in own
        or (one.before is not None and one.before not in parents.get(one.commit, (one.before,)))
    )
