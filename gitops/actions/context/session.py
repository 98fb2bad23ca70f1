"""One call of gitops on one repository: the ports it got and the options that hold for the call."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field

from gitops.core.environments.environment import Config, Environment, Overlay
from gitops.core.text.plain import one_line
from gitops.errors import NotFound, TooLarge, UsageError

if TYPE_CHECKING:
    from gitops.actions.context.plan import Plan
    from gitops.core.git.commit import Identity
    from gitops.core.text.counting import Count
    from gitops.ports import (
        Archive,
        Clock,
        Clusters,
        Evidence,
        GatedForge,
        Index,
        Intents,
        NoForge,
        Registry,
        Renderer,
        Repository,
        Signatures,
        Snapshot,
        Sources,
        WorkTree,
    )
    from gitops.ports.jobs import JobClusters

_TOO_LARGE = "too large: "  # begins the note of a branch that is not read: no name has a space


def _no_clusters() -> Clusters:
    from gitops.ports import NoClusters  # what a cluster can say takes time to define

    return NoClusters()


def _no_jobs() -> JobClusters:
    from gitops.ports.jobs import NoJobs  # only one command runs a Job

    return NoJobs()


def _no_forge() -> NoForge:
    from gitops.ports import NoForge  # what a forge can say takes time to define

    return NoForge()


def _no_registry() -> Registry:
    from gitops.ports import NoRegistry  # only few calls look at images

    return NoRegistry()


def _no_signatures() -> Signatures:
    from gitops.ports import NoSignatures  # only few calls check signatures

    return NoSignatures()


class Combining(Struct, frozen=True):
    """What a writer needs to let others carry its change, and to carry theirs.

    Attributes:
        key: the secret that the jobs share.
        address: URL or absolute path that other writers know the repository by.
    """

    intents: Intents
    key: bytes
    address: str

    def __repr__(self) -> str:
        return f"Combining(address={self.address!r})"


class Kept(Protocol):
    """What a process that lives long remembers from call to call; see `context.kept`."""

    def find(
        self, session: Session, tip: Tip, rows: Sequence[Any], images: Sequence[Any]
    ) -> Any | None:
        """Return what `context.targets.find_targets` does; None: it has to look."""
        ...


class Session(Struct, frozen=True):
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
        archive: opens what reads any commit of `repository`, landed or not.
        forge: opens the forge of `repository` as the config says, once for a call; NoForge where
            there is none, or no token for it. Nothing is loaded or asked before that. Raises Denied
            (gitops.yaml names a foreign host), NotFound (no library installed for it), Unavailable.
        combining: None where no key is given.
        clusters: the control planes of Argo CD.
        jobs: leads to the clusters that run environments.
        renderer: finds what builds overlays; None where there is none.
        registry: the registries of images; its calls may come from several threads.
        signatures: checks signatures of images.
        proofs: what registries have said of images in this call (actions/policy/provenance.py).
        aside: calls what waits for somebody outside; where many calls share a repository, the
            others may go on meanwhile.
        admit: told the policy of each tip that the call opens; what it raises ends the call. None:
            everybody may.
        before_write: asked in each attempt before anything is written, with the plan; what it
            raises ends the call. None: nobody asks.
        kept: what earlier calls of this process have read; None: it makes one call only.
        index: where pages of the index are kept; None: nowhere.
        say: tells a waiting person what is going on.
        retry: tells them of one more try: what the trouble is, and how it stands with the tries.
        count: tells them how far some work is, as `counted` does.
        detail: tells who asked for it (`--verbose`) what else goes on.
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
    archive: Callable[[], Archive] | None = None
    forge: Callable[[Config], GatedForge | NoForge] = lambda _: _no_forge()
    combining: Combining | None = None
    clusters: Clusters = field(default_factory=_no_clusters)
    jobs: JobClusters = field(default_factory=_no_jobs)
    renderer: Callable[[], Renderer | None] = lambda: None
    registry: Registry = field(default_factory=_no_registry)
    signatures: Signatures = field(default_factory=_no_signatures)
    proofs: dict[object, object] = field(default_factory=dict)
    aside: Callable[[Callable[[], Any]], Any] = lambda call: call()
    admit: Callable[[Config], None] | None = None
    before_write: Callable[[Session, Tip, Plan], None] | None = None
    kept: Kept | None = None
    index: Index | None = None
    say: Callable[[str], None] = lambda _: None
    retry: Callable[[str, str], None] = lambda _trouble, _tries: None
    count: Count = lambda _doing, _done, _total: None
    detail: Callable[[str], None] = lambda _: None


class Tip(Struct, frozen=True, eq=False):
    """What one attempt of a call reads: the newest commit of each branch, every one once.

    Attributes:
        snapshot: of the top-level branch. Policy is read from it alone: `gitops.yaml`, the signers
            and the hold of everything.
        config: what `gitops.yaml` says there.
        repository: where other branches are read from, when they are asked for.
        others: the branches that were read beside it; None where there is none.
        views: what was read of overlays; see `context.view.view_of`.
        problem: why `config` is not the newest one, None when it is.
        memo: what was found out once for all overlays: of branches of our own, see
            `proposals.branches`, `proposals.find`; of holds of apps that are gone, `policy.judge`.
    """

    snapshot: Snapshot
    config: Config
    repository: Repository
    others: dict[str, Snapshot | None] = {}
    views: dict[Overlay, object] = {}
    problem: str | None = None
    memo: dict[str, object] = {}

    def branch_of(self, environment: Environment) -> str:
        """Return the branch that `environment` lives on: its own, else the top-level one."""
        return environment.branch or self.snapshot.branch

    def of(self, environment: Environment) -> Snapshot:
        """Return the tip that holds the overlays and holds of `environment`.

        Raises NotFound when its branch does not exist.
        """
        branch = self.branch_of(environment)
        try:
            return self.at(branch)
        except NotFound as error:
            trunk = self.snapshot.branch
            raise NotFound(
                f"{environment.name} lives on a branch of its own: {error.message}",
                hint=f"make it from {trunk}: git push origin origin/{trunk}:refs/heads/{branch} "
                f"(without a remote: git branch {branch} {trunk})",
            ) from None

    def at(self, branch: str) -> Snapshot:
        """Return the tip of a branch that environments live on. Raises NotFound."""
        found = self.snapshot if branch == self.snapshot.branch else self.beside(branch)
        if found is None:
            raise NotFound(f"no branch {branch} in {self.repository.describe()}")
        return found

    def read(self) -> dict[str, Snapshot]:
        """Return the branches that were read so far for policy and overlays, and their tips."""
        own = [self.branch_of(row) for row in self.config.environments]
        found = {branch: self.others[branch] for branch in own if branch in self.others}
        return {
            self.snapshot.branch: self.snapshot,
            **{branch: tip for branch, tip in found.items() if tip is not None},
        }

    def forget(self, branch: str) -> None:
        """Read another branch anew when it is asked for next: this call has moved it."""
        self.others.pop(branch, None)
        self.memo.pop(_TOO_LARGE + branch, None)

    def beside(self, branch: str) -> Snapshot | None:
        """Return the newest commit of another branch, None when there is none; asked once.

        Raises TooLarge for a branch of our own that is not read.
        """
        if branch not in self.others:
            known = self.memo.get(_TOO_LARGE + branch)
            if isinstance(known, TooLarge):
                raise known
            try:
                self.others[branch] = self.repository.snapshot(branch)
            except NotFound:
                self.others[branch] = None
            except TooLarge as error:
                self.memo[_TOO_LARGE + branch] = error
                raise
        return self.others[branch]

    def has(self, branch: str) -> bool:
        """Say whether there is another branch, be it too large to be read."""
        try:
            return self.beside(branch) is not None
        except TooLarge:
            return True


def require_words(text: str | None, option: str) -> None:
    """Refuse an empty reason: whoever reads it later deserves one. Raises UsageError."""
    if text is not None and not one_line(text):
        raise UsageError(f"{option} needs some words", hint='for example "INC-42: checkout fails"')


def require_commit(text: str, option: str | None = None) -> str:
    """Return a commit as it was typed, in lower case. Raises UsageError for what is none.

    `option` is the one that it was given with; None: it was an argument.
    """
    wanted = text.lower()
    if re.fullmatch(r"[0-9a-f]{7,64}", wanted) is None:
        given = f"{option} {text!r}" if option is not None else repr(text)
        raise UsageError(f"{given} is no commit: 40 hex digits, at least 7")
    return wanted
