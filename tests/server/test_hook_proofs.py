"""Hooks of every kind: whose secret, of which body, how often; and bodies of registries."""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from gitops.server.app import create_app
from gitops.server.hooks.proofs import is_proved
from gitops.server.service import Service
from gitops.server.settings import HOOK_KINDS, Listen, ServerSettings, parse_settings
from manifests import Manifests
from server.conftest import ORIGIN

SECRET, OTHER = "0123456789abcdef", "fedcba9876543210"
BODY = b'{"action": "published"}'
BOUND = ("github", "bitbucket", "gitea", "forgejo")
"""Kinds whose signature is of the body."""


def signed(kind: str, secret: str, body: bytes) -> list[dict[str, str]]:
    """The headers by which a kind proves itself: each way that it has."""
    made = hmac.new(secret.encode(), body, "sha256").hexdigest()
    basic = b64encode(f"gitops:{secret}".encode()).decode()
    ways = {
        "github": [{"x-hub-signature-256": f"sha256={made}"}],
        "bitbucket": [{"x-hub-signature": f"sha256={made}"}],
        "gitea": [{"x-gitea-signature": made}, {"x-forgejo-signature": made}],
        "gitlab": [{"x-gitlab-token": secret}],
    }
    ways["forgejo"] = ways["gitea"]
    plain = [{"authorization": one} for one in (f"Bearer {secret}", f"Basic {basic}", secret)]
    return ways.get(kind, plain)


@pytest.mark.parametrize("kind", HOOK_KINDS)
def test_each_kind_is_proved_by_its_own_secret(kind: str) -> None:
    """Another secret proves nothing, nor does no header, or what another kind sends."""
    for headers in signed(kind, SECRET, BODY):
        assert is_proved(kind, SECRET, headers, BODY)
        assert is_proved(kind, SECRET, headers, b"{}") is (kind not in BOUND)
    for headers in signed(kind, OTHER, BODY):
        assert not is_proved(kind, SECRET, headers, BODY)
    assert not is_proved(kind, SECRET, {}, BODY)
    foreign = "gitlab" if kind in BOUND else "github"
    foreign = foreign if foreign != kind else "registry"
    for headers in signed(foreign, SECRET, BODY):
        assert not is_proved(kind, SECRET, headers, BODY)


def test_weak_and_broken_signatures_are_none() -> None:
    """SHA-1, a signature of nothing, headers that are no text, a time that is no number."""
    sha1 = hmac.new(SECRET.encode(), BODY, "sha1").hexdigest()
    made = hmac.new(SECRET.encode(), BODY, "sha256").hexdigest()
    for kind, headers in (
        ("github", {"x-hub-signature": f"sha1={sha1}"}),
        ("github", {"x-hub-signature-256": f"sha1={sha1}"}),
        ("github", {"x-hub-signature-256": made}),
        ("github", {"x-hub-signature-256": "sha256="}),
        ("gitea", {"x-gitea-signature": ""}),
        ("gitea", {"x-gitea-signature": made.upper()}),
        ("registry", {"authorization": ""}),
        ("registry", {"authorization": "Basic ÿ"}),
        ("registry", {"authorization": "Basic " + b64encode(b"\xff\xfe").decode()}),
        ("registry", {"authorization": f"Bearer {SECRET} "}),
        ("gitlab", {"webhook-signature": "v1,x", "webhook-timestamp": "9" * 5000}),
        ("gitlab", {"webhook-signature": "v1,x", "webhook-timestamp": "²"}),
        ("gitlab", {"webhook-signature": "v1,x", "x-gitlab-token": SECRET}),
    ):
        assert not is_proved(kind, SECRET, headers, BODY), headers


def test_a_signature_with_a_time_ends() -> None:
    """GitLab's tells when: one that was kept is none after five minutes, nor is one from later."""
    key = b"k" * 32
    secret = "whsec_" + b64encode(key).decode()

    def of(age: int) -> dict[str, str]:
        sent = str(int(time.time()) - age)
        mac = hmac.new(key, f"1.{sent}.".encode() + BODY, "sha256").digest()
        signature = f"v1,wrong v1,{b64encode(mac).decode()}"
        return {
            "webhook-id": "1",
            "webhook-timestamp": sent,
            "webhook-signature": signature,
        }

    assert is_proved("gitlab", secret, of(0), BODY)
    assert not is_proved("gitlab", secret, of(400), BODY)
    assert not is_proved("gitlab", secret, of(-400), BODY)
    assert not is_proved("gitlab", secret, of(0) | {"webhook-id": "2"}, BODY)


@pytest.fixture
def client(manifests: Manifests, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A server with a hook of each kind that a registry sends."""
    monkeypatch.setenv("GITOPS_CACHE", "off")
    rows = "".join(
        f"  - {{kind: {kind}, name: m, secret: {SECRET}}}\n"
        for kind in ("registry", "github", "gitea")
    )
    file = parse_settings(f"hooks:\n{rows}".encode(), "settings.yaml")
    service = Service(ServerSettings(str(manifests.path), Listen("127.0.0.1", 8080), file=file))
    with TestClient(create_app(service), base_url=ORIGIN) as made:
        made.service = service  # type: ignore[attr-defined]
        yield made


EVIL = "registry.evil.example.com"
CALLS: dict[str, tuple[str, str, Any]] = {
    "distribution": (
        "registry",
        "application/vnd.docker.distribution.events.v2+json",
        {"events": [{"action": "push", "target": {"url": f"https://{EVIL}/v2/", "tag": "main-9"}}]},
    ),
    "harbor": (
        "registry",
        "application/json",
        {"type": "PUSH_ARTIFACT", "event_data": {"resources": [{"resource_url": f"{EVIL}/a:1"}]}},
    ),
    "harbor, as CloudEvents": (
        "registry",
        "application/cloudevents+json; charset=utf-8",
        {"type": "harbor.artifact.pushed", "data": {"resources": [{"resource_url": EVIL}]}},
    ),
    "ghcr": (
        "github",
        "application/json",
        {"action": "published", "registry_package": {"package_version": {"package_url": EVIL}}},
    ),
    "gitea": (
        "gitea",
        "application/json; charset=utf-8",
        {"action": "created", "package": {"html_url": f"https://{EVIL}", "type": "container"}},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_registries_are_heard_and_not_believed(client: TestClient, name: str) -> None:
    """What each sends causes a look, a replay another; a wrong secret, or no JSON, none. Nothing
    that stands in it is asked, or told."""
    kind, content_type, event = CALLS[name]
    woken: list[str] = []
    client.service.images.wake = lambda: woken.append(name)  # type: ignore[attr-defined]
    body = json.dumps(event).encode()

    def post(secret: str, content: str = content_type) -> int:
        headers = signed(kind, secret, body)[0] | {"Content-Type": content}
        return int(client.post(f"/hooks/{kind}/m", content=body, headers=headers).status_code)

    assert 401 == post(OTHER)
    assert 400 == post(SECRET, "application/x-www-form-urlencoded")
    assert 400 == post(SECRET, "application/jsonp")
    assert [] == woken
    assert [202, 202] == [post(SECRET), post(SECRET)]
    assert [name, name] == woken
    assert EVIL not in client.get("/images").text
