"""Argo CD's own API: the token stays with its server, and refusals have words."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from applications import an_application
from fake_cluster import Plane
from gitops.adapters.argocd.server_api import ServerCluster
from gitops.adapters.argocd.server_http import ServerConnection, ServerToken, server_url
from gitops.core.argocd.application import NOTICE, REFRESH, ApplicationRef
from gitops.errors import Denied, GitopsError, TimedOut, Unavailable, UsageError
from servers.kube_api import TOKEN, ArgoStub


@pytest.fixture
def stub() -> Iterator[ArgoStub]:
    """A server with one Application."""
    plane = Plane()
    plane.put(an_application())
    with ArgoStub(plane) as running:
        yield running


def connect(stub: ArgoStub, *, within: float = 2.0) -> ServerCluster:
    """Return the adapter."""
    return ServerCluster(ServerConnection(stub.url, ServerToken(TOKEN), within))


def ref(cluster: ServerCluster) -> ApplicationRef:
    """Return the name of the one Application."""
    return ApplicationRef(cluster.name, "argocd", "shop-dev")


def fails(cluster: ServerCluster, kind: type[GitopsError]) -> GitopsError:
    """Return the error of a reading, which holds no token."""
    with pytest.raises(kind) as caught:
        cluster.applications()
    assert TOKEN not in f"{caught.value} {caught.value.hint} {caught.value.reasons}"
    return caught.value


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("argocd.example.com", "https://argocd.example.com"),
        ("argocd.example.com:8443", "https://argocd.example.com:8443"),
        ("https://argocd.example.com/", "https://argocd.example.com"),
        ("https://example.com/argocd", "https://example.com/argocd"),
        ("http://argocd-server.argocd.svc", "http://argocd-server.argocd.svc"),
    ],
)
def test_addresses(text: str, url: str) -> None:
    """An address is what Argo CD's own command line takes, or a URL; https unless it says http."""
    assert url == server_url(text)


@pytest.mark.parametrize(
    "text",
    ["", "ftp://x", "https://", "https://u:p@x", "https://x?token=y", "http://[", "file:///x"],
)
def test_wrong_addresses(text: str) -> None:
    """What is no address of a server is refused before anything is sent."""
    with pytest.raises(UsageError, match="ARGOCD_SERVER"):
        server_url(text)


def test_a_token_does_not_show() -> None:
    """The value of a token is in no representation of it."""
    assert TOKEN not in repr(ServerToken(TOKEN))


def test_the_token_is_sent(stub: ArgoStub) -> None:
    """The token reaches the server as a bearer token."""
    connect(stub).applications()

    assert [f"Bearer {TOKEN}"] == stub.authorizations


def test_redirects_are_not_followed(stub: ArgoStub) -> None:
    """A server that sends elsewhere does not get the token carried there."""
    with ArgoStub(Plane()) as other:
        stub.behaviour.redirect = other.url

        error = fails(connect(stub), Unavailable)

        assert "sends elsewhere" in error.message
        assert [] == other.requests


def test_expired_token(stub: ArgoStub) -> None:
    """A token that is not accepted is told as that."""
    stub.behaviour.token = "another"

    error = fails(connect(stub), Denied)

    assert "does not accept the token" in error.message
    assert "ARGOCD_AUTH_TOKEN" in str(error.hint)


def test_a_refresh_is_a_read(stub: ArgoStub) -> None:
    """A refresh needs the right to read only; a notice needs more."""
    cluster = connect(stub)
    cluster.applications()
    stub.behaviour.deny = frozenset({"PATCH", "POST"})

    cluster.annotate(ref(cluster), {REFRESH: "normal"})
    with pytest.raises(Denied, match="cannot patch"):
        cluster.annotate(ref(cluster), {NOTICE: "x"})

    assert ["shop-dev"] == stub.plane.refreshed


def test_a_slow_refresh_was_asked_for(stub: ArgoStub) -> None:
    """The server answers a refresh when it is done; that it takes long is no error."""
    cluster = connect(stub, within=0.2)
    cluster.applications()
    stub.behaviour.hang = True

    cluster.annotate(ref(cluster), {REFRESH: "normal"})

    assert "refresh=normal" in stub.requests[-1]


def test_silence(stub: ArgoStub) -> None:
    """A server that takes the request and says nothing is given up in time."""
    stub.behaviour.hang = True
    before = time.monotonic()

    fails(connect(stub, within=0.3), TimedOut)

    assert time.monotonic() - before < 10


def test_login_page(stub: ArgoStub) -> None:
    """A page in front of Argo CD is told as that."""
    stub.behaviour.page = True

    assert "login page" in str(fails(connect(stub), Unavailable).hint)


@pytest.mark.parametrize(
    ("status", "kind"), [(503, Unavailable), (429, Unavailable), (400, Denied)]
)
def test_refusals(stub: ArgoStub, status: int, kind: type[GitopsError]) -> None:
    """Other refusals are told with the server's words."""
    stub.behaviour.status = status

    assert f"status {status}" in fails(connect(stub), kind).message


def test_nobody_listens() -> None:
    """A port that nobody listens on is unavailable."""
    cluster = ServerCluster(ServerConnection("http://127.0.0.1:9", ServerToken(TOKEN), 1.0))

    assert "cannot be reached" in fails(cluster, Unavailable).message
