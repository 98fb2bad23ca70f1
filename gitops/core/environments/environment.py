"""Environments, overlays and source-branch patterns: the values that `gitops.yaml` becomes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from gitops.core.environments.branch_patterns import BranchMatch as BranchMatch
from gitops.core.environments.branch_patterns import match_branch as match_branch
from gitops.core.environments.image_rules import Provenance as Provenance
from gitops.core.environments.image_rules import RegistryRules as RegistryRules

if TYPE_CHECKING:
    from gitops.core.environments.follower import Also
    from gitops.core.environments.freeze import Freeze
    from gitops.core.environments.rows import (
        AccessRow,
        AlertRow,
        BranchRule,
        CleanupRow,
        DatabaseRow,
        JobRow,
        NotifyRow,
    )
    from gitops.core.environments.tag_rules import TagRule

CONFIG_PATH = "gitops.yaml"

_PLAIN = {ord(one): None for one in "._-"}  # beside letters and digits, for a shell

Deploy = Literal["auto", "manual"]
ChangeMode = Literal["commit", "pull-request", "work-tree"]
RollbackMode = Literal["commit", "pull-request"]
Registry = Literal["shared", "own"]
Follow = Literal["newest", "any"]
Confirm = Literal["ask", "off", "name"]
OnAlert = Literal["off", "tell", "propose", "rollback"]
Database = Literal["dummy", "real"]
DataProtection = Literal["masked", "read-only"]
Required = Literal["qa-passed", "stable"]
Pin = Literal["tag", "digest", "both"]
ForgeKind = Literal["github", "gitlab", "gitea", "forgejo", "bitbucket", "azure-devops", "none"]


class ForgeSetting(Struct, frozen=True):
    """`forge:` of `gitops.yaml`: what kind it is, and where its pages are (None: at the remote)."""

    kind: ForgeKind
    url: str | None = None


MergeMethod = Literal["merge", "squash", "rebase"]


class Approvals(Struct, frozen=True):
    """Who must agree to a proposal of an environment where there is no forge to ask.

    Attributes:
        required: how many different people.
        self: may one of them be an author of the proposal?
    """

    required: int = 1
    self: bool = False


class PullRules(Struct, frozen=True):
    """How proposals look on the forge: `pullRequest:` of `gitops.yaml`.

    Attributes:
        reviewers: login names, `team:NAME` for a team.
        method: how an approved one is merged.
        draft: a new one is a draft, until a person says that it is ready.
    """

    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    method: MergeMethod = "merge"
    draft: bool = False


class MessageForm(Struct, frozen=True):
    """The form of commit messages: `message:` of `gitops.yaml`.

    Attributes:
        subject: the first line, `{summary}` stands for what was done.
        trailers: what every commit gets as well; `{author}` stands for who writes it.
    """

    subject: str = "{summary}"
    trailers: tuple[str, ...] = ()


class Patience(Struct, frozen=True):
    """How long `wait` waits.

    Attributes:
        soak: how long a release must stay Healthy to be stable; None: 5 minutes where the database
            is real or the environment is called stage or prod, else nothing.
        timeout: how long it may take to get there; the soak does not count.
    """

    soak: timedelta | None = None
    timeout: timedelta = timedelta(minutes=15)


class ClusterRow(Struct, frozen=True):
    """A row of `clusters:`: where the Applications of some environments are.

    Attributes:
        environments: their names; () means all.
        context: of the caller's kubeconfig; None: the current one.
        namespace: of Argo CD's Applications; `*` for those of every namespace.
    """

    environments: tuple[str, ...] = ()
    context: str | None = None
    namespace: str = "argocd"


class Environment(Struct, frozen=True):
    """A row of `gitops.yaml`.

    Attributes:
        overlay: directory of the overlay, relative to the root, "" for the root itself; may hold
            `{app}` once.
        others: more such patterns, all of them with `{app}`.
        ignore: folders that `{app}` does not mean; `*` and `**` as in `accepts`.
        builds: where Argo CD builds what is pinned here; (): wherever the overlay is used.
        accepts: source-branch patterns (see `match_branch`).
        after: names of the environments that must have had the same images before.
        requires: verdicts that the images must have in every one of `after`.
        soak: automatic promotion takes only what has been stable in `after` for so long.
        follow: which of several live release branches it takes: the newest version, or any.
        follow_below: release branches of this version or a newer one are not followed.
        branch: the branch that it lives on (its overlays and holds); None: the top-level one.
        protection: what keeps real data safe where it is no production; None: nobody said.
        wait: how long `wait` waits for it.
        confirm: how the server's page asks before an act.
        on_alert: what is done by itself about a release that is Degraded, or that an alert names.
        formerly: earlier names of it: holds, verdicts and trailers under them count on.
        pin: what a write keeps of an image; a digest is looked up in its registry.
        platforms: what an image must be there for, as registries say it; () nobody said.
        provenance: what images must prove; None: what the top level says.
        registry: own: its images come from a registry of its own, and `newName` is never carried.
        line: 1-based line of the row in `gitops.yaml`, for messages.
    """

    name: str
    overlay: str
    accepts: tuple[str, ...] = ()
    deploy: Deploy = "manual"
    change: ChangeMode = "commit"
    rollback: RollbackMode = "commit"
    after: tuple[str, ...] = ()
    database: Database | None = None
    protection: DataProtection | None = None
    approvals: Approvals = Approvals()
    follow: Follow = "newest"
    requires: tuple[Required, ...] = ()
    soak: timedelta | None = None
    branch: str | None = None
    wait: Patience = Patience()
    on_alert: OnAlert = "off"
    confirm: Confirm = "ask"
    follow_below: str | None = None
    formerly: tuple[str, ...] = ()
    pin: Pin = "tag"
    platforms: tuple[str, ...] = ()
    registry: Registry = "shared"
    others: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    provenance: Provenance | None = None
    line: int = 1

    @property
    def soak_time(self) -> timedelta:
        """How long a release must stay Healthy there to be stable."""
        if self.wait.soak is not None:
            return self.wait.soak
        careful = self.database == "real" or self.name in ("stage", "prod")
        return timedelta(minutes=5) if careful else timedelta(0)

    @property
    def names(self) -> tuple[str, ...]:
        """Its name, and its earlier ones."""
        return (self.name, *self.formerly)

    @property
    def per_app(self) -> bool:
        """True when every app has an overlay of its own (`{app}` in the path)."""
        return "{app}" in self.overlay

    @property
    def patterns(self) -> tuple[str, ...]:
        """Where its overlays are: one directory, or patterns with `{app}`."""
        return (self.overlay, *self.others)

    @property
    def shown(self) -> str:
        """The same, for messages."""
        return ", ".join(pattern or "." for pattern in self.patterns)

    def directory(self, app: str | None) -> str:
        """Return the overlay's directory for `app` (None where the layout has no apps), by the
        first of its patterns."""
        return self.overlay.replace("{app}", app) if app is not None else self.overlay

    def ignores(self, directory: str) -> bool:
        """Say whether a folder, or one above it, is left out."""
        if not self.ignore:
            return False
        parts = directory.split("/")
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        return any(match_branch(self.ignore, one) is not None for one in above)


def keep_names(one: Environment, other: Environment) -> bool:
    """Say whether `newName` stays as it is in each of two environments: a registry is one's own.

    What is released in one of them is in the other when tag and digest are the same.
    """
    return one is not other and "own" in (one.registry, other.registry)


def asks_for_approval(environment: Environment) -> bool:
    """Say whether anything goes to the environment as a proposal."""
    return "pull-request" in (environment.change, environment.rollback)


def label_of(environment: str, app: str | None) -> str:
    """Return what messages call an overlay: `prod`, or `shop/prod` for app shop."""
    return environment if app is None else f"{app}/{environment}"


def split_label(label: str) -> tuple[str, str | None]:
    """Return environment and app of a label."""
    app, _, environment = label.rpartition("/")
    return environment, app or None


class Overlay(Struct, frozen=True):
    """The Kustomize directory of one environment (of one app).

    Attributes:
        folder: where it is, where the environment has several patterns; None: by its only one.
    """

    environment: Environment
    app: str | None = None
    folder: str | None = None

    @property
    def directory(self) -> str:
        """Path from the repository's root, without a slash at either end; "" for the root."""
        return self.folder if self.folder is not None else self.environment.directory(self.app)

    def path_of(self, name: str) -> str:
        """Return the path of the file called `name` in it."""
        return f"{self.directory}/{name}" if self.directory else name

    @property
    def label(self) -> str:
        """What messages call it: `prod`, or `shop/prod` for app shop."""
        return label_of(self.environment.name, self.app)

    @property
    def typed(self) -> str:
        """What a person types behind a command to name it: `prod`, or `prod --app shop`."""
        if self.app is None:
            return self.environment.name
        app = self.app
        if not app.translate(_PLAIN).isalnum():
            from shlex import quote  # nearly no app is called like that

            app = quote(app)
        return f"{self.environment.name} --app {app}"

    @property
    def labels(self) -> tuple[str, ...]:
        """The same, and what it was called under earlier names of its environment."""
        return tuple(label_of(name, self.app) for name in self.environment.names)


