"""What a branch must ask of pull requests (`branches:` of gitops.yaml), and what its forge asks.

A gap is told at the level of the rule: what is `required` is an error, what is `advised` a warning,
and so is what the forge does not tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.environments.branch_patterns import match_branch
from gitops.core.environments.rows import BranchRule, RuleLevel
from gitops.core.text.plain import one_line

GapKind = Literal["approvals", "tests", "last-push", "pushes"]
PROPOSALS = "gitops/**"
"""The branches of proposals; the ledger among them has rules of its own (docs/how-to/qa.md)."""


class Rules(Struct, frozen=True):
    """What a forge asks of pull requests into one branch; None: it does not tell this caller."""

    approvals: int | None = None
    checks: tuple[str, ...] | None = None
    last_push: bool | None = None
    """Whoever pushed last does not count as an approver; None: not told, or no such rule there."""


class Gap(Struct, frozen=True):
    """Something that a rule wants of a branch and that the forge does not ask.

    Attributes:
        repository: what messages call it.
        kind: `approvals`, `tests`, `last-push` (whoever pushed last may approve it), `pushes`
            (whoever may write may push there).
        known: False when the forge does not tell.
        message: what is missing, without the branch.
    """

    repository: str
    branch: str
    rule: BranchRule
    level: RuleLevel
    kind: GapKind
    known: bool
    message: str

    @property
    def is_error(self) -> bool:
        """True for a gap that is known and must not be."""
        return self.known and self.level == "required"


class Raise(Struct, frozen=True):
    """What closes gaps of one branch or pattern: at least so much is to be asked there.

    Attributes:
        last_push: nobody may approve what they pushed last.
        restrict: only maintainers may push there.
    """

    branch: str
    approvals: int
    checks: tuple[str, ...]
    last_push: bool = False
    restrict: bool = False


def branches_for(rule: BranchRule, existing: Iterable[str]) -> tuple[str, ...]:
    """Return the branches that a rule is about: the one it names, or those of its pattern.

    Of a pattern that no branch matches yet, a name that one could have: rules come first.
    """
    if not rule.is_pattern:
        return (rule.match,)
    found = sorted(name for name in existing if match_branch((rule.match,), name))
    return tuple(found) or (example_of(rule),)


def example_of(rule: BranchRule) -> str:
    """Return the name of a branch that a pattern matches."""
    return rule.match.replace("**", "example").replace("*", "example")


def find_gaps(rule: BranchRule, repository: str, branch: str, rules: Rules) -> tuple[Gap, ...]:
    """Compare what `rule` wants of `branch` with what the forge asks of it."""
    gaps: list[Gap] = []

    def add(kind: GapKind, level: RuleLevel, known: bool, text: str) -> None:
        gaps.append(Gap(repository, branch, rule, level, kind, known, text))

    if rule.approvals:
        wanted = "1 approval" if rule.approvals == 1 else f"{rule.approvals} approvals"
        if rules.approvals is None:
            add("approvals", rule.approvals_level, False, f"nobody tells whether {wanted} must be")
        elif rules.approvals < rule.approvals:
            asked = str(rules.approvals) if rules.approvals else "none"
            add("approvals", rule.approvals_level, True, f"{wanted} must be, {asked} is asked for")
        if rules.last_push is False:
            add("last-push", "advised", True, "whoever pushed last may approve it")
    if rule.tests is not None:
        if rules.checks is None:
            add("tests", rule.tests, False, "nobody tells which status checks must succeed")
        elif rule.checks and (missing := _missing(rule.checks, rules.checks)):
            names = one_line(", ".join(missing))
            add("tests", rule.tests, True, f"the status check must succeed, and need not: {names}")
        elif not rules.checks:
            add("tests", rule.tests, True, "a status check must succeed, and none need")
    return tuple(gaps)


def close_gaps(gaps: Sequence[Gap]) -> tuple[tuple[Raise, ...], tuple[Gap, ...]]:
    """Return what to ask for, so that `gaps` of one repository go, and the gaps that stay.

    Only known gaps can be closed, and tests only by name. A pattern is raised as one, so that it
    holds for branches that are made later.
    """
    wanted: dict[str, Raise] = {}
    stay: list[Gap] = []
    for gap in gaps:
        if not gap.known or (gap.kind == "tests" and not gap.rule.checks):
            stay.append(gap)
            continue
        before = wanted.get(gap.rule.match, Raise(gap.rule.match, 0, ()))
        wanted[gap.rule.match] = _raised(before, gap)
    return tuple(wanted.values()), tuple(stay)


def _raised(before: Raise, gap: Gap) -> Raise:
    match gap.kind:
        case "approvals":
            return replace(before, approvals=max(before.approvals, gap.rule.approvals))
        case "tests":
            checks = tuple(dict.fromkeys((*before.checks, *gap.rule.checks)))
            return replace(before, checks=checks)
        case "last-push":
            return replace(before, last_push=True)
    return replace(before, restrict=True)


def proposals_gap(repository: str) -> Gap:
    """Return the gap of a repository where whoever may write may push to proposals."""
    text = "whoever may write may push to a proposal that somebody approved"
    rule = BranchRule(PROPOSALS)
    return Gap(repository, PROPOSALS, rule, "advised", "pushes", True, text)


def reported_checks(statuses: Mapping[str, object]) -> str:
    """Return the names of checks that were reported for a commit, for a hint."""
    return one_line(", ".join(sorted(statuses))) or "none"


def _missing(wanted: Sequence[str], there: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in wanted if name not in there)
