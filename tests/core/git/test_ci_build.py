"""What a CI job builds: each system's words, and names that somebody else chose."""

from __future__ import annotations

import pytest

from gitops.core.git.ci_build import VARIABLES, CiBuild, read_ci_build
from gitops.errors import UsageError

SHA = "5f2c" * 10
OURS = {"full_name": "shop/api"}


def pull(owner: str) -> dict[str, object]:
    """What GitHub tells of a pull request from a repository."""
    head = {"repo": {"full_name": owner}, "sha": SHA}
    return {"pull_request": {"head": head, "base": {"repo": OURS}}}


PUSHES = {
    "GitHub": {"GITHUB_REF_NAME": "main", "GITHUB_REF_TYPE": "branch", "GITHUB_SHA": SHA},
    "GitLab": {"CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": SHA, "CI": "true"},
    "Jenkins": {"BRANCH_NAME": "main", "GIT_BRANCH": "main", "GIT_COMMIT": SHA},
    "Buildkite": {
        "BUILDKITE_BRANCH": "main",
        "BUILDKITE_COMMIT": SHA,
        "BUILDKITE_PULL_REQUEST": "false",
        "BUILDKITE_PULL_REQUEST_REPO": "",
    },
    "CircleCI": {"CIRCLE_BRANCH": "main", "CIRCLE_SHA1": SHA},
    "Azure Pipelines": {"BUILD_SOURCEBRANCH": "refs/heads/main", "BUILD_SOURCEVERSION": SHA},
    "Bitbucket": {"BITBUCKET_BRANCH": "main", "BITBUCKET_COMMIT": SHA},
    "Drone": {"DRONE_BRANCH": "main", "DRONE_COMMIT_SHA": SHA, "DRONE_BUILD_EVENT": "push"},
    "Woodpecker": {"CI": "woodpecker", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": SHA},
    "GITOPS_REF": {"GITOPS_REF": "refs/heads/main", "GITOPS_SOURCE_COMMIT": SHA},
}
TAGS = {
    "GitHub": {"GITHUB_REF_NAME": "v1", "GITHUB_REF_TYPE": "tag"},
    "GitLab": {"CI_COMMIT_TAG": "v1"},
    "Jenkins": {"TAG_NAME": "v1", "BRANCH_NAME": "v1"},
    "Buildkite": {"BUILDKITE_TAG": "v1", "BUILDKITE_BRANCH": "v1"},
    "CircleCI": {"CIRCLE_TAG": "v1"},
    "Azure Pipelines": {"BUILD_SOURCEBRANCH": "refs/tags/v1"},
    "Bitbucket": {"BITBUCKET_TAG": "v1"},
    "Drone": {"DRONE_TAG": "v1", "DRONE_BRANCH": "main"},
    "Woodpecker": {"CI": "woodpecker", "CI_COMMIT_TAG": "v1"},
    "GITOPS_REF": {"GITOPS_REF": "refs/tags/v1"},
}
MERGE_REQUEST = "CI_MERGE_REQUEST_SOURCE_PROJECT_ID"
FORKS = (
    {"GITHUB_HEAD_REF": "main", "GITHUB_EVENT_NAME": "pull_request_target"},
    {
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "main",
        MERGE_REQUEST: "9",
        "CI_MERGE_REQUEST_PROJECT_ID": "7",
    },
    {"CHANGE_BRANCH": "main", "CHANGE_FORK": "mallory"},
    {
        "BUILDKITE_BRANCH": "mallory:main",
        "BUILDKITE_PULL_REQUEST_REPO": "https://github.com/mallory/api.git",
        "BUILDKITE_REPO": "git@github.com:shop/api.git",
    },
    {"CIRCLE_BRANCH": "pull/7", "CIRCLE_PR_USERNAME": "mallory"},
    {
        "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/main",
        "SYSTEM_PULLREQUEST_ISFORK": "True",
        "BUILD_SOURCEBRANCH": "refs/pull/7/merge",
    },
    {"DRONE_BRANCH": "main", "DRONE_BUILD_EVENT": "pull_request"},
    {"CI": "woodpecker", "CI_COMMIT_BRANCH": "main", "CI_PIPELINE_EVENT": "pull_request"},
)


@pytest.mark.parametrize("system", PUSHES)
def test_pushed_branch(system: str) -> None:
    """Each system's branch and commit."""
    assert CiBuild(system, "main", commit=SHA) == read_ci_build(PUSHES[system])


@pytest.mark.parametrize("system", TAGS)
def test_tag(system: str) -> None:
    """Each system's tag is one, and no branch."""
    assert CiBuild(system, tag="v1") == read_ci_build(TAGS[system])


@pytest.mark.parametrize("variables", FORKS, ids=lambda one: next(iter(one)))
def test_fork(variables: dict[str, str]) -> None:
    """A stranger's branch that is called `main` is not `main`."""
    with pytest.raises(UsageError, match="fork"):
        read_ci_build(variables)


def test_pull_request_of_ones_own() -> None:
    """A pull request from the repository itself has the branch that it comes from."""
    github = {"GITHUB_HEAD_REF": "feature/x", "GITHUB_REF_NAME": "7/merge", "GITHUB_SHA": "9" * 40}
    gitlab = {
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/x",
        MERGE_REQUEST: "7",
        "CI_MERGE_REQUEST_PROJECT_ID": "7",
    }
    jenkins = {"CHANGE_BRANCH": "feature/x", "BRANCH_NAME": "PR-7"}
    buildkite = {
        "BUILDKITE_BRANCH": "feature/x",
        "BUILDKITE_PULL_REQUEST_REPO": "https://github.com/shop/api.git",
        "BUILDKITE_REPO": "git@github.com:shop/api.git",
    }

    # GITHUB_SHA is a merge commit that no branch ever has.
    assert CiBuild("GitHub", "feature/x", commit=SHA) == read_ci_build(github, pull("shop/api"))
    for variables in (gitlab, jenkins, buildkite):
        assert "feature/x" == read_ci_build(variables).branch


@pytest.mark.parametrize("event", [pull("mallory/api"), {"pull_request": {"head": {"repo": None}}}])
def test_event_tells_forks(event: dict[str, object]) -> None:
    """By GitHub's event the head is a fork's, also one that is gone; without a head it is not."""
    variables = {"GITHUB_HEAD_REF": "main", "GITHUB_REF_NAME": "7/merge"}
    with pytest.raises(UsageError, match="fork"):
        read_ci_build(variables, event)

    assert "main" == read_ci_build(variables, {"pull_request": 7}).branch


@pytest.mark.parametrize("name", ["-x", "a b", "a\nGitops-Id: 1", "refs/pull/7/merge", "a\x1b[2J"])
def test_what_no_branch_is_called(name: str) -> None:
    """A name that would be an option, a line or a command of a terminal is none."""
    with pytest.raises(UsageError, match="is no branch") as raised:
        read_ci_build({"GITHUB_REF_NAME": name})

    assert raised.value.message.isprintable()


def test_systems_that_disagree() -> None:
    """Where variables of two systems name two branches nobody guesses; one word twice is one."""
    both = {"GITHUB_REF_NAME": "main", "CI_COMMIT_BRANCH": "main"}

    assert "main" == read_ci_build(both).branch
    with pytest.raises(UsageError, match="several branches"):
        read_ci_build(both | {"CI_COMMIT_BRANCH": "release/1.4"})


def test_nobody_tells() -> None:
    """Outside of a job the ways out are named."""
    with pytest.raises(UsageError, match="no branch") as raised:
        read_ci_build({"CI": "true"})

    assert "--ref main" in (raised.value.hint or "")


def test_variables_are_told() -> None:
    """The reference page names every variable that decides."""
    used = {name for one in (*PUSHES.values(), *TAGS.values()) for name in one}

    assert used - {*VARIABLES} <= {"CI", "BUILDKITE_PULL_REQUEST"}
