"""Which branch a CI job is about, as its system's variables tell.

A change may look like one to any branch: who proposes it also chooses what it is made on. So the
system is believed, which knows where it goes, and nothing that the change brings along.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from gitops.core.text.plain import one_line
from gitops.errors import UsageError

# The branch that a pull request goes to: GitHub, Gitea and Forgejo; GitLab; Bitbucket; Azure
# Pipelines; Jenkins; Buildkite; Woodpecker; Drone; Prow.
_TARGETS = (
    *("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "BITBUCKET_PR_DESTINATION_BRANCH"),
    *("SYSTEM_PULLREQUEST_TARGETBRANCH", "CHANGE_TARGET", "BUILDKITE_PULL_REQUEST_BASE_BRANCH"),
    *("CI_COMMIT_TARGET_BRANCH", "DRONE_TARGET_BRANCH", "PULL_BASE_REF"),
)
# The branch that was pushed to, where a job is about no pull request.
_PUSHED = (
    *("GITHUB_REF", "CI_COMMIT_BRANCH", "BITBUCKET_BRANCH", "BUILD_SOURCEBRANCH", "BRANCH_NAME"),
    *("BUILDKITE_BRANCH", "DRONE_BRANCH"),
)
_HEADS = "refs/heads/"


class CiBranch(Struct, frozen=True):
    """A branch, and the variable that names it.

    Attributes:
        proposed: a pull request goes to it; else it was pushed to.
    """

    name: str
    variable: str
    proposed: bool


def read_ci_branch(environ: Mapping[str, str]) -> CiBranch | None:
    """Return the branch that a CI job is about, None where no system tells one.

    Raises UsageError when variables of two systems disagree.
    """
    for names, proposed in ((_TARGETS, True), (_PUSHED, False)):
        found = {
            name: environ[name].removeprefix(_HEADS)
            for name in names
            # `refs/pull/7/merge` and tags are no branches.
            if environ.get(name) and not environ[name].removeprefix(_HEADS).startswith("refs/")
        }
        if len(set(found.values())) > 1:
            told = ", ".join(f"{name}={one_line(value, 60)}" for name, value in found.items())
            raise UsageError(
                f"CI variables name several branches ({told})",
                hint="say which one the change goes to: --branch NAME",
            )
        if found:
            variable, branch = next(iter(found.items()))
            return CiBranch(branch, variable, proposed)
    return None
