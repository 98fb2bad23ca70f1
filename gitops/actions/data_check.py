"""`gitops data check`: does every environment reach the databases of its own class, and no other?

Each overlay is built as Argo CD would build it, and every way of its manifests to a database is
followed. Policy is `databases:` of the `gitops.yaml` that is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from msgspec import Struct

from gitops.actions.context.overlays import overlays_of
from gitops.actions.manifests.data_checks import DataChecks, FoundData
from gitops.actions.manifests.files import SnapshotFiles
from gitops.actions.manifests.trial_build import plain_build
from gitops.core.environments.environment import CONFIG_PATH, Config, Environment
from gitops.core.kustomization.graph import walk
from gitops.errors import ConfigError, NotFound, UsageError
from gitops.ports import Renderer, Snapshot


class DataReport(Struct, frozen=True):
    """What was found.

    Attributes:
        overlays: how many were built and looked at.
        environments: name and class of those that were looked at.
    """

    found: tuple[FoundData, ...]
    overlays: int
    environments: tuple[tuple[str, str | None], ...]
    branch: str
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 when something is an error, else 0."""
        return int(any(one.finding.level == "error" for one in self.found))


def data_check(
    snapshot: Snapshot,
    load_config: Callable[[bytes], Config],
    read: Callable[[str], Snapshot],
    renderer: Renderer,
    names: Collection[str] = (),
) -> DataReport:
    """Look at the overlays of the environments `names`; () means all.

    The overlays of the others are built, too: their namespaces tell which are whose.

    Raises ConfigError, NotFound for an environment that is none, UsageError where `gitops.yaml`
    has no `databases:`, and what `read` raises.
    """
    config = _config(snapshot, load_config)
    rows = _named(config, names)
    checks = DataChecks(config)
    isolated = True
    looked = 0
    for row in config.environments:
        home = _home(snapshot, config, row, read)
        for overlay in overlays_of(home, row):
            graph = walk(SnapshotFiles(home), overlay.directory)
            trial = plain_build(home, renderer, graph, overlay.directory)
            isolated = isolated and trial.isolated
            looked += row in rows
            checks.look(overlay, home, graph, trial)
    found = tuple(one for one in checks.found() if one.environment in rows)
    notes = () if isolated else ("builds were not kept from this machine's files and network",)
    return DataReport(
        found, looked, tuple((row.name, row.database) for row in rows), snapshot.branch, notes
    )


def _config(snapshot: Snapshot, load_config: Callable[[bytes], Config]) -> Config:
    content = snapshot.read(CONFIG_PATH)
    if content is None:
        raise ConfigError(f"{CONFIG_PATH} is not there", hint="`gitops init` makes one")
    config = load_config(content)
    if not config.databases:
        raise UsageError(
            f"{CONFIG_PATH} has no `databases:`, so nobody knows which are real",
            hint="say how they are known: databases: [{class: real, hosts: "
            '["*.prod-db.example.com"]}]; `gitops help data check`',
        )
    return config


def _named(config: Config, names: Collection[str]) -> tuple[Environment, ...]:
    for name in names:
        if config.find(name) is None:
            known = ", ".join(row.name for row in config.environments)
            raise NotFound(f"no environment {name!r}", hint=f"there are {known}")
    return tuple(row for row in config.environments if not names or row.name in names)


def _home(
    snapshot: Snapshot, config: Config, row: Environment, read: Callable[[str], Snapshot]
) -> Snapshot:
    """Return the tip that an environment lives on: its own branch, else what is looked at."""
    if row.branch in (None, config.branch, snapshot.branch):
        return snapshot
    return read(row.branch or "")
