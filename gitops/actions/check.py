"""`gitops check`: which commits change a protected environment without anybody's word?

For CI, on every push and pull request. Policy and signers are those from before the change, so a
change cannot excuse itself; they move on with each commit that people agreed to. It detects, and
prevents nothing: docs/how-to/check.md.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.audit.affected import TouchReader, fetch_changed, protected
from gitops.actions.audit.agreement import ApprovalEvidence
from gitops.actions.audit.changes import Changeset, read_changeset
from gitops.actions.audit.judge_change import StepJudge
from gitops.actions.context.policy_branch import (
    PolicyBranch,
    config_of,
    newest,
    read_trunk,
    tip_before,
    tip_of,
)
from gitops.actions.context.session import Session, Tip
from gitops.core.audit.ci_branch import CiBranch
from gitops.core.audit.findings import CheckedCommit, CheckReport, Finding
from gitops.core.environments.environment import CONFIG_PATH, Config
from gitops.core.text.counting import counted
from gitops.errors import Bug, NotFound, UsageError
from gitops.ports import Archive

_NOTHING = Config(branch=None)


class ChangeLocation(Struct, frozen=True):
    """Where the changes are: their branch, and the branch that policy is on.

    Attributes:
        points: the branch is the default one, whose `gitops.yaml` only names the other.
    """

    branch: str
    top_level: str
    changes: Changeset
    points: bool = False


def check(session: Session, revision: str | None = None, ci: CiBranch | None = None) -> CheckReport:
    """Look at one commit, or at each change of a range `A..B`.

    `revision` None is what the caller's clone has checked out: a commit on the branch, or all that
    it has over the branch. `session.branch` is the branch that the changes are on, or go to; None:
    the one that `ci` tells, else the only one that there is.

    Raises ConfigError when the policy from before the change cannot be read, NotFound for a commit
    that cannot be read (it says what to fetch), UsageError, Denied, Unavailable.
    """
    if session.archive is None:
        raise Bug("there is no archive to check")
    archive = session.archive()
    place = _find_place(session, archive, revision, ci)
    changes, on_policy = place.changes, place.branch == place.top_level
    first = policy = _first_policy(session, archive, place)
    reader = TouchReader(archive, place.branch, place.top_level)
    agreement = ApprovalEvidence(session, archive, place.branch, changes)
    steps = [(step.parent, step.commit) for step in changes.steps]
    changed = {
        commit: paths
        for (_, commit), paths in zip(steps, archive.changed_by_each(steps), strict=True)
    }
    fetch_changed(archive, changes.steps, changed)
    findings = [*_rewritten(place), *_strayed(place), *_redirected(session, archive, place)]
    commits: list[CheckedCommit] = []
    trusted = True
    judge = StepJudge(session, archive, reader, agreement, changes=changes)
    for step in counted(session.count, "checking commits", changes.steps):
        paths = changed[step.commit]
        after: Config | None = policy.config
        if on_policy and CONFIG_PATH in paths:
            after = config_of(session, archive.tree(step.commit))
        one, found = judge.look(step, paths, policy, after)
        commits.append(one)
        findings += found
        own = {CONFIG_PATH, policy.config.signers}
        if on_policy and not own.isdisjoint(paths):
            # Once it was changed without a word, nothing after that makes it trusted again here.
            trusted = trusted and after is not None and _is_agreed(one, own)
            if trusted and after is not None:
                policy = replace(first, snapshot=archive.tree(step.commit), config=after)
    findings += judge.standing_dangers(policy.config, changes.tip)
    wrong, unseen = _data(session, archive, reader, policy.config, changes)
    findings += wrong
    rows = protected(policy.config)
    return CheckReport(
        base=changes.base,
        tip=changes.tip,
        branch=place.branch,
        landed=changes.landed,
        policy=first.snapshot.commit,
        proof=agreement.proof(),
        protected=tuple(row.name for row in rows),
        commits=tuple(commits),
        findings=tuple(findings),
        warnings=(*agreement.warnings(), *unseen),
        inside=changes.inside,
    )


def _data(
    session: Session, archive: Archive, reader: TouchReader, config: Config, changes: Changeset
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Ask the data rules of the state after the change, where somebody wrote some."""
    if not config.databases:
        return (), ()
    from gitops.actions.audit.data_findings import data_findings

    return data_findings(session, archive, reader, config, changes)


