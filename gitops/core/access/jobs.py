"""Which job of a CI system a token is from: by claims that only one project can have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitops.core.environments.rows import STATIC, JobRow

_PINS = {"github": "repository_id", "gitlab": "project_id", "kubernetes": "sub"}
"""What names one project (a service account) for ever: names can be given to somebody else."""

_FORKS = (
    *("pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment"),
    *("merge_request_event", "external_pull_request_event"),
)
"""Events in which somebody else's code may run under the name of the project."""


def explain_claims(issuer: str, claims: Mapping[str, str]) -> str | None:
    """Say what is wrong with the claims that a row asks for; None: they name one project.

    `issuer` is a word of `jobs:`, or the kind that the server's settings give it.
    """
    if issuer == STATIC:
        return "a fixed token says nothing: leave them out" if claims else None
    if not claims:
        return "is missing: without it the token of any project would do"
    pin = _PINS.get(issuer)
    if issuer == "github" and "sub" in claims:
        return "the form of `sub` has changed at GitHub: name repository_id, ref, environment"
    if pin is not None and pin not in claims:
        return f"needs {pin}: a name can be somebody else's one day, and the rest anybody's"
    for name in ("event_name", "pipeline_source"):
        if claims.get(name) in _FORKS:
            return f"{name} cannot be {claims[name]}: strangers' code runs in it"
    return None


def find_jobs(
    rows: Iterable[JobRow], issuer: str, kind: str, claims: Mapping[str, object]
) -> tuple[JobRow, ...]:
    """Return the jobs that a proved token is from.

    Args:
        issuer: the word in the server's settings for whoever signed it.
        kind: what that is: github, gitlab, kubernetes, or other.
        claims: what the token says; texts, numbers and yes/no are compared as text, nothing else
            ever fits.
    """
    if any(claims.get(name) in _FORKS for name in ("event_name", "pipeline_source")):
        return ()
    return tuple(
        row
        for row in rows
        if row.issuer == issuer
        and explain_claims(kind, dict(row.claims)) is None
        and row.claims
        and all(_said(claims.get(name)) == value for name, value in row.claims)
    )


def branch_of(kind: str, claims: Mapping[str, object]) -> str | None:
    """Return the source branch that a token proves, None where it proves none."""
    ref = claims.get("ref")
    if not isinstance(ref, str):
        return None
    if kind == "gitlab":
        return ref if claims.get("ref_type") == "branch" else None
    found = ref.removeprefix("refs/heads/")
    return found if kind == "github" and found != ref else None


def ref_of(kind: str, claims: Mapping[str, object]) -> str | None:
    """Return what a token is of that proves no branch: `refs/tags/v1`, `refs/pull/7/merge`."""
    ref = claims.get("ref")
    if kind not in ("github", "gitlab") or not isinstance(ref, str):
        return None
    is_tag = kind == "gitlab" and claims.get("ref_type") == "tag"
    return f"refs/tags/{ref}" if is_tag else ref


def commit_of(kind: str, claims: Mapping[str, object]) -> str | None:
    """Return the source commit that a token proves."""
    sha = claims.get("sha") if kind in ("github", "gitlab") else None
    return sha if isinstance(sha, str) else None


def _said(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None
