"""The branch that policy is on, and the branches that environments have of their own.

Read from the newest commits, which may be a part of what is checked: so this names branches, and
whoever trusts a policy reads it from before the change.
"""

from __future__ import annotations

from msgspec import Struct

from gitops.actions.context.session import Session
from gitops.core.audit.ci_branch import CiBranch
from gitops.core.environments.environment import CONFIG_PATH, Config
from gitops.errors import ConfigError, ManifestError, NotFound, UsageError
from gitops.ports import Snapshot


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


def config_of(session: Session, snapshot: Snapshot) -> Config | None:
    """Return the config that `snapshot` holds, None when there is none that can be read."""
    try:
        content = snapshot.read(CONFIG_PATH)
        return session.load_config(content) if content is not None else None
    except (ConfigError, ManifestError):
        return None
