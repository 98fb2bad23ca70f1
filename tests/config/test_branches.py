"""`branches:` of gitops.yaml: rows that ask for something, and what is wrong with others."""

from __future__ import annotations

import jsonschema
import pytest

from gitops.config import config_schema, load_config
from gitops.core.environments.rows import BranchRule
from gitops.core.yamltext import compose_first
from gitops.errors import ConfigError

HEAD = (
    "apiVersion: gitops/v1\nkind: Config\nenvironments: [{name: dev, overlay: o/dev}]\nbranches:\n"
)


def rules(text: str) -> tuple[BranchRule, ...]:
    """Return the rules of these rows."""
    return load_config(f"{HEAD}{text}".encode()).branch_rules


def test_rows_of_the_documentation() -> None:
    """Tests and approvals are asked for, each at its level."""
    found = rules(
        "  - {match: main, tests: advised, approvals: {count: 1, level: advised}}\n"
        '  - {match: "release/*", tests: required, approvals: {count: 2, level: required}}\n'
    )

    assert (
        BranchRule("main", "advised", (), 1, "advised"),
        BranchRule("release/*", "required", (), 2, "required"),
    ) == found
    assert [5, 6] == [one.line for one in found]


def test_what_is_left_out() -> None:
    """One approval, required, is what `approvals: {}` means; what is not named is not asked."""
    assert (
        BranchRule("a", None, (), 1, "required"),
        BranchRule("b", "required", ("ci/test",), 0),
    ) == rules(
        "  - {match: a, approvals: {}}\n  - {match: b, tests: required, checks: [ci/test]}\n"
    )


WRONG = {
    "  - {match: main}": "branches[0]: asks nothing: name `tests`, or `approvals`",
    "  - {tests: required}": "branches[0].match: is missing",
    "  - {match: a, tests: required}\n  - {match: a, approvals: {}}": "a row for a already",
    "  - {match: a, approvals: {}, checks: [x]}": "say with `tests` whether",
    "  - {match: a, tests: maybe}": "must be required or advised",
    "  - {match: a, approvals: {count: 0}}": "must be a number from 1 to 20",
    "  - {match: 'a?', tests: required}": "the wildcards are * and **",
    "  - {match: '{version}', tests: required}": "the wildcards are * and **",
    "  - {match: 'a***', tests: required}": "the wildcards are * and **",
    "  - {match: gitops/dev, tests: required}": "is taken",
    "  - {match: refs/heads/main, tests: required}": "write the short name, 'main'",
    "  - {match: main, tests: required, what: 1}": "unknown key",
    "  main: 1": "must be a list",
}


@pytest.mark.parametrize("text", WRONG, ids=str)
def test_what_is_wrong(text: str) -> None:
    """Each mistake is said with its place, and nothing else is."""
    with pytest.raises(ConfigError) as caught:
        rules(text)

    assert 1 == len(caught.value.reasons)
    assert WRONG[text] in caught.value.reasons[0]


@pytest.mark.parametrize("match", ["main", "release/*", "**", "hotfix/**", "a/*/b"])
def test_schema_agrees(match: str) -> None:
    """The JSON Schema for editors takes the same names."""
    schema = config_schema()["properties"]["branches"]  # type: ignore[index]
    jsonschema.validate([{"match": match, "tests": "required"}], schema)

    assert (BranchRule(match, "required"),) == rules(f"  - {{match: '{match}', tests: required}}")
    assert compose_first(f"'{match}'".encode(), "x").root is not None
