"""`gitops check`: which commits change a protected environment without anybody's word?

For CI, on every push and pull request. Policy and signers are those from before the change, so a
change cannot excuse itself; they move on with each commit that people agreed to. It detects, it
prevents nothing: docs/how-to/check.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitops.actions.approvals import Change, ForgeApprovals, LedgerApprovals, other_content
from gitops.actions.belongings import holds_of
from gitops.actions.changesets import Changeset, Step, read_changeset
from gitops.actions.claims import RollbackReader, held_by
from gitops.actions.session import Session, Tip
from gitops.actions.touches import TouchReader, changed_ids
from gitops.core.bearing import bearing_changes
from gitops.core.check import (
    Approval,
    CheckedCommit,
    CheckReport,
    Finding,
    Standing,
    claim_of,
    judge_approval,
)
from gitops.core.content import only_images
from gitops.core.environment import CONFIG_PATH, Config, Environment, Overlay
from gitops.core.message import one_line
from gitops.core.touching import Touch, folded
from gitops.errors import ConfigError, GitopsError, ManifestError, NotFound
from gitops.ports import Archive, NoForge, Snapshot, Tree
