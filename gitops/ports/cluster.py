"""Where releases run: the control plane of Argo CD, and what it says of Applications."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from gitops.errors import NotFound

if TYPE_CHECKING:
    from gitops.core.argocd.application import Application, ApplicationRef, Resource
    from gitops.core.argocd.diagnosis import Workloads
    from gitops.core.argocd.rollout import Rollout
    from gitops.core.environments.environment import Config, Environment


class Reading(Struct, frozen=True):
    """Applications at one moment.

    Attributes:
        time: on the cluster's clock, whole seconds: compare it with the cluster's times only.
        silent: since when nobody answers and why, where these are what was heard before that; None:
            they are as of now.
    """

    time: datetime
    applications: tuple[Application, ...]
    silent: str | None = None


class Cluster(Protocol):
    """One control plane of Argo CD.

    All calls may raise NotFound (no Argo CD there, no such context), Denied (credentials, rights),
    Unavailable and TimedOut, within the seconds that it was opened with. No credential is in any
    message, and nothing is printed.
    """

    @property
    def name(self) -> str:
        """What messages call it: the kubeconfig context, or the host of Argo CD's own API."""
        ...

    def applications(self) -> Reading:
        """Read every Application that may be seen there."""
        ...

    def application(self, ref: ApplicationRef) -> Reading:
        """Read one; a reading without any when it is gone."""
        ...

    def watch(self, refs: Sequence[ApplicationRef], wake: Callable[[], None]) -> None:
        """Call `wake` from now on, from another thread, when one of `refs` may have changed.

        Without `refs`: when any Application has. A wake-up is a hint and proves nothing: it may
        come without a change, and one may get lost. A watch that breaks is taken up again, ever
        more slowly, and wakes once when it is.
        """
        ...

    def annotate(self, ref: ApplicationRef, annotations: Mapping[str, str | None]) -> None:
        """Set annotations (None removes); the only thing that is ever written to an Application.

        `REFRESH` makes Argo CD look at Git now. A call for it may return before Argo CD has.
        """
        ...

    def workloads(self, application: Application) -> Workloads:
        """Read the live objects behind an Application, as far as rights and places allow.

        Raises nothing for what may not be read: `Workloads.unread` says so.
        """
        ...

    def rollouts(self, application: Application) -> tuple[Rollout, ...]:
        """Return where its Rollouts stand, as far as that is known; raises nothing for the rest."""
        ...

    def abort(self, application: Application, rollout: Resource) -> None:
        """Stop a Rollout of the Application: its stable version gets the traffic back."""
        ...


class Wakeup(Protocol):
    """What a waiting action sleeps on, so that a wake-up from a watch ends the sleep."""

    def ring(self) -> None:
        """End the present sleep, or the next one; may be called from any thread."""
        ...

    def wait(self, seconds: float) -> bool:
        """Sleep until it rings (True) or `seconds` have passed (False)."""
        ...


class Clusters(Protocol):
    """The control planes that `gitops.yaml` and the caller's settings lead to."""

    @property
    def bell(self) -> Wakeup:
        """The one bell of this call."""
        ...

    @property
    def repositories(self) -> tuple[str, ...]:
        """How Applications may spell the manifest repository: URLs and paths."""
        ...

    def is_named(self, config: Config) -> bool:
        """Did somebody name a cluster on purpose, so that its silence is worth a word?"""
        ...

    def of(self, config: Config, environment: Environment, *, within: float) -> tuple[Cluster, ...]:
        """Return the control planes of an environment; nothing is contacted yet.

        Args:
            within: seconds that one call to one of them may take.

        Raises NotFound when there is none: nothing is configured, or its client is not installed.
        """
        ...

    def at_hand(
        self, config: Config, environment: Environment, *, within: float
    ) -> tuple[Cluster, ...]:
        """Return the same for calls that can do without: () where nobody set anything up.

        Raises what `of` raises where somebody did, and it does not work.
        """
        ...


class NoClusters(Struct, frozen=True):
    """`Clusters` where nobody can be asked: there are none."""

    @property
    def bell(self) -> Wakeup:
        """Raises NotFound."""
        raise NotFound(_NOBODY)

    @property
    def repositories(self) -> tuple[str, ...]:
        """No Application spells the repository anyhow."""
        return ()

    def is_named(self, config: Config) -> bool:
        """Nobody named one."""
        del config
        return False

    def of(self, config: Config, environment: Environment, *, within: float) -> tuple[Cluster, ...]:
        """Raises NotFound."""
        del config, environment, within
        raise NotFound(_NOBODY)

    def at_hand(
        self, config: Config, environment: Environment, *, within: float
    ) -> tuple[Cluster, ...]:
        """Return none."""
        del config, environment, within
        return ()


_NOBODY = "no cluster can be asked here"
