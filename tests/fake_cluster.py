"""A control plane in memory, and the clusters, the bell and the time that go with it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from applications import T0
from fakes import FakeClock
from gitops.core.argocd.application import (
    REFRESH,
    Application,
    ApplicationRef,
    Resource,
    read_application,
)
from gitops.core.argocd.diagnosis import Workloads
from gitops.core.argocd.rollout import Rollout, rollouts_in
from gitops.core.environments.environment import Config, Environment
from gitops.errors import GitopsError, NotFound
from gitops.ports import Reading


class Plane:
    """What a control plane holds.

    Attributes:
        applications: (namespace, name) -> object; change it with `put` and `change`.
        objects: (kind, namespace, name) -> other live objects.
        logs: (pod, container) -> what it printed before it ended.
        refreshed: names of Applications, in the order in which a refresh was asked for.
        on_refresh: what the controller does about a refresh; by default it takes it away.
        deaf_to_aborts: how many aborts the controller of Rollouts does not notice.
        version: goes up with every change.
        log: (version, object, whether it is there) of every change of an Application.
        listeners: called after every change.
    """

    def __init__(self) -> None:
        self.applications: dict[tuple[str, str], dict[str, Any]] = {}
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.logs: dict[tuple[str, str], str] = {}
        self.refreshed: list[str] = []
        self.on_refresh: Callable[[str], None] = lambda _: None
        self.deaf_to_aborts = 0
        self.version = 100
        self.log: list[tuple[int, dict[str, Any], bool]] = []
        self.listeners: list[Callable[[str], None]] = []
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0)

    def put(self, told: Mapping[str, Any]) -> None:
        """Add or replace one Application."""
        made = copy.deepcopy(dict(told))
        meta = made["metadata"]
        self.applications[meta["namespace"], meta["name"]] = made
        self._changed(made)

    def drop(self, name: str, namespace: str = "argocd") -> None:
        """Delete one."""
        made = self.applications.pop((namespace, name))
        self._changed(made)

    def get(self, name: str, namespace: str = "argocd") -> dict[str, Any]:
        """Return one object as it is now."""
        return self.applications[namespace, name]

    def annotations(self, name: str, namespace: str = "argocd") -> dict[str, str]:
        """Return what is written on one."""
        found = self.get(name, namespace)["metadata"].get("annotations") or {}
        return dict(found)

    def annotate(self, namespace: str, name: str, annotations: Mapping[str, str | None]) -> None:
        """Apply a merge patch of annotations. Raises KeyError."""
        made = self.applications[namespace, name]
        written = made["metadata"].setdefault("annotations", {})
        for key, value in annotations.items():
            if value is None:
                written.pop(key, None)
            else:
                written[key] = value
        if annotations.get(REFRESH):
            self.refreshed.append(name)
            written.pop(REFRESH, None)  # the controller is quick
            self.on_refresh(name)
        self._changed(made)

    def add(self, kind: str, told: Mapping[str, Any]) -> None:
        """Add another live object (`Deployment`, `Pod`, `Rollout`, `ReplicaSet`)."""
        meta = told["metadata"]
        self.objects[kind, meta["namespace"], meta["name"]] = {"kind": kind, **told}

    def of_kind(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        """Return the objects of one kind."""
        found = self.objects.items()
        return [one for (what, where, _), one in found if (what, where) == (kind, namespace)]

    def abort(self, namespace: str, name: str, *, on: bool = True) -> None:
        """Ask for a Rollout to be stopped (or not any more); the controller notices. KeyError."""
        status = self.objects["Rollout", namespace, name]["status"]
        status["abort"] = on
        if on and self.deaf_to_aborts:
            self.deaf_to_aborts -= 1
        elif on:
            status["abortedAt"] = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _changed(self, made: dict[str, Any]) -> None:
        self.version += 1
        meta = made["metadata"]
        meta["resourceVersion"] = str(self.version)
        is_there = (meta["namespace"], meta["name"]) in self.applications
        self.log.append((self.version, copy.deepcopy(made), is_there))
        for listener in list(self.listeners):
            listener(made["metadata"]["name"])


class FakeCluster:
    """`ports.Cluster` over a `Plane`.

    Attributes:
        trouble: raised by every call, until it is taken away.
        read_only: writes are refused with this error.
    """

    def __init__(self, plane: Plane, name: str = "fake") -> None:
        self.plane = plane
        self.name = name
        self.trouble: GitopsError | None = None
        self.read_only: GitopsError | None = None

    def applications(self) -> Reading:
        """See `ports.Cluster`."""
        self._check()
        found = self.plane.applications.values()
        return Reading(self.plane.now(), tuple(self._read(one) for one in found))

    def application(self, ref: ApplicationRef) -> Reading:
        """See `ports.Cluster`."""
        self._check()
        told = self.plane.applications.get((ref.namespace, ref.name))
        return Reading(self.plane.now(), (self._read(told),) if told is not None else ())

    def _read(self, told: Mapping[str, Any]) -> Application:
        return read_application(copy.deepcopy(told), self.name)

    def watch(self, refs: Sequence[ApplicationRef], wake: Callable[[], None]) -> None:
        """See `ports.Cluster`."""
        names = {ref.name for ref in refs}
        self.plane.listeners.append(lambda name: wake() if not names or name in names else None)

    def annotate(self, ref: ApplicationRef, annotations: Mapping[str, str | None]) -> None:
        """See `ports.Cluster`."""
        self._check()
        if self.read_only is not None:
            raise self.read_only
        try:
            self.plane.annotate(ref.namespace, ref.name, annotations)
        except KeyError:
            raise NotFound(f"{self.name}: no Application {ref.name}") from None

    def workloads(self, application: Application) -> Workloads:
        """See `ports.Cluster`."""
        objects = []
        for one in application.resources:
            key = (one.kind, one.namespace or application.namespace, one.name)
            if key in self.plane.objects:
                objects.append(self.plane.objects[key])
        where = application.namespace
        return Workloads(
            tuple(objects),
            tuple(self.plane.of_kind("ReplicaSet", where)),
            tuple(self.plane.of_kind("Pod", where)),
            self.plane.logs,
        )

    def rollouts(self, application: Application) -> tuple[Rollout, ...]:
        """See `ports.Cluster`."""
        return rollouts_in(self.workloads(application))

    def abort(self, application: Application, rollout: Resource) -> None:
        """See `ports.Cluster`."""
        self._check()
        if self.read_only is not None:
            raise self.read_only
        try:
            self.plane.abort(rollout.namespace or application.namespace, rollout.name)
        except KeyError:
            raise NotFound(f"{self.name}: no Rollout {rollout.name}") from None

    def _check(self) -> None:
        if self.trouble is not None:
            raise self.trouble


class FakeBell:
    """`ports.Bell` that lets a FakeClock pass instead of sleeping, and plays what happens then.

    Attributes:
        script: (second, what happens), in any order; each happens once, when its time has come.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.script: list[tuple[float, Callable[[], None]]] = []
        self.rang = False
        self.naps = 0

    def ring(self) -> None:
        """See `ports.Bell`."""
        self.rang = True

    def wait(self, seconds: float) -> bool:
        """See `ports.Bell`; a script that has an end must be enough for the test."""
        self.naps += 1
        if self.naps > 5000:
            raise AssertionError("this wait never ends")
        until = self.clock.passed + seconds
        while not self.rang:
            due = [one for one in self.script if one[0] <= until]
            if not due:
                break
            first = min(due, key=lambda one: one[0])
            self.script.remove(first)
            self.clock.passed = max(self.clock.passed, first[0])
            first[1]()
        rang, self.rang = self.rang, False
        if not rang:
            self.clock.passed = max(self.clock.passed, until)
        return rang


