"""The smaller rows of `gitops.yaml` as values, which few calls load: alerts, rights, databases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, get_args

from msgspec import Struct


class PlacedRow(Struct, frozen=True):
    """A row that knows its line in `gitops.yaml`, for messages: that makes it no other row."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__struct_fields__ if name != "line")


RuleLevel = Literal["required", "advised"]


class BranchRule(PlacedRow, frozen=True):
    """A row of `branches:`.

    Attributes:
        match: a branch, or a pattern: `*` inside a path segment, `**` across segments.
        tests: whether a pull request needs a status check that succeeded; None: it does not say.
        checks: names of those checks; () any.
        approvals: how many people must approve; 0: it does not say.
        approvals_level: how badly that is wanted.
        line: 1-based line of the row in `gitops.yaml`, for messages.
    """

    match: str
    tests: RuleLevel | None = None
    checks: tuple[str, ...] = ()
    approvals: int = 0
    approvals_level: RuleLevel = "required"
    line: int = 1

    @property
    def is_pattern(self) -> bool:
        """True when it stands for more than one branch."""
        return "*" in self.match


class CleanupRow(Struct, frozen=True):
    """A row of `cleanup:`.

    Attributes:
        images: names of images, as overlays have them; `*` stands for anything.
        tags: a pattern of tags; `*` stands for anything.
        branches: patterns of source branches, which must be merged or gone; () does not ask.
        older_than: how old an image must be.
        keep: so many of the newest that fit stay.
        releases: so many of the newest releases of each overlay stay pullable.
    """

    images: tuple[str, ...]
    tags: str
    branches: tuple[str, ...] = ()
    older_than: timedelta | None = None
    keep: int = 3
    releases: int = 20


class AlertRow(Struct, frozen=True):
    """A row of `alerts:`.

    Attributes:
        match: labels that the alert must have, compared exactly.
        environment, environment_label: always this one, or the label that says it.
        app, app_label: the same of the app; neither: environments as a whole.
        within: seconds after a release went live in which its alert is the release's.
        limit: automatic rollbacks of an environment a day.
    """

    name: str
    match: Mapping[str, str]
    environment: str | None = None
    environment_label: str | None = None
    app: str | None = None
    app_label: str | None = None
    within: float = 1800.0
    limit: int = 2


EventKind = Literal[
    "rollback",
    "hold",
    "proposal",
    "approved",
    "degraded",
    "recovered",
    "not-recovered",
    "alert",
]
"""What a channel can hear of. `rollback` has undo in it, `hold` the end of one; an `alert` is told
when nothing was done about it. Deploys are not told: a channel that says everything is not read."""


class NotifyRow(Struct, frozen=True):
    """A row of `notify:`.

    Attributes:
        channel: a word; its addresses are in the settings of whoever sends.
        environments: names of environments, groups written out; () all of them.
        events: what it hears of; () all of it.
    """

    channel: str
    environments: tuple[str, ...] = ()
    events: tuple[EventKind, ...] = ()


class DatabaseRow(PlacedRow, frozen=True):
    """A row of `databases:`: how what leads to databases of one class is known.

    Attributes:
        hosts: names and addresses of servers; `*` stands for any text.
        secrets: names of Secrets, and of what makes them.
        stores: `STORE/KEY` of outside secrets, as ExternalSecrets name them.
        keys: settings, `NAME` or `NAME=VALUE`.
        egress: whether pods of the other class need a NetworkPolicy that bounds their egress.
        line: 1-based line of the row in `gitops.yaml`, for messages.
    """

    class_: Literal["dummy", "real"]
    hosts: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    egress: bool = False
    line: int = 1


Act = Literal[
    "deploy",
    "promote",
    "rollback",
    "undo",
    "hold",
    "resume",
    "approve",
    "close",
    "qa",
    "override",
]
ACTS: tuple[Act, ...] = get_args(Act)
"""What a right can be about: the verbs of the command line, and `override` of any of them."""

STATIC = "static"
"""The issuer of jobs that show a fixed token, whose hash the server's settings have."""


class AccessRow(PlacedRow, frozen=True):
    """A row of `access:`.

    Attributes:
        may: what it allows; nothing else follows from it.
        environments: names of environments, groups written out.
        who: `user:NAME`, `group:NAME`, `job:NAME`, `registry:HOST`, compared exactly.
        apps: patterns of apps, `*` inside a segment; () any, and environments as a whole.
        images: patterns of images, `*` inside a path segment, `**` across; () any.
        line: 1-based line of the row in `gitops.yaml`, for messages.
    """

    may: tuple[Act, ...]
    environments: tuple[str, ...]
    who: tuple[str, ...]
    apps: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    line: int = 1


class JobRow(PlacedRow, frozen=True):
    """A row of `jobs:`: how a job of a CI system is known by the token that its system gave it.

    Attributes:
        issuer: a word whose address is in the server's settings, or `static`.
        claims: what the token must say, in order of their names.
    """

    name: str
    issuer: str
    claims: tuple[tuple[str, str], ...] = ()
    line: int = 1
