"""What a CI job builds, as its system's variables tell: a branch or a tag, and the commit.

A pull request's branch is named by whoever opened it. From a fork it may be called like any branch
of ours, and `main` of a stranger is not `main`: so a build of a fork has no branch here, and where
a system does not tell forks apart a pull request has none.

Sources: the pages on predefined variables of GitHub Actions, GitLab CI/CD, Jenkins (multibranch
pipelines), Buildkite, CircleCI, Azure Pipelines, Bitbucket Pipelines, Drone and Woodpecker, read in
2026. Tekton and Argo Workflows set none: their tasks pass `GITOPS_REF`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from gitops.core.text.plain import one_line
from gitops.core.unstructured import at, table
from gitops.errors import UsageError

_HEADS, _TAGS = "refs/heads/", "refs/tags/"


class CiBuild(Struct, frozen=True):
    """One system's word on the job.

    Attributes:
        system: its name.
        branch: the source branch; None for a tag, and where nobody can tell.
        tag: the Git tag that is built.
        commit: the source commit; None where the system builds a merge of its own.
        foreign: the branch is a fork's, or may be one's.
    """

    system: str
    branch: str | None = None
    tag: str | None = None
    commit: str | None = None
    foreign: bool = False


Environ = Mapping[str, str]

VARIABLES = (
    *("GITOPS_REF", "GITOPS_SOURCE_COMMIT", "GITHUB_HEAD_REF", "GITHUB_REF_NAME"),
    *("GITHUB_REF_TYPE", "GITHUB_SHA", "GITHUB_EVENT_PATH", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
    *("CI_COMMIT_BRANCH", "CI_COMMIT_TAG", "CI_COMMIT_SHA", "CHANGE_BRANCH", "CHANGE_FORK"),
    *("BRANCH_NAME", "GIT_BRANCH", "TAG_NAME", "GIT_COMMIT", "BUILDKITE_BRANCH", "BUILDKITE_TAG"),
    *("BUILDKITE_COMMIT", "BUILDKITE_PULL_REQUEST_REPO", "CIRCLE_BRANCH", "CIRCLE_TAG"),
    *("CIRCLE_SHA1", "CIRCLE_PR_USERNAME", "BUILD_SOURCEBRANCH", "BUILD_SOURCEVERSION"),
    *("SYSTEM_PULLREQUEST_SOURCEBRANCH", "SYSTEM_PULLREQUEST_ISFORK", "BITBUCKET_BRANCH"),
    *("BITBUCKET_TAG", "BITBUCKET_COMMIT", "DRONE_BRANCH", "DRONE_TAG", "DRONE_COMMIT_SHA"),
    *("DRONE_BUILD_EVENT", "CI_PIPELINE_EVENT"),
)
"""What is read, for the reference page."""


def read_ci_build(environ: Environ, event: Mapping[str, Any] | None = None) -> CiBuild:
    """Return what the job builds. `event` is GitHub's (`GITHUB_EVENT_PATH`), where there is one.

    Raises UsageError where no system tells, where two disagree, for a branch of a fork, and for a
    name that no branch has.
    """
    own = environ.get("GITOPS_REF", "")
    if own:
        return _checked(_of_ref("GITOPS_REF", own, environ.get("GITOPS_SOURCE_COMMIT")))
    found = list(_told(environ, event))
    names = {(one.branch, one.tag, one.foreign) for one in found}
    if len(names) > 1:
        told = ", ".join(
            f"{one.system}: {one_line(one.branch or one.tag or '-', 60)}" for one in found
        )
        raise UsageError(
            f"CI variables name several branches ({told})",
            hint="say which one was built: --ref BRANCH",
        )
    if not found:
        raise UsageError(
            "--ref auto finds no branch: this is no CI job that it knows",
            hint="it reads GITOPS_REF, and the variables of GitHub, GitLab, Jenkins, Buildkite, "
            "CircleCI, Azure Pipelines, Bitbucket, Drone and Woodpecker; else name the branch: "
            "--ref main",
        )
    return _checked(found[0])


def _told(environ: Environ, event: Mapping[str, Any] | None) -> Iterator[CiBuild]:
    readers: tuple[Callable[[Environ], CiBuild | None], ...] = (
        lambda one: _github(one, event),
        *(_gitlab, _jenkins, _buildkite, _circle, _azure, _bitbucket, _drone, _woodpecker),
    )
    for read in readers:
        found = read(environ)
        if found is not None:
            yield found


def _of_ref(system: str, ref: str, commit: str | None) -> CiBuild:
    """Read a ref as `refs/heads/…`, `refs/tags/…` or a plain branch."""
    if ref.startswith(_TAGS):
        return CiBuild(system, tag=ref.removeprefix(_TAGS), commit=commit or None)
    return CiBuild(system, ref.removeprefix(_HEADS), commit=commit or None)


def _first(environ: Environ, *names: str) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


def _checked(build: CiBuild) -> CiBuild:
    if build.foreign:
        raise UsageError(
            f"{build.system} builds a pull request of a fork, or does not tell: its branch is not "
            "one of yours",
            hint="deploy after the merge; or say on whose word it counts as one: --ref BRANCH",
        )
    name = build.branch or build.tag or ""
    if not name or name.startswith(("-", "refs/")) or not name.isprintable() or " " in name:
        raise UsageError(
            f"{build.system} names {one_line(name, 60)!r}, which is no branch",
            hint="name the branch that was built: --ref main",
        )
    return build


def _github(environ: Environ, event: Mapping[str, Any] | None) -> CiBuild | None:
    name = _first(environ, "GITHUB_REF_NAME")
    head = _first(environ, "GITHUB_HEAD_REF")
    if name is None and head is None:
        return None
    if head is None:
        if environ.get("GITHUB_REF_TYPE") == "tag":
            return CiBuild("GitHub", tag=name, commit=_first(environ, "GITHUB_SHA"))
        return CiBuild("GitHub", name, commit=_first(environ, "GITHUB_SHA"))
    # GITHUB_SHA is a merge that nobody sees again, or (pull_request_target) the base.
    pull = table(event, "pull_request")
    there, commit = table(pull, "head"), None
    if there:
        owner = at(there, "repo", "full_name")
        ours = at(pull, "base", "repo", "full_name")
        foreign = owner is None or owner != ours  # a fork that was deleted has no name
        sha = there.get("sha")
        commit = sha if isinstance(sha, str) else None
    else:
        foreign = environ.get("GITHUB_EVENT_NAME") == "pull_request_target"
    return CiBuild("GitHub", head, commit=commit, foreign=foreign)


def _gitlab(environ: Environ) -> CiBuild | None:
    if environ.get("CI") == "woodpecker":
        return None  # it has a variable of the same name, with another meaning
    commit = _first(environ, "CI_COMMIT_SHA")
    if tag := _first(environ, "CI_COMMIT_TAG"):
        return CiBuild("GitLab", tag=tag, commit=commit)
    if head := _first(environ, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"):
        source = environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "")
        foreign = source != environ.get("CI_MERGE_REQUEST_PROJECT_ID", "")
        return CiBuild("GitLab", head, commit=commit, foreign=foreign)
    branch = _first(environ, "CI_COMMIT_BRANCH")
    return CiBuild("GitLab", branch, commit=commit) if branch else None


def _jenkins(environ: Environ) -> CiBuild | None:
    commit = _first(environ, "GIT_COMMIT")
    if head := _first(environ, "CHANGE_BRANCH"):
        return CiBuild("Jenkins", head, foreign=bool(environ.get("CHANGE_FORK")))
    if tag := _first(environ, "TAG_NAME"):
        return CiBuild("Jenkins", tag=tag, commit=commit)
    branch = _first(environ, "BRANCH_NAME")
    if branch is None and (remote := _first(environ, "GIT_BRANCH")):
        branch = remote.removeprefix("origin/")
    return CiBuild("Jenkins", branch, commit=commit) if branch else None


def _buildkite(environ: Environ) -> CiBuild | None:
    commit = _first(environ, "BUILDKITE_COMMIT")
    commit = None if commit == "HEAD" else commit
    if tag := _first(environ, "BUILDKITE_TAG"):
        return CiBuild("Buildkite", tag=tag, commit=commit)
    branch = _first(environ, "BUILDKITE_BRANCH")
    if branch is None:
        return None
    theirs = environ.get("BUILDKITE_PULL_REQUEST_REPO", "")
    # A fork's repository is another one, and its branch may stand behind its owner's name.
    foreign = bool(theirs) and _same(theirs) != _same(environ.get("BUILDKITE_REPO", ""))
    return CiBuild("Buildkite", branch, commit=commit, foreign=foreign)


def _same(url: str) -> str:
    """Return the path of a repository's address, however it is spelled."""
    path = url.partition("://")[2].partition("/")[2] if "://" in url else url.rpartition(":")[2]
    return path.removesuffix("/").removesuffix(".git").lower()


