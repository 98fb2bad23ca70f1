"""What is refused before anybody looks at what it wants."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from gitops.errors import Unavailable
from gitops.server import events
from gitops.server.security import arrival, bodies
from gitops.server.security.bodies import DOCUMENT, FORM
from gitops.server.security.rates import JOBS, PEOPLE_ACT, PEOPLE_READ, Rate, Rates
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings
from gitops.server.workers import CALLER, Workers
from identity_world import URL, Clock, World, refuse
from loops import finish

sys.path.insert(0, str(Path(__file__).parents[1]))
from live import serving

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


def test_figures_of_this_machine_are_for_its_own_names(shop: TestClient) -> None:
    """A page that was led to 127.0.0.1 does not learn from them what is there."""
    assert 200 == shop.get("/metrics").status_code
    assert 421 == shop.get("/metrics", headers={"Host": "evil.example:8080"}).status_code
    assert 200 == shop.get("/healthz", headers={"Host": "evil.example:8080"}).status_code


def test_a_body_that_takes_long(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte at a time is no way to keep a request open for ever."""
    monkeypatch.setattr(bodies, "LONGEST", 0.05)

    async def never() -> dict[str, object]:
        await asyncio.sleep(3600)
        return {}

    told: list[dict[str, object]] = []

    async def keep(message: MutableMapping[str, object]) -> None:
        told.append(dict(message))

    async def reads(_scope: object, receive: Any, _send: object) -> None:
        await receive()

    scope = {"type": "http", "path": "/x", "method": "POST", "headers": [], "query_string": b""}
    bounds = bodies.BodyBounds(reads, refuse=refuse)
    finish(bounds(scope, never, keep), 60)
    assert 408 == told[0]["status"]


def test_one_caller_gets_half_of_the_threads() -> None:
    """What one asks for that takes long keeps nobody else waiting."""

    async def story() -> None:
        workers, open_, begun = (
            Workers(threads=4, waiting=4),
            threading.Event(),
            threading.Barrier(3),
        )

        def wait() -> None:
            if not open_.is_set():
                begun.wait(60)
            open_.wait(60)

        async def ask(caller: str | None, call: Callable[[], Any]) -> Any:
            CALLER.set(caller)
            return await workers.run(call)

        greedy = [asyncio.create_task(ask("greedy", wait)) for _ in range(4)]
        await asyncio.to_thread(begun.wait, 60)
        with pytest.raises(Unavailable):
            await asyncio.create_task(ask("greedy", wait))
        assert 7 == await asyncio.create_task(ask("ana", lambda: 7))
        open_.set()
        await asyncio.gather(*greedy)
        assert 8 == await asyncio.create_task(ask("greedy", lambda: 8))
        workers.close()

    finish(story())


def test_one_caller_gets_no_more_than_their_streams(
    story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may still listen."""
    monkeypatch.setattr(events, "MOST_OF_ONE", 1)
    service = Service(ServerSettings(str(story), Listen("127.0.0.1", 8080)))
    hub = service.hub
    leaves = [hub.subscribe(one)[1] for one in ("user:greedy", "user:greedy", None)]
    assert [2, 0, 0] == [hub.listens(one) for one in ("user:greedy", "user:ana", None)]
    (route, *_) = events.event_routes(service)
    request = Request({"type": "http", "headers": [], "query_string": b""})

    async def ask(caller: str) -> int:
        CALLER.set(caller)
        return (await route.endpoint(request)).status_code  # type: ignore[attr-defined]

    assert 200 == finish(ask("user:ana"))
    with pytest.raises(Unavailable):
        finish(ask("user:greedy"))
    for leave in leaves:
        leave()
    assert 200 == finish(ask("user:greedy"))
    service.close()


def test_half_a_request_is_closed(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reaches the port takes no file handle for ever; what is whole is answered."""
    monkeypatch.setattr(arrival, "HEADERS_WITHIN", 0.2)
    with serving(str(story)) as service:
        where = ("127.0.0.1", service.settings.listen.port)
        for begun in (b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"):
            with socket.create_connection(where, timeout=60) as stranger:
                stranger.sendall(begun)
                assert b"" == stranger.recv(1)
        with socket.create_connection(where, timeout=60) as person:
            person.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert person.recv(15).startswith(b"HTTP/1.1 200")
