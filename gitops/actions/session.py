"""One call of gitops on one repository: the ports it got and the options that hold for the call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gitops.core.environment import CONFIG_PATH, Config, Environment
from gitops.core.history import Identity
from gitops.core.message import one_line
from gitops.errors import ConfigError, NotFound, UsageError
from gitops.ports import Clock, Evidence, Repository, Snapshot, Sources, WorkTree


@dataclass(frozen=True, slots=True)
class Session:
    """What an action gets from the outside.

    Attributes:
        evidence: what the commits of `repository` prove.
        load_config: bytes of `gitops.yaml` to values; raises ConfigError.
        identity: who writes; raises NotFound when nobody is known.
        branch: `--branch`; None means what `gitops.yaml` says, else the default branch.
        intent: id of this intent, unique; the `Gitops-Id` of what it writes.
        dry_run: plan and show, write nothing.
        budget: seconds that lost races and an unreachable server may cost.
        work_tree: the caller's checkout, None for a URL or a bare repository.
        sources: the source repositories of images; None where nobody can be asked.
        say: tells a waiting person what is going on.
    """

    repository: Repository
    evidence: Evidence
    clock: Clock
    load_config: Callable[[bytes], Config]
    identity: Callable[[], Identity]
    intent: str
    branch: str | None = None
    dry_run: bool = False
    budget: float = 60.0
    work_tree: WorkTree | None = None
    sources: Sources | None = None
    say: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Tip:
    """What one attempt of a call reads: the newest commit of each branch, every one once.

    Attributes:
        snapshot: of the top-level branch. Policy is read from it alone: `gitops.yaml`, the signers
            and the hold of everything.
        config: what `gitops.yaml` says there.
        repository: where other branches are read from, when they are asked for.
        others: the branches that were read beside it; None where there is none.
    """

    snapshot: Snapshot
    config: Config
    repository: Repository = field(compare=False, repr=False)
    others: dict[str, Snapshot | None] = field(default_factory=dict, compare=False, repr=False)

    def branch_of(self, environment: Environment) -> str:
        """Return the branch that `environment` lives on: its own, else the top-level one."""
        return environment.branch or self.snapshot.branch

    def of(self, environment: Environment) -> Snapshot:
        """Return the tip that holds the overlays and holds of `environment`.

        Raises NotFound when its branch does not exist.
        """
        return self.at(self.branch_of(environment))

    def at(self, branch: str) -> Snapshot:
        """Return the tip of a branch that environments live on. Raises NotFound."""
        if branch == self.snapshot.branch:
            return self.snapshot
        found = self.beside(branch)
        if found is None:
            raise NotFound(f"no branch {branch} in {self.repository.describe()}")
        return found

    def beside(self, branch: str) -> Snapshot | None:
        """Return the newest commit of another branch, None when there is none; asked once."""
        if branch not in self.others:
            try:
                self.others[branch] = self.repository.snapshot(branch)
            except NotFound:
                self.others[branch] = None
        return self.others[branch]


def open_tip(session: Session) -> Tip:
    """Read the tip and its `gitops.yaml`, never the caller's work tree.

    Raises ConfigError, NotFound (repository, branch), Denied, Unavailable.
    """
    snapshot = session.repository.snapshot(session.branch)
    config = read_config(session, snapshot)
    if session.branch is None and config.branch not in (None, snapshot.branch):
        snapshot = session.repository.snapshot(config.branch)
        config = read_config(session, snapshot)
    return Tip(snapshot, config, session.repository)


def require_words(text: str | None, option: str) -> None:
    """Refuse an empty reason: whoever reads it later deserves one. Raises UsageError."""
    if text is not None and not one_line(text):
        raise UsageError(f"{option} needs some words", hint='for example "INC-42: checkout fails"')


def read_config(session: Session, snapshot: Snapshot) -> Config:
    """Return the config that `snapshot` holds; ConfigError when it holds none."""
    content = snapshot.read(CONFIG_PATH)
    if content is None:
        raise ConfigError(
            f"no {CONFIG_PATH} at the root of {snapshot.branch} in {session.repository.describe()}",
            hint="`gitops init` writes one; commit and push it",
        )
    return session.load_config(content)
