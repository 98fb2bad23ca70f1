"""A source revision as commits record it: `release/1.4@sha1:…`, or the branch alone."""

from __future__ import annotations

import re

from msgspec import Struct

_REVISION = r"(?P<branch>.+)@sha(?:1|256):(?P<commit>[0-9a-f]{40}|[0-9a-f]{64})"


class Revision(Struct, frozen=True):
    """Where an image was built from.

    Attributes:
        branch: short name of the source branch.
        commit: all digits of the source commit; None when only the branch is known.
    """

    branch: str
    commit: str | None = None


def parse_revision(text: str | None) -> Revision | None:
    """Read the value of a `Source-Revision` trailer; None where there is none, or an empty one."""
    word = (text or "").strip()
    found = re.fullmatch(_REVISION, word)
    if found is not None:
        return Revision(found["branch"], found["commit"])
    return Revision(word) if word else None
