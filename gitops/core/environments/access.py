"""Rows of `access:` and `jobs:`: who may do what through the server, and which jobs are known."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

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
ACTS: tuple[Act, ...] = (
    *("deploy", "promote", "rollback", "undo", "hold"),
    *("resume", "approve", "close", "qa", "override"),
)
"""What a right can be about: the verbs of the command line, and `override` of any of them."""

STATIC = "static"
"""The issuer of jobs that show a fixed token, whose hash the server's settings have."""


class AccessRow(Struct, frozen=True):
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


class JobRow(Struct, frozen=True):
    """A row of `jobs:`: how a job of a CI system is known by the token that its system gave it.

    Attributes:
        issuer: a word whose address is in the server's settings, or `static`.
        claims: what the token must say, in order of their names.
    """

    name: str
    issuer: str
    claims: tuple[tuple[str, str], ...] = ()
    line: int = 1
