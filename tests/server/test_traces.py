"""Traces: a real receiver of OTLP hears what a request did, and no secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.testclient import TestClient

from gitops import tracing
from gitops.adapters.argocd.connection import Connection
from gitops.errors import GitopsError
from gitops.server.app import create_app
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings, parse_settings
from gitops.server.telemetry.traces import set_up_traces
from manifests import Manifests
from server.conftest import ORIGIN
from servers.loopback import Handler, Loopback

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REASON = "INC-42 is nobody's business"


class Receiver:
    """Spans by name, and every byte that came."""

    def __init__(self) -> None:
        self.spans: dict[str, Any] = {}
        self.content = b""


@pytest.fixture
def receiver() -> Iterator[tuple[Receiver, str]]:
    """What takes traces, and its address."""
    heard = Receiver()

    class Collector(Handler):
        def do_POST(self) -> None:
            import gzip

            body = self.read_body()
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            told = ExportTraceServiceRequest.FromString(body)
            heard.content += body + self.path.encode()
            for resource in told.resource_spans:
                for scope in resource.scope_spans:
                    heard.spans |= {one.name: one for one in scope.spans}
            self.say(200, (), b"")

    with Loopback(Collector) as server:
        yield heard, server.url


@contextmanager
def traced(text: str) -> Iterator[None]:
    """Send spans as settings say, and all of them at the end."""
    end = set_up_traces(parse_settings(text.encode(), "settings.yaml"))
    assert end is not None
    try:
        yield
    finally:
        end()
    assert tracing.source() is None


def test_a_request_is_told_with_what_it_did(
    manifests: Manifests, receiver: tuple[Receiver, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Request, plan and push hang together below the caller's trace; a cluster that is away is an
    error by its kind; reasons, people and addresses are told nowhere."""
    monkeypatch.setenv("GITOPS_CACHE", "off")
    heard, address = receiver
    with traced(f"traces: {{endpoint: '{address}'}}\n"):
        service = Service(ServerSettings(str(manifests.path), Listen("127.0.0.1", 8080)))
        with TestClient(create_app(service), base_url=ORIGIN) as client:
            done = client.post(
                "/v1/environments/dev/hold",
                json={"reason": REASON},
                headers={
                    "traceparent": f"00-{TRACE}-{PARENT}-01",
                    "Prefer": "wait=60",
                    "Origin": ORIGIN,
                    "Cookie": "session=sesame-sesame-sesame",
                },
            )
        nowhere = Connection("nowhere", None, {"KUBECONFIG": "/nowhere"}, 1.0)
        with pytest.raises(GitopsError), tracing.span("look"):
            nowhere.get("/api")

    assert done.status_code in (200, 201), done.text
    request, plan = (
        heard.spans["POST /v1/environments/{environment:path}/hold"],
        heard.spans["plan"],
    )
    call, push, round_ = (heard.spans[name] for name in ("call", "push", "push of a round"))
    assert (TRACE, PARENT) == (request.trace_id.hex(), request.parent_span_id.hex())
    assert request.span_id == call.parent_span_id
    assert [call.span_id] * 2 == [plan.parent_span_id, push.parent_span_id]
    assert plan.end_time_unix_nano <= push.start_time_unix_nano
    assert push.start_time_unix_nano <= round_.start_time_unix_nano
    assert ("NotFound", 2) == (heard.spans["look"].status.message, heard.spans["look"].status.code)
    assert heard.content.endswith(b"/v1/traces")
    for secret in (REASON, "sesame", "Mona", str(manifests.path)):
        assert secret.encode() not in heard.content


def test_nobody_is_told_where_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address, or switched off, there are no spans, and nothing is loaded for them."""
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    assert set_up_traces(None) is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert set_up_traces(None) is None
    with tracing.span("nothing", secret="x") as nothing:
        assert nothing is None