def _find_place(
    session: Session, archive: Archive, revision: str | None, ci: CiBranch | None
) -> ChangeLocation:
    """Find the branch that the changes are on, or go to, and the one that policy is on."""
    trunk = read_trunk(session)
    default = trunk.default
    branch, changes = _choose(session, archive, revision, trunk, ci)
    if branch in trunk.own and branch != default.branch:
        return ChangeLocation(branch, trunk.branch, changes)
    if branch != default.branch or session.branch is not None:
        return ChangeLocation(branch, branch, changes)
    before = tip_before(session, archive, changes.base) if changes.landed else None
    config = before.config if before is not None else config_of(session, default) or _NOTHING
    top_level = config.branch or branch
    return ChangeLocation(branch, top_level, changes, points=top_level != branch)


def _choose(
    session: Session,
    archive: Archive,
    revision: str | None,
    trunk: PolicyBranch,
    ci: CiBranch | None,
) -> tuple[str, Changeset]:
    """Return the branch that the changes are on, or go to, and the changes beside it.

    What was named, what the CI system tells, else the only one that there is, or that has them.
    What the newest `gitops.yaml` says may be a part of the change, so it only names candidates; and
    a change is made on whatever its author likes, so that tells nothing.
    """
    found: dict[str, Changeset] = {}
    candidates = trunk.candidates(session.branch, ci)
    for branch in candidates:
        default = trunk.default
        snapshot = default if branch == default.branch else newest(session, branch)
        if snapshot is None and len(candidates) == 1:
            raise NotFound(f"no branch {branch} in {session.repository.describe()}")
        if snapshot is not None:  # an environment may have no branch yet
            found[branch] = read_changeset(archive, revision, snapshot.commit)
            if found[branch].tip == snapshot.commit:
                return branch, found[branch]
    if len(found) > 1:
        found = {name: one for name, one in found.items() if one.landed} or found
    if len(found) > 1:
        verb = "is on" if next(iter(found.values())).landed else "may go to"
        raise UsageError(
            f"the change {verb} several branches: {', '.join(found)}",
            hint="say which one it is for: --branch NAME",
        )
    return next(iter(found.items()))


def _first_policy(session: Session, archive: Archive, place: ChangeLocation) -> Tip:
    """Read the policy from before the change: of what landed, from its parent; else from the
    newest commit of the branch, since an old one may have been laxer."""
    if place.branch == place.top_level and place.changes.landed:
        before = tip_before(session, archive, place.changes.base)
        if before is not None:
            return before
        tree = archive.tree(place.changes.tip)
        if config_of(session, tree) is not None:
            return Tip(tree, _NOTHING, session.repository)  # it brings the first one
    return tip_of(session, session.repository.snapshot(place.top_level))


def _is_agreed(commit: CheckedCommit, own: Collection[str | None]) -> bool:
    """Say whether the policy that a commit leaves counts for the commits after it."""
    return commit.standing != "reported" or not any(
        touch.path in own for touches in commit.touches.values() for touch in touches
    )


def _rewritten(place: ChangeLocation) -> tuple[Finding, ...]:
    """Report commits that the branch had and has no more."""
    dropped = place.changes.dropped
    if not dropped:
        return ()
    count = "1 commit" if len(dropped) == 1 else f"{len(dropped)} commits"
    what = (
        f"{place.branch} was rewritten: {count} of its history, from {dropped[-1].commit[:7]} to "
        f"{dropped[0].commit[:7]}, are no more"
    )
    return (Finding(place.changes.tip, None, None, "error", "history", what),)


def _strayed(place: ChangeLocation) -> tuple[Finding, ...]:
    """Report steps after which history no longer leads to what the branch was before."""
    return tuple(
        Finding(
            step.commit,
            None,
            None,
            "error",
            "history",
            f"its first parent is {step.info.parents[0][:7]}, and {place.branch} was at "
            f"{(step.parent or 'nothing')[:7]}: whoever reads the history of {place.branch} from "
            f"now on reads commits that it never was at (merge {place.branch} the other way round)",
        )
        for step in place.changes.strayed
    )


def _redirected(session: Session, archive: Archive, place: ChangeLocation) -> tuple[Finding, ...]:
    """Report a default branch that names another branch than before as the one that counts."""
    base, tip = place.changes.base, place.changes.tip
    if not place.points or base is None:
        return ()
    configs = [config_of(session, archive.tree(one)) for one in (base, tip)]
    before, after = (one.branch if one is not None else None for one in configs)
    if before == after:
        return ()
    what = f"{place.branch} named {before} as the branch whose policy counts, and now {after}"
    return (Finding(tip, None, CONFIG_PATH, "error", "approval", what),)