class FakeClusters:
    """`ports.Clusters` of FakeClusters.

    Attributes:
        clusters: environment -> its clusters; `*` for those that are not named.
        refusal: raised by `of`, when it is set.
    """

    def __init__(self, clock: FakeClock, repository: str, *clusters: FakeCluster) -> None:
        self.bell = FakeBell(clock)
        self.repositories: tuple[str, ...] = (repository,)
        self.clusters: dict[str, tuple[FakeCluster, ...]] = {"*": clusters}
        self.refusal: GitopsError | None = None

    def is_named(self, config: Config) -> bool:
        """See `ports.Clusters`."""
        return bool(config.clusters)

    def of(
        self, config: Config, environment: Environment, *, within: float
    ) -> tuple[FakeCluster, ...]:
        """See `ports.Clusters`."""
        if self.refusal is not None:
            raise self.refusal
        return self.clusters.get(environment.name, self.clusters["*"])

    def at_hand(
        self, config: Config, environment: Environment, *, within: float
    ) -> tuple[FakeCluster, ...]:
        """See `ports.Clusters`."""
        if environment.change == "work-tree":
            return ()
        return self.of(config, environment, within=within)


def cluster_time(clock: FakeClock) -> Callable[[], datetime]:
    """Return the time of a cluster whose second 0 is T0."""
    return lambda: T0 + timedelta(seconds=int(clock.passed))
