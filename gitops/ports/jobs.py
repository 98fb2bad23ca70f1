"""Jobs of Kubernetes: made, looked at, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct

from gitops.errors import NotFound

if TYPE_CHECKING:
    from gitops.core.environments.environment import Config, Environment

LONGEST_LOG = 4 << 20
"""Bytes of a container's log that are read."""


class JobState(Struct, frozen=True):
    """How a Job stands.

    Attributes:
        phase: waiting (no container runs yet), running, succeeded, failed.
        reason: why it waits or failed, in one line; "" where nobody says.
        pod: its newest pod, None before there is one.
        started: containers of the pod that run or ran, in their order.
        failed: the container that failed, None for none.
    """

    phase: Literal["waiting", "running", "succeeded", "failed"]
    reason: str = ""
    pod: str | None = None
    started: tuple[str, ...] = ()
    failed: str | None = None


class Jobs(Protocol):
    """The Jobs of one cluster.

    All calls may raise NotFound (no such namespace, Job or context), Denied, Conflict, Unavailable
    and TimedOut.
    """

    @property
    def name(self) -> str:
        """What messages call the cluster."""
        ...

    def present(self, namespace: str, label: str) -> tuple[str, ...]:
        """Return the names of Jobs with a label that have not ended."""
        ...

    def keep(self, config_map: Mapping[str, Any]) -> None:
        """Create a ConfigMap that is not there yet; one of this name is left as it is."""
        ...

    def create(self, job: Mapping[str, Any]) -> None:
        """Create a Job."""
        ...

    def state(self, namespace: str, job: str) -> JobState:
        """Say how a Job stands."""
        ...

    def log(self, namespace: str, pod: str, container: str) -> str:
        """Return what a container said so far, at most `LONGEST_LOG` bytes of it."""
        ...


class JobClusters(Protocol):
    """Where the Jobs of an environment run."""

    def jobs_of(
        self, config: Config, environment: Environment, context: str | None, *, within: float
    ) -> Jobs:
        """Return the cluster that runs an environment; nothing is contacted yet.

        Args:
            context: of the caller's kubeconfig; None: the one that `clusters:` names.
            within: seconds that one call may take.

        Raises NotFound, and UsageError where there are several.
        """
        ...


class NoJobs(Struct, frozen=True):
    """`JobClusters` where there are none."""

    def jobs_of(
        self, config: Config, environment: Environment, context: str | None, *, within: float
    ) -> Jobs:
        """Raises NotFound."""
        del config, environment, context, within
        raise NotFound("no cluster can be asked here")
