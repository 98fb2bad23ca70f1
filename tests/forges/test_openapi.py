"""The check against a published description sees what is wrong, and lets pass what is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forges.openapi import Description, described
from servers.descriptions import github_description

PULLS = "/repos/ana/shop/pulls"


@pytest.fixture
def github() -> Description:
    """GitHub's own description."""
    path: Path = github_description()
    if not path.is_file():
        pytest.skip("lane openapi: no description of GitHub here: run scripts/descriptions")
    return described(path)


@pytest.mark.parametrize(
    ("verb", "path", "query", "body", "problem"),
    [
        ("POST", PULLS, {}, {"head": "a"}, "'base' is a required property"),
        ("POST", PULLS, {}, {"head": "a", "base": "b", "title": 7}, "title: 7 is not of type"),
        ("POST", PULLS, {}, {"head": "a", "base": "b", "titel": "t"}, "no field titel"),
        ("PUT", f"{PULLS}/1/merge", {}, {"merge_method": "octopus"}, "is not one of"),
        ("POST", "/repos/ana/shop/statuses/abc", {}, {"state": "fine"}, "is not one of"),
        ("GET", PULLS, {"state": "opened"}, None, "state cannot be opened"),
        ("GET", PULLS, {"branch": "a"}, None, "no parameter branch"),
        ("GET", "/repos/ana/shop/pullrequests", {}, None, "is not described"),
    ],
)
def test_wrong_requests_are_seen(
    github: Description, verb: str, path: str, query: dict[str, str], body: Any, problem: str
) -> None:
    """A missing field, a wrong word, an unknown parameter: each is told."""
    found = github.problems_of_request(verb, path, query, body)

    assert any(problem in one for one in found), found


def test_right_requests_pass(github: Description) -> None:
    """What GitHub documents is no problem."""
    body = {"head": "a", "base": "b", "title": "t", "body": None, "draft": True}
    query = {"state": "all", "head": "ana:a", "per_page": "100", "page": "1"}

    assert [] == github.problems_of_request("POST", PULLS, {}, {**body, "body": "x"})
    assert [] == github.problems_of_request("GET", PULLS, query, None)


def test_wrong_answers_are_seen(github: Description) -> None:
    """A status that does not exist, a field that is missing or of another type."""
    whole = github.filled("GET", f"{PULLS}/1", 200, {"number": 1, "state": "open"})

    assert [] == github.problems_of_answer("GET", f"{PULLS}/1", 200, whole)
    assert github.problems_of_answer("GET", f"{PULLS}/1", 418, whole)
    assert github.problems_of_answer("GET", f"{PULLS}/1", 200, {**whole, "number": "1"})
    assert github.problems_of_answer("GET", f"{PULLS}/1", 200, {**whole, "state": "opened"})
    without = {key: value for key, value in whole.items() if key != "merged"}
    assert github.problems_of_answer("GET", f"{PULLS}/1", 200, without)


def test_filling_changes_nothing_that_is_there(github: Description) -> None:
    """What the server said stays, also inside."""
    said = {"number": 7, "head": {"ref": "gitops/prod"}, "labels": [{"name": "deploy"}]}
    whole = github.filled("GET", f"{PULLS}/7", 200, said)

    assert (7, "gitops/prod") == (whole["number"], whole["head"]["ref"])
    assert ["deploy"] == [label["name"] for label in whole["labels"]]
    assert "sha" in whole["head"]
