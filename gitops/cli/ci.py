"""Which branch and commit a CI job builds: what `--ref auto` reads from the job's variables."""

from __future__ import annotations

from collections.abc import Mapping

from gitops.errors import UsageError

# For a pull or merge request the source branch, else the branch; in the words of each CI system.
_BRANCHES = (
    "GITHUB_HEAD_REF",  # GitHub Actions, Gitea and Forgejo Actions
    "GITHUB_REF_NAME",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",  # GitLab CI
    "CI_COMMIT_BRANCH",
)
_KIND = "GITHUB_REF_TYPE"
_TAG = "CI_COMMIT_TAG"
JOB_VARIABLES = (*_BRANCHES, _KIND, _TAG)
"""What `--ref auto` reads, in this order."""


def branch_of_job(environ: Mapping[str, str]) -> str:
    """Return the source branch that a CI job builds.

    Raises UsageError outside of a job that says it, and for a job that builds a tag.
    """
    tag = environ.get("GITHUB_REF_NAME") if environ.get(_KIND) == "tag" else environ.get(_TAG)
    if tag:
        raise refused_tag(tag)
    for name in _BRANCHES:
        if environ.get(name):
            return environ[name]
    asked = ", ".join(_BRANCHES)
    raise UsageError(
        "--ref auto finds no branch: this is no CI job that it knows",
        hint=f"it reads {asked}; else name the branch: --ref main",
    )


def check_ref(ref: str) -> str:
    """Return the branch that `--ref` names. Raises UsageError for a tag or another kind of ref."""
    if ref.startswith("refs/tags/"):
        raise refused_tag(ref.removeprefix("refs/tags/"))
    if ref.startswith("refs/") and not ref.startswith("refs/heads/"):
        raise UsageError(f"--ref {ref} is no branch", hint="name one: --ref main")
    return ref


def refused_tag(tag: str) -> UsageError:
    """Return the error for a tag: no environment follows one."""
    return UsageError(
        f"{tag} is a tag, and environments follow branches",
        hint="name the branch that it was made on: --ref release/1.4",
    )
