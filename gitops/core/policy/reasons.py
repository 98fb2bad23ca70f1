"""May this change go there? Every reason why not, as values.

A reason has a kind, so that an override covers the reasons that stood when it was given and no
later one (`outstanding`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from gitops.core.environments.environment import Config, Deploy, Environment, Overlay, match_branch
from gitops.core.hold import Hold

ReasonKind = Literal[
    "accepts",
    "after",
    "hold",
    "freeze",
    "verdict",
    "requires",
    "soak",
    "ref",
    "moved",
    "gone",
    "follow",
    "superseded",
    "rollback",
    "registry",
    "data",
    "image",
    "provenance",
]


class Reason(Struct, frozen=True):
    """Why a change may not go to one environment.

    Attributes:
        overlay: label of the overlay (`prod`, `shop/prod`).
        text: the reason without the environment's name (`held by ana: INC-42`).
    """

    kind: ReasonKind
    overlay: str
    text: str

    def __str__(self) -> str:
        return f"{self.overlay}: {self.text}"


def plain_branch(ref: str) -> str:
    """Return the branch that `ref` names: `refs/heads/main` and `main` are the same."""
    return ref.removeprefix("refs/heads/")


def environments_taking(config: Config, ref: str, deploy: Deploy) -> tuple[Environment, ...]:
    """Return the environments that take source branch `ref` by themselves (`auto`), or by hand."""
    return tuple(
        row
        for row in config.environments
        if row.deploy == deploy and match_branch(row.accepts, ref)
    )


def judge_source(overlay: Overlay, ref: str | None) -> tuple[Reason, ...]:
    """Does the environment accept source branch `ref`? An unknown branch (None) is not judged."""
    accepts = overlay.environment.accepts
    if ref is None or match_branch(accepts, ref) is not None:
        return ()
    wanted = ", ".join(accepts) or "no branch (its `accepts:` in gitops.yaml is empty)"
    return (Reason("accepts", overlay.label, f"accepts {wanted}, not {ref}"),)


def judge_hold(overlay: Overlay, hold: Hold | None) -> tuple[Reason, ...]:
    """Is the overlay held?"""
    if hold is None:
        return ()
    return (Reason("hold", overlay.label, f"held by {hold.by}: {hold.reason}"),)


def outstanding(reasons: Iterable[Reason], overridden: frozenset[Reason]) -> tuple[Reason, ...]:
    """Return the reasons that no override covers."""
    return tuple(reason for reason in reasons if reason not in overridden)


def record_overrides(override: str | None, passed: Iterable[object]) -> tuple[str, ...]:
    """Return what the commit says of each reason that was passed over (`Gitops-Override`)."""
    if override is None:
        return ()
    return tuple(f"{override} (passed: {reason})" for reason in passed)
