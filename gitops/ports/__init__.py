"""What the actions need from the world: one small Protocol for each outside system.

Adapters implement them (`gitops/adapters/`), tests hold fakes to the same contract
(`tests/ports/`). No library exception crosses a port: only `gitops.errors`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from gitops.ports.clock import Clock
from gitops.ports.repository import (
    Lost,
    NewCommit,
    RefUpdate,
    Repository,
    Snapshot,
    Unproven,
    WorkTree,
)
from gitops.ports.sources import Sources

if TYPE_CHECKING:
    from gitops.ports.cluster import Cluster, Clusters, NoClusters, Reading, Wakeup
    from gitops.ports.commits import Archive, Commits, Tree, TreeEntry, Trees
    from gitops.ports.evidence import Evidence, FileChange, Landed, LandedCommit
    from gitops.ports.forge import (
        CheckState,
        Contribution,
        Forge,
        GatedForge,
        Gates,
        HandedOver,
        Merged,
        MergeMethod,
        NoForge,
        NotMerged,
        Protection,
        PullRequest,
        PullText,
        Readiness,
    )
    from gitops.ports.index import Index
    from gitops.ports.intents import Gathered, Intents
    from gitops.ports.registry import NoRegistry, Registry
    from gitops.ports.renderer import Build, BuildFile, Renderer
    from gitops.ports.signatures import NoSignatures, Signatures

# Few calls need these, and defining them takes time before the first request is sent.
_LATER = {
    "cluster": ("Cluster", "Clusters", "NoClusters", "Reading", "Wakeup"),
    "commits": ("Archive", "Commits", "Tree", "TreeEntry", "Trees"),
    "evidence": ("Evidence", "FileChange", "Landed", "LandedCommit"),
    "index": ("Index",),
    "intents": ("Gathered", "Intents"),
    "registry": ("NoRegistry", "Registry"),
    "renderer": ("Build", "BuildFile", "Renderer"),
    "signatures": ("NoSignatures", "Signatures"),
}

__all__ = [
    "Archive",
    "Build",
    "BuildFile",
    "CheckState",
    "Clock",
    "Cluster",
    "Clusters",
    "Commits",
    "Contribution",
    "Evidence",
    "FileChange",
    "Forge",
    "GatedForge",
    "Gates",
    "Gathered",
    "HandedOver",
    "Index",
    "Intents",
    "Landed",
    "LandedCommit",
    "Lost",
    "MergeMethod",
    "Merged",
    "NewCommit",
    "NoClusters",
    "NoForge",
    "NoRegistry",
    "NoSignatures",
    "NotMerged",
    "Protection",
    "PullRequest",
    "PullText",
    "Readiness",
    "Reading",
    "RefUpdate",
    "Registry",
    "Renderer",
    "Repository",
    "Signatures",
    "Snapshot",
    "Sources",
    "Tree",
    "TreeEntry",
    "Trees",
    "Unproven",
    "Wakeup",
    "WorkTree",
]


def __getattr__(name: str) -> object:
    """Load what defines `name` when somebody asks for it first."""
    if name in __all__:
        module = next((one for one, names in _LATER.items() if name in names), "forge")
        return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
