"""Who writes: `GITOPS_AUTHOR`, Git's own identity, the CI system's variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gitops.adapters.gitrepo.objects.codec import plain
from gitops.core.git.commit import Identity
from gitops.errors import NotFound, UsageError

# (name, address) of whoever started a job, in the words of each CI system's documentation.
_CI = (
    ("GITLAB_USER_NAME", "GITLAB_USER_EMAIL"),
    ("BUILD_USER", "BUILD_USER_EMAIL"),  # Jenkins, build user vars plugin
    ("BUILDKITE_BUILD_CREATOR", "BUILDKITE_BUILD_CREATOR_EMAIL"),
    ("BUILD_REQUESTEDFOR", "BUILD_REQUESTEDFOREMAIL"),  # Azure Pipelines
    ("DRONE_COMMIT_AUTHOR", "DRONE_COMMIT_AUTHOR_EMAIL"),
    ("CI_COMMIT_AUTHOR_NAME", "CI_COMMIT_AUTHOR_EMAIL"),
)


def find_identity(environ: Mapping[str, str], setting: Callable[[str], str | None]) -> Identity:
    """Return who writes.

    `setting` returns a value of Git's configuration. Raises UsageError for a malformed
    `GITOPS_AUTHOR`, NotFound when nobody is known.
    """
    found = _from_own_variable(environ)
    found = found or _from_git_variables(environ, setting, "author")
    found = found or _from_git_settings(environ, setting)
    found = found or _from_ci(environ)
    if found is None:
        raise NotFound(
            "nobody is known to be the author of the commit",
            hint='set GITOPS_AUTHOR="Name <mail@example.com>", or git config --global user.name '
            "and user.email",
        )
    return found


def find_committer(
    environ: Mapping[str, str], setting: Callable[[str], str | None]
) -> Identity | None:
    """Return who commits, as Git's variables for that say; None: the author does."""
    return _from_git_variables(environ, setting, "committer")


def _identity(name: str | None, email: str | None) -> Identity | None:
    name, email = plain(name or ""), plain(email or "")
    return Identity(name, email) if name and email else None


def _from_own_variable(environ: Mapping[str, str]) -> Identity | None:
    text = environ.get("GITOPS_AUTHOR", "").strip()
    if not text:
        return None
    found = re.fullmatch(r"([^<>]*)<([^<>\s]+)>", text)
    identity = _identity(found[1], found[2]) if found else None
    if identity is None:
        raise UsageError(
            "GITOPS_AUTHOR must look like `Name <mail@example.com>`", hint=f"it is {text!r}"
        )
    return identity


def _from_git_variables(
    environ: Mapping[str, str], setting: Callable[[str], str | None], role: str
) -> Identity | None:
    """Take the variables; where only one of the two is set the configuration has the other."""
    name = environ.get(f"GIT_{role.upper()}_NAME")
    email = environ.get(f"GIT_{role.upper()}_EMAIL")
    if not name and not email:
        return None
    return _identity(name or setting("user.name"), email or setting("user.email"))


def _from_git_settings(
    environ: Mapping[str, str], setting: Callable[[str], str | None]
) -> Identity | None:
    return _identity(
        setting("author.name") or setting("user.name"),
        setting("author.email") or setting("user.email") or environ.get("EMAIL"),
    )


def _from_ci(environ: Mapping[str, str]) -> Identity | None:
    actor = environ.get("GITHUB_ACTOR")
    if actor:
        number = environ.get("GITHUB_ACTOR_ID")
        account = f"{number}+{actor}" if number else actor
        return _identity(actor, f"{account}@users.noreply.github.com")
    for name, email in _CI:
        found = _identity(environ.get(name), environ.get(email))
        if found is not None:
            return found
    return None
