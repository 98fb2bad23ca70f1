"""The arguments of a push that moves each branch from exactly one commit to exactly one other."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.ports import RefUpdate

_PUSH = ("push", "--porcelain", "--no-progress", "--no-verify", "--no-follow-tags")


def push_args(updates: Sequence[RefUpdate], url: str) -> list[str]:
    """Return the arguments for `git`; several updates go as one atomic push."""
    leases = [f"--force-with-lease={update.ref}:{update.old or ''}" for update in updates]
    refs = [f"{update.new or ''}:{update.ref}" for update in updates]
    atomic = ["--atomic"] if len(updates) > 1 else []
    return [*_PUSH, "--recurse-submodules=no", *atomic, *leases, "--", url, *refs]