def _circle(environ: Environ) -> CiBuild | None:
    commit = _first(environ, "CIRCLE_SHA1")
    if tag := _first(environ, "CIRCLE_TAG"):
        return CiBuild("CircleCI", tag=tag, commit=commit)
    branch = _first(environ, "CIRCLE_BRANCH")
    if branch is None:
        return None
    fork = environ.get("CIRCLE_PR_USERNAME") or environ.get("CIRCLE_PR_REPONAME")
    foreign = bool(fork) or branch.startswith("pull/")
    return CiBuild("CircleCI", branch, commit=commit, foreign=foreign)


def _azure(environ: Environ) -> CiBuild | None:
    if head := _first(environ, "SYSTEM_PULLREQUEST_SOURCEBRANCH"):
        foreign = environ.get("SYSTEM_PULLREQUEST_ISFORK", "").lower() != "false"
        return CiBuild("Azure Pipelines", head.removeprefix(_HEADS), foreign=foreign)
    ref = _first(environ, "BUILD_SOURCEBRANCH")
    return _of_ref("Azure Pipelines", ref, _first(environ, "BUILD_SOURCEVERSION")) if ref else None


def _bitbucket(environ: Environ) -> CiBuild | None:
    commit = _first(environ, "BITBUCKET_COMMIT")
    if tag := _first(environ, "BITBUCKET_TAG"):
        return CiBuild("Bitbucket", tag=tag, commit=commit)
    branch = _first(environ, "BITBUCKET_BRANCH")
    return CiBuild("Bitbucket", branch, commit=commit) if branch else None


def _drone(environ: Environ) -> CiBuild | None:
    commit = _first(environ, "DRONE_COMMIT_SHA")
    if tag := _first(environ, "DRONE_TAG"):
        return CiBuild("Drone", tag=tag, commit=commit)
    branch = _first(environ, "DRONE_SOURCE_BRANCH", "DRONE_BRANCH")
    if branch is None:
        return None
    foreign = environ.get("DRONE_BUILD_EVENT") == "pull_request"
    return CiBuild("Drone", branch, commit=commit, foreign=foreign)


def _woodpecker(environ: Environ) -> CiBuild | None:
    if environ.get("CI") != "woodpecker":
        return None
    commit = _first(environ, "CI_COMMIT_SHA")
    if tag := _first(environ, "CI_COMMIT_TAG"):
        return CiBuild("Woodpecker", tag=tag, commit=commit)
    branch = _first(environ, "CI_COMMIT_SOURCE_BRANCH", "CI_COMMIT_BRANCH")
    if branch is None:
        return None
    foreign = environ.get("CI_PIPELINE_EVENT", "").startswith("pull_request")
    return CiBuild("Woodpecker", branch, commit=commit, foreign=foreign)
