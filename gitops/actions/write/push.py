"""What a plan puts on the branches: commits made on the tip, and the move of each branch."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from gitops.actions.context.plan import Draft, Plan, ProposalDraft
from gitops.actions.context.session import Session, Tip
from gitops.core.environments.environment import MessageForm
from gitops.core.git.message import put_in_form
from gitops.ports import Lost, NewCommit, RefUpdate

_HEADS = "refs/heads/"


class Update(Struct, frozen=True):
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


class Sent(Struct, frozen=True):
    """A plan, the tip that it was made on, and what is pushed for it.

    Attributes:
        guards: branches that policy was read from and that this does not move.
    """

    tip: Tip
    plan: Plan
    updates: tuple[Update, ...]
    guards: tuple[RefUpdate, ...] = ()


def prepare(session: Session, tip: Tip, plan: Plan) -> Sent:
    """Make the commits of `plan`; nothing is visible to others until they are pushed."""
    updates: list[Update] = []
    for branch, draft in plan.commits.items():
        base = tip.at(branch).commit
        new = _create(session, tip, base, draft)
        updates.append(Update(_move(branch, base, new), branch, new, base))
    for proposal in plan.proposals:
        base = tip.at(proposal.base).commit
        new = _propose(session, tip, base, proposal)
        move = _move(proposal.branch, proposal.replaces, new)
        updates.append(Update(move, proposal.branch, new, base, proposal))
    for ended in plan.ending:
        move = _move(ended.branch, ended.commit, None)
        updates.append(Update(move, ended.branch, None))
    return Sent(tip, plan, tuple(updates), _guards(tip, plan))


def push(session: Session, sent: Sent, *, apart: bool = False) -> Lost | None:
    """Push it all at once; `apart`: without atomic pushes, for a server that has none.

    Apart from each other the guards are looked at just before. Raises what `Repository.push` does.
    """
    updates = tuple(entry.update for entry in sent.updates)
    if not apart:
        return session.repository.push((*updates, *sent.guards))
    for guard in sent.guards:
        branch = guard.ref.removeprefix(_HEADS)
        if session.repository.snapshot(branch).commit != guard.old:
            return Lost(f"{branch} moved")
    return session.repository.push(updates)


def _guards(tip: Tip, plan: Plan) -> tuple[RefUpdate, ...]:
    return guards(tip, plan.commits) if plan.commits and plan.judged else ()


def guards(tip: Tip, moved: Collection[str]) -> tuple[RefUpdate, ...]:
    """Return what must stay as it was read beside the branches in `moved`.

    A hold of everything, a freeze or a rollback may land on a branch that is only read.
    """
    return tuple(
        _move(branch, snapshot.commit, snapshot.commit)
        for branch, snapshot in tip.read().items()
        if branch not in moved
    )


def _create(session: Session, tip: Tip, base: str, draft: Draft) -> str:
    parents = (base, *draft.merges)
    message = _message(session, tip, draft)
    return session.repository.create(NewCommit(parents, draft.files, message, session.clock.now()))


def _propose(session: Session, tip: Tip, base: str, proposal: ProposalDraft) -> str:
    onto, draft = proposal.onto, proposal.draft
    if onto is None:
        return _create(session, tip, base, draft)
    parents = (onto, base) if proposal.update else (onto,)
    files = base if proposal.update else None
    message = _message(session, tip, draft)
    commit = NewCommit(parents, draft.files, message, session.clock.now(), base=files)
    return session.repository.create(commit)


def _message(session: Session, tip: Tip, draft: Draft) -> str:
    """Return the message in the form that the team has said in `gitops.yaml`."""
    form = tip.config.message
    if form == MessageForm():
        return draft.message
    asks = any("{author}" in text for text in form.trailers)
    author = session.identity() if asks else None
    return put_in_form(draft.message, form.subject, form.trailers, author)


def _move(branch: str, old: str | None, new: str | None) -> RefUpdate:
    return RefUpdate(_HEADS + branch, old, new)
