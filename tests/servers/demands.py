"""Which lanes must run: a lane that is demanded is never left out."""

from __future__ import annotations

import os

LANES = {
    **{"gitea": "forge", "actions": "actions"},
    **{"control-plane": "cluster", "workflows": "workflows"},
}
"""The lane whose tests need a group of programs."""

REQUIRED_BY = {
    lane: f"GITOPS_REQUIRE_{lane.upper()}"
    for lane in (
        *("forge", "cluster", "ssh", "tls", "registry", "database"),
        *("workflows", "browser", "monitoring", "actions"),
    )
}


def demanded(lane: str) -> bool:
    """Say whether the environment wants this lane to run, whatever it takes."""
    return os.environ.get(REQUIRED_BY[lane], "") not in ("", "0")
