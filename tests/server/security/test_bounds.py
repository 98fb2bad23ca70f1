"""What is refused before anybody looks at what it wants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gitops.server.security.bodies import DOCUMENT, FORM
from gitops.server.security.rates import JOBS, PEOPLE_ACT, PEOPLE_READ, Rate, Rates
from identity_world import URL, Clock, World

SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def client() -> TestClient:
    """A browser on the machine of whoever runs the server."""
    return World().client()


@pytest.mark.parametrize(
    "host",
    ["evil.example", "gitops.example.com.evil.example", "", "[", "a b", "gitops.example.com@evil"],
)
def test_another_name_is_refused(client: TestClient, host: str) -> None:
    """A name that somebody led to this machine makes their page ours: it gets nothing."""
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 421
    assert "another name" in answer.json()["error"]


@pytest.mark.parametrize(
    "host", ["gitops.example.com", "GitOps.Example.com:8443", "127.0.0.1:8080", "[::1]:80"]
)
def test_own_names_and_addresses(client: TestClient, host: str) -> None:
    """With any port; an address is no name that leads elsewhere."""
    assert client.get("/", headers={"Host": host}).status_code == 200


def test_probes_come_by_any_name(client: TestClient) -> None:
    """A kubelet asks by the address of the pod, a Prometheus by the name of the service."""
    for path in ("/healthz", "/readyz", "/metrics"):
        assert client.get(path, headers={"Host": "gitops.svc"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (SAME, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": URL}, 403),
        ({"Origin": URL}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"{URL}.evil.example"}, 403),
        ({"Origin": URL.replace("https", "http")}, 403),
        ({}, 403),
        ({"Referer": f"{URL}/"}, 403),
        ({"Authorization": "Basic YTpi"}, 403),
    ],
)
def test_only_own_pages_send(client: TestClient, headers: dict[str, str], status: int) -> None:
    """Another site's page, another port's page of this host, and what says nothing at all."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = client.request(method, "/", headers=headers)
        assert answer.status_code in (status, 405 if status == 200 else status)
    assert client.post("/", headers=headers).status_code == status
    assert client.get("/", headers=headers).status_code == 200


def test_two_headers_that_disagree(client: TestClient) -> None:
    """No choice is made between them."""
    both = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")]
    assert client.post("/", headers=both).status_code == 403
    both = [("Origin", URL), ("Origin", "https://evil.example")]
    assert client.post("/", headers=both).status_code == 403


def test_bodies_end(client: TestClient) -> None:
    """By what they say, and by what they are."""
    assert client.post("/", content=b"x" * FORM, headers=SAME).status_code == 200
    assert client.post("/", content=b"x" * (FORM + 1), headers=SAME).status_code == 413
    assert client.post("/", headers={**SAME, "Content-Length": "-1"}).status_code == 413

    def unsaid() -> Iterator[bytes]:
        for _ in range(70):
            yield b"x" * 1024

    assert client.post("/", content=unsaid(), headers=SAME).status_code == 413
    most = b"x" * DOCUMENT
    assert client.post("/v1/deploy", content=most, headers=SAME).status_code == 200
    assert client.post("/v1/deploy", content=most + b"x", headers=SAME).status_code == 413


def test_so_many_in_a_row(tmp_path: Path) -> None:
    """One caller waits, and is told how long; another does not wait for them."""
    clock = Clock(0.0)
    (tmp_path / "secret").write_text("s" * 40)
    world = World(
        "trustedProxies: [10.0.0.0/8]\n"
        f"proxySignIn: {{secretHeader: X-Secret, secretFile: {tmp_path}/secret}}\n"
    )
    client = world.client(rates=Rates(clock))
    client.headers.update({"X-Secret": "s" * 40, "X-Auth-Request-Email": "ana@example.com"})
    first = [client.post("/", headers=SAME).status_code for _ in range(PEOPLE_ACT.at_once + 1)]
    assert [200] * PEOPLE_ACT.at_once + [429] == first
    assert "1" == client.post("/", headers=SAME).headers["Retry-After"]
    assert client.get("/").status_code == 200
    assert client.get("/healthz").status_code == 200
    clock.now += 1
    assert [200, 429] == [client.post("/", headers=SAME).status_code for _ in range(2)]
    client.headers["X-Auth-Request-Email"] = "ben@example.com"
    assert client.post("/", headers=SAME).status_code == 200


def test_whoever_runs_it_is_not_held_up() -> None:
    """On their own machine, a script may be quick."""
    client = World().client(rates=Rates(Clock(0.0)))
    assert {200} == {client.post("/", headers=SAME).status_code for _ in range(60)}


def test_the_buckets() -> None:
    """What is left over fills up to what may come at once, never more."""
    clock = Clock(0.0)
    rates, rate = Rates(clock), Rate(2, 3)
    assert [0.0, 0.0, 0.0, 0.5] == [rates.take("a", rate) for _ in range(4)]
    assert 0.0 == rates.take("b", rate)
    clock.now += 3600
    assert [0.0, 0.0, 0.0, 0.5] == [rates.take("a", rate) for _ in range(4)]
    assert PEOPLE_READ.at_once < JOBS.at_once


def test_callers_are_forgotten() -> None:
    """As many as may be kept: a crowd of names costs no memory."""
    rates = Rates(Clock(0.0))
    for number in range(10_100):
        rates.take(f"from {number}", PEOPLE_READ)
    assert 10_000 == len(rates._buckets)
