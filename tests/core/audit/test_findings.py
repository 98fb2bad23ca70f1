"""What a commit says of itself, and how bad it is that nobody agreed to a change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from gitops.core.audit.affected import AffectedPath
from gitops.core.audit.findings import Approval, Claim, claim_of, judge_approval
from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.hold import Hold

NOW = datetime(2026, 1, 1, tzinfo=UTC)
INFO = CommitInfo("c" * 40, ("p" * 40,), Identity("Ana", "a@e.com"), NOW, "x\n")
TOUCH = AffectedPath("base/a.yaml", "prod is built from it")
HOLD = Hold("Ana", NOW, "INC-1", restores="r" * 40)


def said(action: str, *labels: str, more: str = "") -> str:
    """Return a message with trailers."""
    named = "".join(f"Gitops-Environment: {label}\n" for label in labels)
    return f"subject\n\nGitops-Action: {action}\n{named}{more}"


@pytest.mark.parametrize(
    ("message", "merged", "labels"),
    [
        (said("rollback", "prod"), (), ("prod",)),
        (said("rollback", "prod", "dev"), (), ("prod", "dev")),
        (said("rollback"), (), ()),
        (said("deploy", "prod", more="Gitops-Action: rollback\n"), (), ("prod",)),
        ("Merge\n", (said("rollback", "prod"),), ("prod",)),
        ("Merge\n", (said("deploy", "dev"), said("rollback", "prod")), ("prod",)),
    ],
)
def test_claims(message: str, merged: tuple[str, ...], labels: tuple[str, ...]) -> None:
    """A rollback is claimed by the commit, or by the newest merged one about an overlay."""
    claim = claim_of(replace(INFO, message=message, merged=merged), {})

    assert claim is not None
    assert (labels, "its message") == (claim.labels, claim.by)


@pytest.mark.parametrize(
    ("message", "merged"),
    [
        (said("deploy", "prod"), ()),
        ("Gitops-Action: rollback\n", ()),
        ("x\n\nGitops-Action: rollback\n\nprose\n", ()),
        (said("deploy", "prod"), (said("rollback", "prod"),)),
        ("Merge\n", (said("deploy", "prod"), said("rollback", "prod"))),
    ],
)
def test_no_claims(message: str, merged: tuple[str, ...]) -> None:
    """Prose claims nothing, nor does what newer commits about the same overlay overtook."""
    assert claim_of(replace(INFO, message=message, merged=merged), {}) is None


def test_hold_claims_it_too() -> None:
    """A hold that tells what it restores is a claim, unless a message tells of its overlay."""
    plain = replace(HOLD, restores=None)

    assert Claim(("prod",), HOLD.restores, by="its hold") == claim_of(INFO, {"prod": HOLD})
    assert claim_of(INFO, {"prod": plain}) is None
    assert claim_of(replace(INFO, message=said("approve", "prod")), {"prod": HOLD}) is None


def approval(**values: object) -> Approval:
    """An approval in a forge by one of one."""
    whole = {
        "kind": "forge",
        "place": "pull request 7",
        "head": "h",
        "by": ("ana",),
        "required": 1,
        **values,
    }
    return Approval(**whole)  # type: ignore[arg-type]


LEVELS = [
    (approval(), True, False, None),
    (approval(kind="signed"), True, False, None),
    (approval(kind="claimed"), True, False, "warning"),
    (approval(by=()), True, False, "error"),
    (approval(required=2), True, False, "error"),
    (None, True, False, "error"),
    (None, False, False, "error"),
    (approval(by=(), merged=False), False, False, "error"),
    (approval(by=(), merged=False, enforced=True), False, True, "notice"),
    (approval(by=(), merged=False, enforced=None), False, True, "notice"),
    (approval(by=(), merged=False, enforced=False), False, True, "error"),
    (approval(merged=False), False, False, None),
]


@pytest.mark.parametrize(("found", "landed", "declared", "level"), LEVELS)
def test_levels(found: Approval | None, landed: bool, declared: bool, level: str | None) -> None:
    """Proven approval is all right, a claim a warning, a declared proposal may wait."""
    findings = judge_approval("c", "prod", [TOUCH], found, landed=landed, declared=declared)

    assert ([level] if level is not None else []) == [one.level for one in findings]
    assert all(one.message.startswith(f"{TOUCH.reason}; ") for one in findings)


def test_strange_content() -> None:
    """Of an approved change just the paths with other content are reported."""
    touches = [TOUCH, AffectedPath("overlays/prod/x", "it is in the overlay")]
    findings = judge_approval("c", "prod", touches, approval(), landed=True, strange=[TOUCH.path])

    assert [("base/a.yaml", "error")] == [(one.path, one.level) for one in findings]
    assert "pull request 7, approved by ana, but not with this in it" in findings[0].message


def test_names_are_one_line() -> None:
    """What a forge calls people cannot break a line."""
    assert "pull request 7, approved by a b" == str(approval(by=("a\nb",)))
