"""Which control planes some environments have, as far as it is known without asking them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from gitops.actions.context.session import Session, Tip
from gitops.core.environments.environment import Environment
from gitops.errors import GitopsError

if TYPE_CHECKING:
    from gitops.ports import Cluster  # what a cluster can say takes time to define


class ClustersAtHand(Struct, frozen=True):
    """The control planes of some environments.

    Attributes:
        clusters: name of an environment -> its control planes; () where nobody set any up.
        unusable: name of an environment -> why its control planes cannot be asked.
        are_named: somebody said which control planes are meant, so that silence is worth a word.
        end: when nobody waits for them any more, on the clock of the session.
    """

    clusters: Mapping[str, tuple[Cluster, ...]]
    unusable: Mapping[str, str]
    are_named: bool
    end: float


def clusters_at_hand(
    session: Session, tip: Tip, rows: Iterable[Environment], *, within: float
) -> ClustersAtHand:
    """Return the control planes of `rows`; `within`: seconds that anybody waits for all of them."""
    end = session.clock.monotonic() + within
    clusters: dict[str, tuple[Cluster, ...]] = {}
    unusable: dict[str, str] = {}
    for row in rows:
        try:
            clusters[row.name] = session.clusters.at_hand(tip.config, row, within=within)
        except GitopsError as error:
            unusable[row.name] = error.message
    return ClustersAtHand(clusters, unusable, session.clusters.is_named(tip.config), end)
