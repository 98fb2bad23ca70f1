"""The branch that policy is on, and the branches that environments have of their own.

Read from the newest commits, which may be a part of what is checked: so this names branches, and
whoever trusts a policy reads it from before the change.
"""

from __future__ import annotations

from msgspec import Struct

from gitops.actions.context.session import Session
from gitops.core.environments.environment import CONFIG_PATH, Config
from gitops.errors import ConfigError, ManifestError, NotFound
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

    def named_by(self, revision: str) -> str:
        """Return the environment's branch that `revision` names, else the top-level one."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/remotes/")
        for found in (name, name.partition("/")[2]):
            if found in self.own:
                return found
        return self.branch


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
