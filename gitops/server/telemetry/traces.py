"""Traces (OpenTelemetry): a span for each request, and what it spent its time on, sent by OTLP.

Set up as every service is, by the variables of its specification
(opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables), or by `traces` of the
settings. No path, query, body, person or error message is told: only patterns, counts and names.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gitops import __version__, tracing
from gitops.config.shapes import Value
from gitops.core.text.extras import extra_hint
from gitops.errors import NotFound
from gitops.server.telemetry.requests import QUIET, NotedAnswer, method_of, route_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_LAST = 5.0  # seconds for what is not sent yet, when the server stops


def set_up_traces(file: Value | None) -> Callable[[], None] | None:
    """Begin to send spans, where somebody said where to; return what ends it.

    Raises NotFound where the libraries are missing.
    """
    table = file.keys.get("traces") if file is not None else None
    endpoint = table.get("endpoint") if table is not None else ""
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_off or not (endpoint or any(os.environ.get(name) for name in _VARIABLES)):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise NotFound("traces cannot be sent", hint=extra_hint("traces")) from None
    named = {SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or "gitops"}
    provider = TracerProvider(resource=Resource.create({**named, SERVICE_VERSION: __version__}))
    where = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=where)))
    tracing.use(_Spans(provider))

    def end() -> None:
        tracing.use(None)
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        last.join(_LAST)

    return end


class _Spans:
    """`gitops.tracing.SpanSource`."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind, StatusCode

        self._tracer = provider.get_tracer("gitops", __version__)
        self._kinds = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}
        self._error = StatusCode.ERROR

    @contextmanager
    def span(
        self, name: str, kind: tracing.SpanKind, attributes: dict[str, str | int]
    ) -> Iterator[None]:
        """A span; of an error its kind is told, not its words."""
        with self._tracer.start_as_current_span(
            name,
            kind=self._kinds[kind],
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as made:
            try:
                yield
            except Exception as error:
                made.set_status(self._error, type(error).__name__)
                raise

    @contextmanager
    def request(self, headers: dict[str, str]) -> Iterator[Any]:
        """The span of a request, below the one that its sender told (W3C `traceparent`)."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        sent = TraceContextTextMapPropagator().extract(headers)
        with self._tracer.start_as_current_span(
            "request",
            context=sent,
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as made:
            yield made


class TracesRequests:
    """Middleware: a span for each request, where spans are made. The outermost but one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        source = tracing.source()
        is_quiet = scope["type"] != "http" or scope["path"].startswith((*QUIET, "/events"))
        if is_quiet or not isinstance(source, _Spans):
            await self._app(scope, receive, send)
            return
        told = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }
        with source.request(told) as made:
            answer = NotedAnswer(send)
            try:
                await self._app(scope, receive, answer)
            finally:
                method, route = method_of(scope), route_of(scope)
                made.update_name(f"{method} {route}")
                made.set_attribute("http.request.method", method)
                made.set_attribute("http.route", route)
                made.set_attribute("http.response.status_code", answer.status)
