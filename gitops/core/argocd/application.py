"""An Argo CD Application as values, read from the object that its API gives.

Field names and their traps: argo-cd, pkg/apis/application/v1alpha1/types.go. Nothing here raises:
an object may be brand-new (no `status` at all), half written, or of a later version, and what
cannot be read is as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from sys import intern
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.unstructured import items, number, table, tables, text, time

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

REFRESH = "argocd.argoproj.io/refresh"
SKIP = "argocd.argoproj.io/skip-reconcile"
NOTICE = "notice.argocd.argoproj.io/content"
NOTICE_SEVERITY = "notice.argocd.argoproj.io/severity"

_MOST_KEPT = 50  # resources

IN_CLUSTER = "https://kubernetes.default.svc"


class ApplicationRef(Struct, frozen=True):
    """Where an Application is kept.

    Attributes:
        cluster: what messages call its control plane (`dev-cluster`).
    """

    cluster: str
    namespace: str
    name: str


class ApplicationSource(Struct, frozen=True):
    """One source of an Application, in the order of `spec.sources`.

    Attributes:
        index: its place there, and in every list of revisions; 0 for `spec.source`.
        repository: `repoURL`, as it is written.
        target: `targetRevision`, "" where it is left out.
        path: without `./` and slashes at the ends; None for a source that only lends files, or a
            Helm chart.
        hydrated: the commits of `status.sync` are those of a branch that a hydrator writes.
    """

    index: int
    repository: str
    target: str
    path: str | None
    hydrated: bool = False


class Operation(Struct, frozen=True):
    """The last or the running sync.

    Attributes:
        phase: Running, Terminating, Failed, Error, Succeeded. Running with `finished` set is the
            pause between two tries.
        revisions: what it synced, by index of the source; () for one that just began.
    """

    phase: str
    message: str
    started: datetime | None
    finished: datetime | None
    retries: int
    revisions: tuple[str, ...]

    @property
    def is_running(self) -> bool:
        """True while it works, or waits for its next try."""
        return self.phase in ("Running", "Terminating")


class Deployed(Struct, frozen=True):
    """An entry of `status.history`: a sync that went well (self-heal is not recorded there)."""

    revisions: tuple[str, ...]
    started: datetime | None
    finished: datetime | None


class Condition(Struct, frozen=True):
    """Something that Argo CD says of the Application, an error for the types in `ERRORS`."""

    type: str
    message: str


ERRORS = frozenset(
    {"ComparisonError", "InvalidSpecError", "SyncError", "UnknownError", "DeletionError"}
)


class Resource(Struct, frozen=True):
    """An object that the Application manages.

    Attributes:
        health: None where Argo CD keeps it elsewhere (`resourceHealthSource: appTree`).
        is_extra: it is there, and nothing in Git asks for it (any more): a sync with pruning
            deletes it, another one leaves it.
    """

    group: str
    version: str
    kind: str
    namespace: str
    name: str
    sync: str = ""
    health: str | None = None
    message: str = ""
    is_extra: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Hydration(Struct, frozen=True):
    """What a hydrator did last: from the commit of a person to the commit that is synced."""

    dry: str
    hydrated: str


class Application(Struct, frozen=True):
    """One Application, as read at one moment.

    Attributes:
        automated: `spec.syncPolicy.automated` is there, and is not switched off.
        requested: a sync is asked for or running (the top-level `operation`).
        revisions: `status.sync`, by index of the source; texts, not always commits.
        health_since: when its health last changed, whole seconds.
        reconciled: when it was last compared with Git.
        images: of live pods, as the pods name them.
        server: where it deploys to: URL, or the name of a cluster.
    """

    ref: ApplicationRef
    sources: tuple[ApplicationSource, ...] = ()
    automated: bool = False
    annotations: Mapping[str, str] = {}
    deleting: bool = False
    requested: bool = False
    sync: str = ""
    revisions: tuple[str, ...] = ()
    health: str = ""
    health_message: str = ""
    health_since: datetime | None = None
    reconciled: datetime | None = None
    operation: Operation | None = None
    history: tuple[Deployed, ...] = ()
    conditions: tuple[Condition, ...] = ()
    images: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    hydration: Hydration | None = None
    hydration_error: str = ""
    server: str = ""
    namespace: str = ""
    project: str = "default"

    @property
    def is_frozen(self) -> bool:
        """True when its controller was told to leave it alone: its status says nothing then."""
        return self.annotations.get(SKIP) == "true"

    @property
    def errors(self) -> tuple[Condition, ...]:
        """The conditions that are errors."""
        return tuple(one for one in self.conditions if one.type in ERRORS)

    def revision(self, index: int) -> str | None:
        """Return the commit that source `index` was compared at, None when it is not known.

        While a comparison fails, Argo CD puts the text of `targetRevision` there: that is none.
        For a hydrated source it is the commit that a person wrote.
        """
        return self.commit_of(self.revisions, index)

    def commit_of(self, revisions: Sequence[str], index: int) -> str | None:
        """Return the commit of source `index` among `revisions`, None when there is none."""
        text = _at(revisions, index)
        return self._dry(text, index) if COMMIT.fullmatch(text) is not None else None

    def _dry(self, commit: str, index: int) -> str | None:
        if not any(source.hydrated and source.index == index for source in self.sources):
            return commit
        if self.hydration is not None and self.hydration.hydrated == commit:
            return self.hydration.dry
        return None


def read_application(told: Mapping[str, Any], cluster: str) -> Application:
    """Read the object of one Application; `cluster` is what messages call its control plane."""
    meta, spec, status = (table(told, key) for key in ("metadata", "spec", "status"))
    sync = table(status, "sync")
    health = table(status, "health")
    automated = table(spec, "syncPolicy").get("automated")
    switched_on = isinstance(automated, Mapping) and automated.get("enabled") is not False
    destination = table(spec, "destination")
    operation = table(status, "operationState")
    hydrator = table(status, "sourceHydrator")
    return Application(
        ref=ApplicationRef(cluster, text(meta, "namespace"), text(meta, "name")),
        sources=_sources(spec),
        automated=switched_on,
        annotations={
            str(key): value
            for key, value in table(meta, "annotations").items()
            if isinstance(value, str)
        },
        deleting=bool(meta.get("deletionTimestamp")),
        requested=bool(table(told, "operation")),
        sync=text(sync, "status"),
        revisions=_revisions(sync),
        health=text(health, "status"),
        health_message=text(health, "message"),
        health_since=time(health, "lastTransitionTime"),
        reconciled=time(status, "reconciledAt"),
        operation=_operation(operation) if operation else None,
        history=tuple(
            Deployed(_revisions(one), time(one, "deployStartedAt"), time(one, "deployedAt"))
            for one in tables(status, "history")
        ),
        conditions=tuple(
            Condition(text(one, "type"), text(one, "message"))
            for one in tables(status, "conditions")
        ),
        images=tuple(
            one for one in items(table(status, "summary"), "images") if isinstance(one, str)
        ),
        resources=tuple(read_resource(one) for one in tables(status, "resources")),
        hydration=_hydration(table(hydrator, "lastSuccessfulOperation")),
        hydration_error=_hydration_error(table(hydrator, "currentOperation")),
        server=text(destination, "server") or text(destination, "name"),
        namespace=text(destination, "namespace"),
        project=text(spec, "project") or "default",
    )


def read_resource(told: Mapping[str, Any]) -> Resource:
    """Read a resource, as an Application lists it or as a node of its tree: that has no `sync`."""
    health = table(told, "health")
    return Resource(
        group=text(told, "group"),
        version=text(told, "version"),
        kind=text(told, "kind"),
        namespace=text(told, "namespace"),
        name=text(told, "name"),
        sync=text(told, "status"),
        health=text(health, "status") or None,
        message=text(health, "message"),
        is_extra=told.get("requiresPruning") is True,
    )


def briefly(application: Application) -> Application:
    """Return what a board is told by: about 1 kB, of an object of 10 kB and more.

    Of its resources there are left: Rollouts, what differs from Git, and one that does not, so that
    `leftovers` and a look at its Rollouts say the same; and its history where it is Degraded: since
    before the release? Words that all Applications share are kept once.
    """
    kept = [one for one in application.resources if one.kind == "Rollout" or one.sync != "Synced"]
    kept.sort(key=lambda one: one.is_extra)
    synced = next((one for one in application.resources if one.sync == "Synced"), None)
    found = [*kept[:_MOST_KEPT], *((synced,) if synced is not None else ())]
    return replace(
        application,
        sources=tuple(
            replace(one, repository=intern(one.repository), target=intern(one.target))
            for one in application.sources
        ),
        annotations={
            key: application.annotations[key]
            for key in (SKIP, NOTICE, NOTICE_SEVERITY)
            if key in application.annotations
        },
        sync=intern(application.sync),
        health=intern(application.health),
        revisions=tuple(map(intern, application.revisions)),
        history=tuple(
            replace(one, revisions=tuple(map(intern, one.revisions)))
            for one in application.history
            if application.health == "Degraded"
        ),
        resources=tuple(dict.fromkeys(found)),
        server=intern(application.server),
        project=intern(application.project),
    )


def clean_path(path: str) -> str:
    """Return a path from the root of a repository without `./`, `//` and slashes at the ends."""
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _sources(spec: Mapping[str, Any]) -> tuple[ApplicationSource, ...]:
    hydrator = table(spec, "sourceHydrator")
    if hydrator:
        return (_source(0, table(hydrator, "drySource"), hydrated=True),)
    several = tables(spec, "sources")
    if several:  # then Argo CD passes over `source`
        return tuple(_source(index, one) for index, one in enumerate(several))
    return (_source(0, table(spec, "source")),) if table(spec, "source") else ()


def _source(index: int, told: Mapping[str, Any], *, hydrated: bool = False) -> ApplicationSource:
    path = told.get("path")
    lends = not isinstance(path, str) or bool(told.get("chart")) or (not path and told.get("ref"))
    return ApplicationSource(
        index=index,
        repository=text(told, "repoURL"),
        target=text(told, "targetRevision"),
        path=None if lends else clean_path(str(path)),
        hydrated=hydrated,
    )


def _revisions(told: Mapping[str, Any]) -> tuple[str, ...]:
    several = items(told, "revisions")
    if several:
        return tuple(one if isinstance(one, str) else "" for one in several)
    one = text(told, "revision")
    return (one,) if one else ()


def _operation(told: Mapping[str, Any]) -> Operation:
    return Operation(
        phase=text(told, "phase"),
        message=text(told, "message"),
        started=time(told, "startedAt"),
        finished=time(told, "finishedAt"),
        retries=number(told, "retryCount") or 0,
        revisions=_revisions(table(told, "syncResult")),
    )


def _hydration(told: Mapping[str, Any]) -> Hydration | None:
    dry, hydrated = text(told, "drySHA"), text(told, "hydratedSHA")
    return Hydration(dry, hydrated) if dry and hydrated else None


def _hydration_error(told: Mapping[str, Any]) -> str:
    return text(told, "message") if told.get("phase") == "Failed" else ""


def _at(texts: Sequence[str], index: int) -> str:
    return texts[index] if 0 <= index < len(texts) else ""
