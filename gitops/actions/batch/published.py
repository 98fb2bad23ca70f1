"""What lies published beside a branch: read, judged, and swept where nobody will apply it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from gitops.actions.context.policy_branch import tip_of
from gitops.actions.context.session import Combining, Session, Tip
from gitops.core.batch.intents import MAX_BYTES, REF_PREFIX, Intent
from gitops.core.batch.landed import landed, looked_back
from gitops.core.batch.selection import (
    MOST_LISTED,
    QueuePosition,
    Selection,
    choose_refs,
    read_intent,
    select,
)
from gitops.core.git.commit import CommitInfo
from gitops.core.git.remote_url import normalised_repository
from gitops.errors import Denied
from gitops.ports import Gathered, RefUpdate


class Published(Struct, frozen=True):
    """A tip and the intents beside it, judged for that tip.

    Attributes:
        refs: every ref that lies there -> what it names.
        landed: `Gitops-Id` -> commit, of the newest commits of the branch.
    """

    tip: Tip
    refs: Mapping[str, str]
    landed: Mapping[str, CommitInfo]
    selection: Selection


def gather(session: Session, combining: Combining, branch: str) -> Gathered:
    """Read the newest tip of `branch` and all refs beside it.

    Raises Denied where there is more than anybody needs: then somebody floods.
    """
    gathered = combining.intents.gather(branch, REF_PREFIX)
    if len(gathered.refs) > MOST_LISTED:
        raise Denied(
            f"{len(gathered.refs)} refs lie under {REF_PREFIX} of {session.repository.describe()}: "
            "somebody floods it"
        )
    return gathered


def judge_published(
    session: Session, combining: Combining, gathered: Gathered, own: Intent | None = None
) -> Published:
    """Judge a bounded number of intents, `own` among them.

    The branch is looked at back to the base of each intent that is sealed with our key, so that
    none lands a second time; what is not sealed makes us read nothing more.
    """
    snapshot, refs = gathered.snapshot, gathered.refs
    tip = tip_of(session, snapshot)
    name, now = repository_name(combining, tip), session.clock.now()
    chosen = [ref for ref in choose_refs(refs, own.id if own is not None else "") if ref in refs]
    contents = combining.intents.contents({refs[ref] for ref in chosen}, MAX_BYTES)
    offered = {ref: contents[refs[ref]] for ref in chosen}
    sealed = [read_intent(blob, key=combining.key) for blob in offered.values()]
    bases = {
        intent.base
        for intent in sealed
        if isinstance(intent, Intent)
        and (intent.repository, intent.branch) == (name, snapshot.branch)
        and intent.expires > now
    }
    bases |= {own.base} if own is not None else set()
    commits = combining.intents.recent(snapshot.commit, bases)
    found = landed(commits)
    place = QueuePosition(
        repository=name,
        branch=snapshot.branch,
        now=now,
        commits=looked_back(commits, bases),
        landed_ids=found.keys(),
    )
    return Published(tip, refs, found, select(offered, key=combining.key, place=place))


def repository_name(combining: Combining, tip: Tip) -> str:
    """Return what writers call the repository among themselves.

    Raises UsageError where neither `gitops.yaml` nor its address gives it a name.
    """
    return tip.config.repository or normalised_repository(combining.address)


def sweep(session: Session, published: Published) -> tuple[str, ...]:
    """Remove what nobody will ever apply, and return what is to be said of it.

    By a push of its own, and without insisting: somebody else may be sweeping, too.
    """
    rejected = [entry for entry in published.selection.rejected if entry.remove]
    if not rejected:
        return ()
    session.repository.push(
        [RefUpdate(entry.ref, published.refs[entry.ref], None) for entry in rejected]
    )
    return tuple(f"{entry}: not applied, and removed" for entry in rejected)
