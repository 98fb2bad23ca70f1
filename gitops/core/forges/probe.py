"""Which forge answers at a host: what to ask, without a token, and what the answers mean.

Facts: Gitea and Forgejo tell their version to everybody (`/api/v1/version`), and a Forgejo's holds
the Gitea version that it grew from; GitLab refuses `/api/v4/version` in words of its own; GitHub
Enterprise Server answers `/api/v3/meta`, or refuses it with a link to its documentation; Bitbucket
Data Center tells its name and version to everybody. Azure DevOps Server asks everybody to sign in,
in no words of its own: it is named in `gitops.yaml`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from msgspec import Struct

from gitops.core.environments.environment import ForgeKind

_BITBUCKET = "/rest/api/1.0/application-properties"
QUESTIONS = ("/api/v1/version", "/api/v4/version", "/api/v3/meta", _BITBUCKET)
"""Paths to GET, one after the other, until an answer is recognised."""

LONGEST_ANSWER = 65536
"""Bytes of an answer that are looked at."""


class ProbeAnswer(Struct, frozen=True):
    """What a host said to one question. Header names are in lower case."""

    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def recognise(answer: ProbeAnswer) -> ForgeKind | None:
    """Return the kind of forge that says such a thing, None when it tells nothing."""
    said = _json(answer.body)
    message = str(said.get("message", ""))
    if answer.path == "/api/v1/version":
        version = said.get("version")
        if answer.status == 200 and isinstance(version, str):
            return "forgejo" if "gitea-" in version or "forgejo" in version else "gitea"
        # REQUIRE_SIGNIN_VIEW
        if answer.status in (401, 403) and "signed in user is allowed to call API" in message:
            return "gitea"
    if answer.path == "/api/v4/version":
        refused = answer.status == 401 and message == "401 Unauthorized"
        if refused or (answer.status == 200 and {"version", "revision"} <= said.keys()):
            return "gitlab"
    if answer.path == "/api/v3/meta":
        documented = "docs.github.com" in str(said.get("documentation_url", ""))
        if "x-github-enterprise-version" in answer.headers or documented:
            return "github"
        if answer.status == 200 and "verifiable_password_authentication" in said:
            return "github"
    if (
        answer.path == _BITBUCKET
        and answer.status == 200
        and said.get("displayName") == "Bitbucket"
    ):
        return "bitbucket"
    return None


def _json(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
