"""What the answers of a host tell about which forge it is."""

from __future__ import annotations

import json

import pytest

from gitops.core.environments.environment import ForgeKind
from gitops.core.forges.probe import ProbeAnswer, recognise

SIGN_IN = {"message": "Only signed in user is allowed to call APIs."}
DOCS = "https://docs.github.com/enterprise-server@3.17/rest"


@pytest.mark.parametrize(
    ("path", "status", "headers", "said", "expected"),
    [
        ("/api/v1/version", 200, {}, {"version": "1.25.4"}, "gitea"),
        ("/api/v1/version", 200, {}, {"version": "1.26.0+dev-12-gabc"}, "gitea"),
        ("/api/v1/version", 200, {}, {"version": "12.0.1+gitea-1.22.0"}, "forgejo"),
        ("/api/v1/version", 403, {}, SIGN_IN, "gitea"),
        ("/api/v1/version", 403, {}, {"message": "no"}, None),
        ("/api/v1/version", 404, {}, {"version": "1.25.4"}, None),
        ("/api/v1/version", 200, {}, {"version": 1}, None),
        ("/api/v1/version", 200, {}, ["version"], None),
        ("/api/v4/version", 401, {}, {"message": "401 Unauthorized"}, "gitlab"),
        ("/api/v4/version", 200, {}, {"version": "18.5.1", "revision": "abc"}, "gitlab"),
        ("/api/v4/version", 200, {}, {"version": "18.5.1"}, None),
        ("/api/v4/version", 401, {}, {"message": "who are you?"}, None),
        ("/api/v3/meta", 200, {"x-github-enterprise-version": "3.17"}, {}, "github"),
        ("/api/v3/meta", 200, {}, {"verifiable_password_authentication": True}, "github"),
        ("/api/v3/meta", 401, {}, {"message": "Must", "documentation_url": DOCS}, "github"),
        ("/api/v3/meta", 404, {}, {"message": "Not Found"}, None),
        ("/api/v3/meta", 302, {"location": "https://github.com"}, {}, None),
    ],
)
def test_answers(
    path: str, status: int, headers: dict[str, str], said: object, expected: ForgeKind | None
) -> None:
    """Each forge is known by what only it says."""
    answer = ProbeAnswer(path, status, headers, json.dumps(said).encode())

    assert expected == recognise(answer)


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>", b"\xff\xfe", b"[" * 100_000])
def test_pages_that_are_no_answer(body: bytes) -> None:
    """A login page, half a document and worse are no forge, and no fault of ours."""
    for path in ("/api/v1/version", "/api/v4/version", "/api/v3/meta"):
        assert recognise(ProbeAnswer(path, 200, {}, body)) is None
