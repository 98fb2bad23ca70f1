"""A control plane whose Applications are kept in memory, as its streams tell of them.

For whoever looks again and again at all of them, and decides nothing by it: the server's pages.
What decides (a wait, a verdict, a rollback) reads the object itself, by `application`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from gitops.adapters.argocd.collection import Collection, ObjectKey
from gitops.adapters.argocd.connection import ListAgain
from gitops.adapters.argocd.watches import Watcher, was_good
from gitops.core.argocd.application import Application, ApplicationRef, Resource
from gitops.core.argocd.diagnosis import Workloads
from gitops.core.argocd.rollout import Rollout
from gitops.errors import GitopsError, Unavailable
from gitops.ports.cluster import Cluster, Reading

V = TypeVar("V")


class Followed(Generic[V]):
    """What a collection holds: listed once, then moved on by each change that is told.

    A stream that ends goes on from the last version that was heard of; where the server has
    forgotten that one (410), all is listed again. While nobody answers, what was seen stays. How a
    good stream ends is no news, since proxies cut them: the next one tells whether all is well.
    """

    def __init__(self, collection: Collection[V], wake: Callable[[], None]) -> None:
        self._collection = collection
        self._lock = threading.Lock()
        self._values: dict[ObjectKey, V] = {}
        self._told: tuple[V, ...] | None = None  # the values, where none has changed since
        self._version: str | None = None
        self._ahead = timedelta(0)  # of the cluster's clock, before ours
        self._heard: datetime | None = None
        self._trouble: GitopsError | None = None
        self._watcher = Watcher(self._follow, wake)

    def start(self) -> None:
        """Begin."""
        self._watcher.start()

    def stop(self) -> None:
        """Stop soon."""
        self._watcher.stop()

    def read(self) -> tuple[datetime, tuple[V, ...], str | None]:
        """Return the time of the cluster, all values, and since when and why nobody answers.

        The values are the very same tuple as long as nothing changed.

        Raises what the first list did, and Unavailable before it has come.
        """
        with self._lock:
            if self._heard is None:
                raise self._trouble or Unavailable("it is read for the first time")
            now = (datetime.now(UTC) + self._ahead).replace(microsecond=0)
            if self._told is None:
                self._told = tuple(self._values.values())
            values, since, trouble = self._told, self._heard, self._trouble
        silent = f"silent since {since:%H:%M:%S} UTC: {trouble.message}" if trouble else None
        return now, values, silent

    def get(self, key: ObjectKey) -> V | None:
        """Return one value; None where there is none, or it is not known."""
        with self._lock:
            return self._values.get(key)

    def _follow(self) -> Iterator[None]:
        """Follow one stream to its end, and yield whenever there is something new to see."""
        began: float | None = None  # when it was open
        try:
            if self._version is None:
                self._list()
                yield
            for change in self._collection.changes(self._version or ""):
                began = began or time.monotonic()
                with self._lock:
                    is_news = self._trouble is not None
                    self._trouble, self._heard = None, datetime.now(UTC)
                    self._version = change.version or self._version
                    if change.key is not None:
                        is_news |= self._take(change.key, change.value)
                if is_news:
                    yield
        except ListAgain:
            self._version = None
        except GitopsError as error:
            if began is None or not was_good(began):
                with self._lock:
                    self._trouble = error
            raise

    def _take(self, key: ObjectKey, value: V | None) -> bool:
        """Take in a value, None where it is gone; say whether it is another one."""
        if self._values.get(key) == value:
            return False  # a stream may replay what is known
        self._told = None
        if value is None:
            del self._values[key]
        else:
            self._values[key] = value
        return True

    def _list(self) -> None:
        found: dict[ObjectKey, V] = {}
        version = ""
        for page in self._collection.listed():
            version = page.version
            for key, value in page.items:
                before = self._values.get(key)
                found[key] = value if before is None or before != value else before
        now = datetime.now(UTC)
        with self._lock:
            self._values, self._told, self._version = found, None, version
            self._trouble, self._heard, self._ahead = None, now, page.time - now


class Followable(Cluster, Protocol):
    """A control plane whose objects can be followed."""

    def all_applications(self) -> Collection[Application]:
        """All of its Applications."""
        ...

    def all_rollouts(self) -> Collection[Rollout] | None:
        """The Rollouts of its own API server; None where they cannot be listed."""
        ...

    def close(self) -> None:
        """Stop its watches."""
        ...


class FollowedCluster:
    """`ports.Cluster` before another one: what all Applications say comes from memory."""

    def __init__(self, cluster: Followable, wake: Callable[[], None]) -> None:
        """Begin to follow; `wake` is called from another thread when there is news."""
        self._cluster = cluster
        self._wakes: tuple[Callable[[], None], ...] = (wake,)
        self._applications = Followed(cluster.all_applications(), self._wake)
        self._rollouts: Followed[Rollout] | None = None
        self._applications.start()

    @property
    def name(self) -> str:
        """What messages call it."""
        return self._cluster.name

    def applications(self) -> Reading:
        """Return what was heard last; see `Followed.read`."""
        try:
            now, values, silent = self._applications.read()
        except Unavailable as error:
            named = error.message.startswith(self.name)
            raise error if named else Unavailable(f"{self.name}: {error.message}") from None
        return Reading(now, values, f"{self.name} is {silent}" if silent else None)

    def application(self, ref: ApplicationRef) -> Reading:
        """Read one, from the cluster."""
        return self._cluster.application(ref)

    def watch(self, refs: Sequence[ApplicationRef], wake: Callable[[], None]) -> None:
        """Call `wake` at every change: one stream is there already."""
        del refs
        self._wakes = (*self._wakes, wake)

    def annotate(self, ref: ApplicationRef, annotations: Mapping[str, str | None]) -> None:
        """See `ports.Cluster`."""
        self._cluster.annotate(ref, annotations)

    def workloads(self, application: Application) -> Workloads:
        """Read from the cluster what is behind an Application."""
        return self._cluster.workloads(application)

    def rollouts(self, application: Application) -> tuple[Rollout, ...]:
        """Return what was heard of its Rollouts; they are followed from the first question on."""
        if self._rollouts is None:
            found = self._cluster.all_rollouts()
            if found is None:
                return ()
            self._rollouts = Followed(found, self._wake)
            self._rollouts.start()
        here = (one for one in application.resources if one.kind == "Rollout")
        told = (
            self._rollouts.get((one.namespace or application.namespace, one.name)) for one in here
        )
        return tuple(one for one in told if one is not None)

    def abort(self, application: Application, rollout: Resource) -> None:
        """See `ports.Cluster`."""
        self._cluster.abort(application, rollout)

    def close(self) -> None:
        """Follow no more."""
        self._applications.stop()
        if self._rollouts is not None:
            self._rollouts.stop()
        self._cluster.close()

    def _wake(self) -> None:
        for wake in self._wakes:
            wake()
