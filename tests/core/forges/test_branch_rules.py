"""`branches:` beside what a forge asks: gaps by level, and what closes them."""

from __future__ import annotations

import pytest

from gitops.core.environments.rows import BranchRule
from gitops.core.forges.branch_rules import Raise, Rules, branches_for, close_gaps, find_gaps

MAIN = BranchRule("main", "required", ("ci/test",), 1, "required")
RELEASE = BranchRule("release/*", "advised", (), 2, "advised")
NAMES = ["main", "release/1.4", "release/1.5", "release/1.5/x", "feature"]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("main", ("main",)),
        ("gone", ("gone",)),
        ("release/*", ("release/1.4", "release/1.5")),
        ("release/**", ("release/1.4", "release/1.5", "release/1.5/x")),
        ("hotfix/*", ("hotfix/example",)),
        ("**", tuple(sorted(NAMES))),
    ],
)
def test_branches_of_a_rule(match: str, expected: tuple[str, ...]) -> None:
    """A name is itself, a pattern the branches there are, else one that could be."""
    assert expected == branches_for(BranchRule(match, "required"), NAMES)


@pytest.mark.parametrize(
    ("rule", "rules", "expected"),
    [
        (MAIN, Rules(1, ("ci/test", "lint")), []),
        (MAIN, Rules(2, ("ci/test",)), []),
        (MAIN, Rules(0, ("ci/test",)), [("approvals", True, True)]),
        (MAIN, Rules(1, ("lint",)), [("tests", True, True)]),
        (MAIN, Rules(1, ()), [("tests", True, True)]),
        (MAIN, Rules(None, None), [("approvals", False, False), ("tests", False, False)]),
        (RELEASE, Rules(1, ()), [("approvals", True, False), ("tests", True, False)]),
        (RELEASE, Rules(2, ("any",)), []),
        (BranchRule("main", None, (), 0), Rules(None, None), []),
    ],
)
def test_gaps(rule: BranchRule, rules: Rules, expected: list[tuple[str, bool, bool]]) -> None:
    """What is missing is an error where it is required and known, else worth a look."""
    gaps = find_gaps(rule, "shop", "main", rules)

    assert expected == [(gap.kind, gap.known, gap.is_error) for gap in gaps]


def test_words_of_a_gap() -> None:
    """A gap says what must be and what is."""
    words = [
        gap.message
        for rules in (Rules(0, ("ci/test",)), Rules(1, ("lint",)))
        for gap in find_gaps(MAIN, "shop", "main", rules)
    ]

    assert [
        "1 approval must be, none is asked for",
        "the status check must succeed, and need not: ci/test",
    ] == words


def test_what_closes_gaps() -> None:
    """Known gaps are closed for the whole pattern; unnamed tests and the unknown stay."""
    gaps = [
        *find_gaps(MAIN, "shop", "main", Rules(0, ())),
        *find_gaps(RELEASE, "shop", "release/1.4", Rules(1, ())),
        *find_gaps(RELEASE, "shop", "release/1.5", Rules(0, ("x",))),
        *find_gaps(BranchRule("x", None, (), 1), "shop", "x", Rules(None, None)),
    ]
    changes, stay = close_gaps(gaps)

    assert (Raise("main", 1, ("ci/test",)), Raise("release/*", 2, ())) == changes
    assert [("tests", "release/1.4"), ("approvals", "x")] == [
        (gap.kind, gap.branch) for gap in stay
    ]