class Group(Struct, frozen=True):
    """A name for several environments: a row of `groups:`.

    Attributes:
        environments: their names, in promotion order.
    """

    name: str
    environments: tuple[str, ...]


class Config(Struct, frozen=True):
    """`gitops.yaml` as values, in promotion order.

    Attributes:
        branch: the branch that Argo CD follows, where an environment names none of its own; None
            means the remote's HEAD.
        sources: image name -> URL of the repository that it is built from.
        also: image -> other values that follow it.
        tag_rules: image -> which of its tags are builds of which branch.
        freezes: times at which nothing but a rollback goes to an environment.
        signers: path, on that branch, of an OpenSSH allowed-signers file; None: every line of the
            ledger counts.
        forge: where pull requests are; None: to be found from the remote.
        repository: what writers call this repository among themselves; None: by its address.
        pulls: how proposals look on the forge.
        message: the form of commit messages.
        branch_rules: what pull requests into branches must have.
        clusters: where the environments run, as far as it is said.
        registries: how images are looked at before a write; None: only where `pin` asks for it.
        cleanup: which images may be deleted from their registries.
        groups: names for several environments.
        databases: how databases of each class are known; () where nobody looks.
        access: who may do what through the server.
        jobs: which jobs of CI systems it knows.
        alerts: which alerts may take a release back.
        notify: which channels hear of what.
    """

    branch: str | None
    environments: tuple[Environment, ...] = ()
    sources: Mapping[str, str] = {}
    also: Also = {}
    tag_rules: Mapping[str, TagRule] = {}
    freezes: tuple[Freeze, ...] = ()
    signers: str | None = None
    forge: ForgeSetting | None = None
    repository: str | None = None
    pulls: PullRules = PullRules()
    message: MessageForm = MessageForm()
    branch_rules: tuple[BranchRule, ...] = ()
    clusters: tuple[ClusterRow, ...] = ()
    registries: RegistryRules | None = None
    cleanup: tuple[CleanupRow, ...] = ()
    provenance: Provenance = Provenance()
    groups: tuple[Group, ...] = ()
    databases: tuple[DatabaseRow, ...] = ()
    access: tuple[AccessRow, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    alerts: tuple[AlertRow, ...] = ()
    notify: tuple[NotifyRow, ...] = ()

    def provenance_of(self, environment: Environment) -> Provenance:
        """Return what images must prove for `environment`: its own word goes first."""
        return environment.provenance or self.provenance

    def clusters_of(self, environment: Environment) -> tuple[ClusterRow, ...]:
        """Return the rows about `environment`; without any rows at all, the current context."""
        if not self.clusters:
            return (ClusterRow(),)
        return tuple(
            row
            for row in self.clusters
            if not row.environments or environment.name in row.environments
        )

    def find(self, name: str) -> Environment | None:
        """Return the environment called `name`, or None."""
        return next((row for row in self.environments if row.name == name), None)

    def find_group(self, name: str) -> Group | None:
        """Return the group called `name`, or None."""
        return next((group for group in self.groups if group.name == name), None)
