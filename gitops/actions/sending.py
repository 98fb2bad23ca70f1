"""What a plan puts on the branches: commits made on the tip, and the move of each branch."""

from __future__ import annotations

from dataclasses import dataclass

from gitops.actions.plan import Draft, Plan, ProposalDraft
from gitops.actions.session import Session, Tip
from gitops.ports import NewCommit, RefUpdate


@dataclass(frozen=True, slots=True)
class Update:
    """One branch that moves: `commit` is what it moves to, None where it goes.

    Attributes:
        base: the commit that was read and built on; None where the branch goes.
        proposal: what a proposal branch was made from; None for any other branch.
    """

    update: RefUpdate
    branch: str
    commit: str | None
    base: str | None = None
    proposal: ProposalDraft | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A plan, the tip that it was made on, and what is pushed for it."""

    tip: Tip
    plan: Plan
    updates: tuple[Update, ...]


def prepare(session: Session, tip: Tip, plan: Plan) -> Sent:
    """Make the commits of `plan`; nothing is visible to others until they are pushed."""
    updates: list[Update] = []
    for branch, draft in plan.commits.items():
        base = tip.at(branch).commit
        new = _create(session, base, draft)
        updates.append(Update(_move(branch, base, new), branch, new, base))
    for proposal in plan.proposals:
        base = tip.at(proposal.base).commit
        new = _create(session, base, proposal.draft)
        move = _move(proposal.branch, proposal.replaces, new)
        updates.append(Update(move, proposal.branch, new, base, proposal))
    for ended in plan.ending:
        move = _move(ended.branch, ended.commit, None)
        updates.append(Update(move, ended.branch, None))
    return Sent(tip, plan, tuple(updates))


def _create(session: Session, base: str, draft: Draft) -> str:
    parents = (base, draft.merges) if draft.merges is not None else (base,)
    commit = NewCommit(parents, draft.files, draft.message, session.clock.now())
    return session.repository.create(commit)


def _move(branch: str, old: str | None, new: str | None) -> RefUpdate:
    return RefUpdate(f"refs/heads/{branch}", old, new)
