"""One call of gitops on one repository: the ports it got and the options that hold for the call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gitops.core.environment import CONFIG_PATH, Config
from gitops.core.history import Identity
from gitops.core.message import one_line
from gitops.errors import ConfigError, NotFound, UsageError
from gitops.ports import (
    Clock,
    Evidence,
    GatedForge,
    NoForge,
    Repository,
    Snapshot,
    Sources,
    WorkTree,
)


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
        forge: opens the forge of `repository` as the config says, once for a call; NoForge where
            there is none, or no token for it. Nothing is loaded or asked before that. Raises Denied
            (gitops.yaml names a foreign host), NotFound (no library installed for it), Unavailable.
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
    forge: Callable[[Config], GatedForge | NoForge] = lambda _: NoForge()
    say: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest commit of the branch that Argo CD follows, with the policy it holds.

    Attributes:
        beside: other branches that were read beside it, each once; None where there is none.
    """

    snapshot: Snapshot
    config: Config
    beside: dict[str, Snapshot | None] = field(default_factory=dict, compare=False, repr=False)


def open_tip(session: Session) -> Tip:
    """Read the tip and its `gitops.yaml`, never the caller's work tree.

    Raises ConfigError, NotFound (repository, branch), Denied, Unavailable.
    """
    snapshot = session.repository.snapshot(session.branch)
    config = read_config(session, snapshot)
    if session.branch is None and config.branch not in (None, snapshot.branch):
        snapshot = session.repository.snapshot(config.branch)
        config = read_config(session, snapshot)
    return Tip(snapshot, config)


def read_beside(session: Session, tip: Tip, branch: str) -> Snapshot | None:
    """Return the newest commit of another branch, None when there is none; asked once for `tip`."""
    if branch not in tip.beside:
        try:
            tip.beside[branch] = session.repository.snapshot(branch)
        except NotFound:
            tip.beside[branch] = None
    return tip.beside[branch]


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
