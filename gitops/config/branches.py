"""Rows of `branches:` in `gitops.yaml`: what is wrong with them, and the values they become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from gitops.config.shapes import Problems, Value
from gitops.core.environments.rows import BranchRule, RuleLevel


def check_branches(rows: Sequence[Value], problems: Problems) -> None:
    """Add what is wrong: a pattern that stands twice, a row that asks nothing, checks alone."""
    problems.add_repeated(rows, "match", "a row for {}")
    for row in rows:
        asks = [key for key in ("tests", "approvals") if key in row.keys]
        wrong = [key for key in ("tests", "approvals") if problems.has(f"{row.path}.{key}")]
        if not asks and not wrong:
            problems.add(row.place, row.path, "asks nothing: name `tests`, or `approvals`")
        checks = row.keys.get("checks")
        if checks is not None and "tests" not in row.keys and "tests" not in wrong:
            what = "names the tests: say with `tests` whether they are required or advised"
            problems.add(checks.place, checks.path, what)


def make_branches(rows: Sequence[Value]) -> tuple[BranchRule, ...]:
    """Return the rules of a file without problems."""
    return tuple(_make_rule(row) for row in rows)


def _make_rule(row: Value) -> BranchRule:
    approvals = row.keys.get("approvals")
    return BranchRule(
        match=row.get("match"),
        tests=cast("RuleLevel | None", row.get("tests") or None),
        checks=row.list_texts("checks"),
        approvals=int(approvals.get("count", "1")) if approvals is not None else 0,
        approvals_level=cast(
            RuleLevel, approvals.get("level", "required") if approvals is not None else "required"
        ),
        line=row.place[0],
    )
