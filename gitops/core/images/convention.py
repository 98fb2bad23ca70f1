"""What the image of a build is called: one rule for builds, for `accepts`, and for cleaning up.

`feature/login` at 5f2c5f2… is `feature-login-5f2c5f2`, `main` is `main-5f2c5f2`; a build of the Git
tag `v1.4.0-rc.3` is `1.4.0-rc.3`.
"""

from __future__ import annotations

import re
from hashlib import sha256

from msgspec import Struct

from gitops.errors import UsageError

DIGITS = 7
"""Of the commit that a tag ends with."""

_LONGEST = 128  # characters of a tag (OCI distribution spec 1.1)
_VERSION = re.compile(r"v?(?P<version>[0-9]+(?:\.[0-9]+){1,3}(?:[-+][0-9A-Za-z.+-]+)?)")
_BUILD = re.compile(rf"(?P<slug>.+)-(?P<commit>[0-9a-f]{{{DIGITS}}})", re.S)


class BuildTag(Struct, frozen=True):
    """What the tag of a branch's build says.

    Attributes:
        slug: of the branch, see `slug_of`.
        commit: the first digits of the source commit.
    """

    slug: str
    commit: str


def slug_of(branch: str) -> str:
    """Return a branch's name as a tag can have it: `feature/login` is `feature-login`.

    What is cut gets digits of a hash, so that two long names stay two.
    """
    text = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._-]", "-", branch)).strip("-.")
    longest = _LONGEST - DIGITS - 1
    if not text:
        text = "branch"
    if len(text) > longest:
        mark = sha256(branch.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        text = f"{text[: longest - 9].rstrip('-.')}-{mark}"
    return text


def tag_for(ref: str, commit: str | None) -> str:
    """Return the tag of an image that was built from `ref` (a branch, `refs/tags/…`) at `commit`.

    Raises UsageError for a Git tag that is no version, and for a branch without a commit.
    """
    if ref.startswith("refs/tags/"):
        name = ref.removeprefix("refs/tags/")
        found = _VERSION.fullmatch(name.rpartition("/")[2])
        if found is None or len(name) > _LONGEST:
            raise UsageError(
                f"the Git tag {name!r} is no version: v1.4.0, 1.4.0-rc.3",
                hint="builds of other tags are called by their branch: --ref BRANCH --commit SHA",
            )
        return found["version"].replace("+", "_")
    if commit is None:
        raise UsageError("--commit says which commit of the branch was built")
    return f"{slug_of(ref.removeprefix('refs/heads/'))}-{commit[:DIGITS]}"


def read_tag(tag: str) -> BuildTag | None:
    """Return what the tag of a branch's build says, None for any other tag."""
    found = _BUILD.fullmatch(tag)
    return BuildTag(found["slug"], found["commit"]) if found is not None else None
