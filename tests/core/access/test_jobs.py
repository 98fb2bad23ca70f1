"""Which job a token is from."""

from __future__ import annotations

import pytest

from gitops.core.access.jobs import branch_of, explain_claims, find_jobs
from gitops.core.environments.rows import JobRow

ROW = JobRow("shop-ci", "github", (("ref", "refs/heads/main"), ("repository_id", "74")))
SAYS = {"repository_id": "74", "ref": "refs/heads/main", "event_name": "push", "sub": "whatever"}


def test_all_claims_must_fit() -> None:
    """Exactly, and by the right issuer."""
    assert (ROW,) == find_jobs([ROW], "github", "github", SAYS)
    for claims in (
        {**SAYS, "repository_id": "740"},
        {**SAYS, "ref": "refs/heads/Main"},
        {**SAYS, "ref": ["refs/heads/main"]},
        {"repository_id": "74"},
        {},
    ):
        assert () == find_jobs([ROW], "github", "github", claims)
    assert () == find_jobs([ROW], "gitlab", "gitlab", SAYS)


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("event_name", "pull_request"),
        ("event_name", "pull_request_target"),
        ("pipeline_source", "merge_request_event"),
    ],
)
def test_strangers_code_is_no_job(name: str, event: str) -> None:
    """A pull request from a fork may run under the name of the project."""
    assert () == find_jobs([ROW], "github", "github", {**SAYS, name: event})


def test_an_issuer_of_another_name_is_asked_the_same() -> None:
    """`gitops.yaml` cannot know that `works` is a GitHub; the server does, and refuses the row."""
    row = JobRow("shop-ci", "works", (("ref", "refs/heads/main"),))
    assert () == find_jobs([row], "works", "github", SAYS)
    assert (row,) == find_jobs([row], "works", "other", SAYS)


def test_numbers_and_yes_are_compared_as_text() -> None:
    """GitLab says "true", another system true."""
    row = JobRow("a", "ci", (("id", "7"), ("protected", "true")))
    assert (row,) == find_jobs([row], "ci", "other", {"id": 7, "protected": True})
    assert () == find_jobs([row], "ci", "other", {"id": True, "protected": True})


def test_a_row_without_claims_is_nobody() -> None:
    """Of a static token, whose name is known in another way."""
    assert () == find_jobs([JobRow("a", "static")], "static", "static", {})
    assert explain_claims("static", {}) is None


def test_what_a_token_proves_of_its_source() -> None:
    """A tag is no branch."""
    assert "main" == branch_of("github", SAYS)
    assert branch_of("github", {"ref": "refs/tags/main"}) is None
    assert branch_of("gitlab", {"ref": "main", "ref_type": "tag"}) is None
    assert "main" == branch_of("gitlab", {"ref": "main", "ref_type": "branch"})
    assert branch_of("kubernetes", {"ref": "main"}) is None
