"""The policy: the branch that it is on, the tip that a call reads it from, and its one reading.

`read_trunk` reads the newest commits, which may be a part of what is checked: so it names branches,
and whoever trusts a policy reads it from before the change (`tip_before`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.session import Session, Tip
from gitops.core.environments.environment import CONFIG_PATH, Config
from gitops.core.text.plain import one_line
from gitops.errors import ConfigError, ManifestError, NotFound, UsageError

if TYPE_CHECKING:
    from gitops.core.audit.ci_branch import CiBranch
    from gitops.ports import Archive, Snapshot

_OLDEST = 100  # commits that are gone back for a `gitops.yaml` that can be read


class PolicyBranch(Struct, frozen=True):
    """Names of branches.

    Attributes:
        default: the default branch, at its newest commit.
        branch: the top-level branch: what `gitops.yaml` of the default one names, or itself.
        own: the branches of environments, in promotion order.
    """

    default: Snapshot
    branch: str
    own: tuple[str, ...]

    def candidates(self, named: str | None, ci: CiBranch | None) -> tuple[str, ...]:
        """Return the branches that a change may be on, or go to.

        Args:
            named: the one that the caller named; then it is that.
            ci: the one that a CI job is about; it is that where an environment lives there, or
                policy. A pull request that goes elsewhere is on its way to the top-level one.
        """
        if named is not None:
            return (named,)
        known = tuple(dict.fromkeys((self.default.branch, self.branch, *self.own)))
        if ci is not None and ci.name in known:
            return (ci.name,)
        return (self.branch,) if ci is not None and ci.proposed else known

    def goes_to(self, revision: str, ci: CiBranch | None) -> str:
        """Return the branch that a change beside `revision` goes to.

        The one that a CI job is about, else the one that `revision` names, else the top-level one.
        Raises UsageError where the two are different branches of environments, or of policy.
        """
        known = (self.default.branch, self.branch, *self.own)
        name = revision.removeprefix("refs/heads/").removeprefix("refs/remotes/")
        named = next((one for one in (name, name.partition("/")[2]) if one in known), None)
        told = ci.name if ci is not None and ci.proposed and ci.name in known else None
        if named is not None and told is not None and ci is not None and named != told:
            raise UsageError(
                f"the change goes to {told} ({ci.variable}), and is compared with {named}",
                hint="say which one it goes to: --branch NAME",
            )
        found = told or named
        return found if found in self.own else self.branch


def read_trunk(session: Session) -> PolicyBranch:
    """Read which branches there are to be, from the default one on."""
    default = session.repository.snapshot(None)
    config = config_of(session, default)
    branch = (config.branch if config is not None else None) or default.branch
    if branch != default.branch:
        tip = newest(session, branch)
        config = config_of(session, tip) if tip is not None else None
    rows = config.environments if config is not None else ()
    own = (row.branch for row in rows if row.branch not in (None, branch))
    return PolicyBranch(
        default, branch, tuple(dict.fromkeys(name for name in own if name is not None))
    )


def newest(session: Session, branch: str) -> Snapshot | None:
    """Return the newest commit of a branch, None when there is no such branch."""
    try:
        return session.repository.snapshot(branch)
    except NotFound:
        return None


def open_tip(session: Session, *, lenient: bool = False) -> Tip:
    """Read the tip and its `gitops.yaml`, never the caller's work tree.

    `lenient`, for what must not be barred: where that one cannot be read, the newest on the branch
    that can counts, and `Tip.problem` says so.

    Raises ConfigError, NotFound (repository, branch), Denied, Unavailable.
    """
    read = _newest_readable if lenient else tip_of
    tip = read(session, session.repository.snapshot(session.branch))
    if session.branch is None and tip.config.branch not in (None, tip.snapshot.branch):
        tip = read(session, session.repository.snapshot(tip.config.branch))
    check_trunk(tip)
    if session.admit is not None:
        session.admit(tip.config)
    return tip


def _newest_readable(session: Session, snapshot: Snapshot) -> Tip:
    """Return `snapshot` with the newest policy of its branch that can be read, as `tip_of` does."""
    try:
        return tip_of(session, snapshot)
    except (ConfigError, ManifestError) as error:
        why = one_line(error.message.split("\n", 1)[0], 120)
        for change in reversed(session.evidence.file_history(snapshot.commit, CONFIG_PATH)):
            try:
                config = session.load_config(change.after) if change.after is not None else None
            except ConfigError:
                continue
            if config is not None:
                problem = (
                    f"{snapshot.branch} has no {CONFIG_PATH} that can be read ({why}; "
                    f"`gitops validate` tells where): the one of {change.commit.commit[:7]} counts"
                )
                return Tip(snapshot, config, session.repository, problem=problem)
        raise


def tip_of(session: Session, snapshot: Snapshot) -> Tip:
    """Return `snapshot` with the policy that it holds. Raises ConfigError where it holds none."""
    config = read_config(session, snapshot)
    if config is None:
        raise ConfigError(
            f"no {CONFIG_PATH} at the root of {snapshot.branch} in {session.repository.describe()}",
            hint=_why_missing(session, snapshot),
        )
    return Tip(snapshot, config, session.repository)


def tip_before(session: Session, archive: Archive, commit: str | None) -> Tip | None:
    """Return the newest policy from `commit` back that can be read, None when there was none.

    Nobody gets rid of the policy by breaking it first. Raises ConfigError or ManifestError when it
    has been broken for long.
    """
    error = None
    for _ in range(_OLDEST):
        if commit is None:
            break
        tree = archive.tree(commit)
        try:
            config = read_config(session, tree)
            if config is not None:
                return Tip(tree, config, session.repository)
        except (ConfigError, ManifestError) as broken:
            error = error or broken
        parents = archive.info(commit).parents
        commit = parents[0] if parents else None
    if error is not None:
        raise error
    return None


def read_config(session: Session, snapshot: Snapshot) -> Config | None:
    """Return the config that `snapshot` holds, None when it holds none.

    Raises ConfigError, and ManifestError for what is no file.
    """
    content = snapshot.read(CONFIG_PATH)
    return session.load_config(content) if content is not None else None


def config_of(session: Session, snapshot: Snapshot) -> Config | None:
    """Return the config that `snapshot` holds, None when there is none that can be read."""
    try:
        return read_config(session, snapshot)
    except (ConfigError, ManifestError):
        return None


def check_trunk(tip: Tip) -> None:
    """Refuse the branch of some environments in place of the one that policy is read from.

    Raises ConfigError, UsageError.
    """
    snapshot, config = tip.snapshot, tip.config
    own = [row.name for row in config.environments if row.branch == snapshot.branch]
    if not own or len(own) == len(config.environments) or config.branch == snapshot.branch:
        return
    what = f"{snapshot.branch} is the branch of {', '.join(own)}"
    if config.branch is None:
        raise ConfigError(
            f"{what}, and which one the other environments and policy are on is not said",
            hint=f"name it in {CONFIG_PATH}, at the top: `branch: main`",
        )
    raise UsageError(f"{what}; policy is read from {config.branch}", hint="leave out --branch")


def check_policy(session: Session, tip: Tip, branches: Iterable[str]) -> None:
    """Refuse to write to `branches` by the policy of another branch that `--branch` names.

    What is written to the named branch itself follows its own policy. But an environment on a
    branch of its own is bound by the branch that is read when nobody says `--branch`; otherwise
    any branch could switch the policy of prod off. Raises UsageError.
    """
    others = [branch for branch in branches if branch != tip.snapshot.branch]
    if session.branch is None or not others:
        return
    try:
        trunk = open_tip(replace(session, branch=None)).snapshot.branch
    except (NotFound, ConfigError):
        trunk = tip.config.branch or tip.snapshot.branch  # nobody else tells
    if trunk != tip.snapshot.branch:
        raise UsageError(
            f"{', '.join(others)} is bound by the policy on {trunk}, not on {tip.snapshot.branch}",
            hint="leave out --branch",
        )


def _why_missing(session: Session, snapshot: Snapshot) -> str:
    """Return what to do about a `gitops.yaml` that is not on the branch."""
    present = snapshot.entries("")
    near = [name for name in present if name.lower() in ("gitops.yml", "gitops.yaml")]
    if near:
        return f"{near[0]} is there, and is not read: rename it to {CONFIG_PATH}"
    if session.work_tree is not None and session.work_tree.read(CONFIG_PATH) is not None:
        return f"{CONFIG_PATH} is in the checkout alone: commit it, and push it"
    return "`gitops init` writes one; commit and push it"
