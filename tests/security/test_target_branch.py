"""A pull request does not choose what it is checked against: the CI system says where it goes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gitops.core.audit.ci_branch import read_ci_branch
from gitops.errors import UsageError
from manifests import Manifests, Result

CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: overlays/dev, accepts: [main], deploy: auto}
  - {name: stage, overlay: overlays/stage, change: pull-request}
  - name: prod
    overlay: overlays/prod
    change: pull-request
    after: [stage]
    branch: production
"""
STAGE = "overlays/stage/kustomization.yaml"


@pytest.fixture
def proposed(manifests: Manifests) -> Manifests:
    """Check out a change of main's policy and of stage, made on the tip of production."""
    manifests.commit("cfg", {"gitops.yaml": CONFIG})
    manifests.in_checkout("push", "-q", "origin", "HEAD:production")
    manifests.in_checkout("checkout", "-q", "-b", "production")
    for branch, path in (("production", "overlays/prod/x.yaml"), ("main", "overlays/dev/x.yaml")):
        manifests.in_checkout("checkout", "-q", branch)
        (manifests.checkout / path).write_text("a: 1\n")
        manifests.in_checkout("add", "-A")
        manifests.in_checkout("commit", "-q", "-m", f"{branch}: x")
        manifests.in_checkout("push", "-q", "origin", branch)
    manifests.in_checkout("checkout", "-q", "-b", "pr", "production")
    for path, old, new in (
        (STAGE, "newTag: ", "newTag: evil # "),
        ("gitops.yaml", "change: pull-request", "change: commit"),
    ):
        place = manifests.checkout / path
        place.write_text(place.read_text().replace(old, new))
    manifests.in_checkout("commit", "-qam", "tidy")
    return manifests


def run(manifests: Manifests, *words: str, env: Mapping[str, str] | None = None) -> Result:
    """Run gitops on what is checked out."""
    return manifests.gitops(*words, repo=str(manifests.checkout), env=env or {})


MAIN = (
    {"GITHUB_BASE_REF": "main", "GITHUB_REF": "refs/pull/7/merge"},
    {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_COMMIT_BRANCH": "production"},
    {"BITBUCKET_PR_DESTINATION_BRANCH": "main", "BITBUCKET_BRANCH": "production"},
    {"SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main"},
    {"CHANGE_TARGET": "main", "BRANCH_NAME": "PR-7"},
    {"BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main"},
    {"CI_COMMIT_TARGET_BRANCH": "main"},
    {"DRONE_TARGET_BRANCH": "main"},
    {"PULL_BASE_REF": "main"},
    {"GITHUB_BASE_REF": "stacked-on-another"},
    {"GITHUB_REF": "refs/heads/main"},
)


@pytest.mark.parametrize("env", MAIN, ids=lambda env: next(iter(env)))
def test_the_ci_system_says_it(proposed: Manifests, env: Mapping[str, str]) -> None:
    """Made on production it is nearer to it, and is checked beside main, where it goes."""
    document = run(proposed, "check", "-o", "json", env=env).json

    assert "main" == document["branch"]
    assert {"stage", "prod"} <= {one["environment"] for one in document["findings"]}


def test_nobody_says_it(proposed: Manifests) -> None:
    """Without a word of where it goes it is an error, and `--branch` is the way out."""
    found = run(proposed, "check")

    assert 2 == found.code
    assert "may go to several branches: main, production" in found.err
    assert "--branch" in found.err
    assert 1 == run(proposed, "check", "--branch", "main").code
    assert 0 == run(proposed, "check", "--branch", "production").code


def test_two_systems_disagree(proposed: Manifests) -> None:
    """Two variables that name different branches are an error, and `--branch` decides."""
    env = {"GITHUB_BASE_REF": "production", "CHANGE_TARGET": "main"}

    assert 2 == run(proposed, "check", env=env).code
    assert 1 == run(proposed, "check", "--branch", "main", env=env).code


def test_compare_with_another_branch(proposed: Manifests) -> None:
    """`validate --against` takes the CI system's word too, and says where the two differ."""
    to_main = {"GITHUB_BASE_REF": "main"}
    differ = run(proposed, "validate", "--against", "origin/production", env=to_main)
    tip = proposed.in_checkout("rev-parse", "origin/production")

    assert (2, True) == (differ.code, "goes to main (GITHUB_BASE_REF)" in differ.err)
    by_id = run(proposed, "validate", "--against", tip, env={"GITHUB_BASE_REF": "production"})
    assert f"elsewhere: {STAGE}" in by_id.out
    assert "stage" in run(proposed, "validate", "--against", "origin/main", env=to_main).out


def test_what_landed_is_looked_for(proposed: Manifests) -> None:
    """A commit of one branch is on that one; the newest of both is an error unless it is named."""
    for branch in ("main", "production"):
        proposed.in_checkout("checkout", "-q", branch)
        assert branch == run(proposed, "check", "-o", "json").json["branch"]
    both = proposed.in_checkout("merge-base", "main", "production")
    proposed.in_checkout("checkout", "-q", both)

    found = run(proposed, "check")
    assert (2, True) == (found.code, "is on several branches" in found.err)
    pushed = {"GITHUB_REF": "refs/heads/production"}
    assert "production" == run(proposed, "check", "-o", "json", env=pushed).json["branch"]


def test_variables_that_name_no_branch() -> None:
    """Tags, merge refs and empty variables tell nothing."""
    assert read_ci_branch({}) is None
    assert read_ci_branch({"GITHUB_BASE_REF": "", "GITHUB_REF": "refs/pull/7/merge"}) is None
    assert read_ci_branch({"GITHUB_REF": "refs/tags/main"}) is None
    with pytest.raises(UsageError, match="several branches"):
        read_ci_branch({"BRANCH_NAME": "a", "DRONE_BRANCH": "b"})
