"""The server as a process: it listens, and it stops without tearing a call apart."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from msgspec.structs import replace

from gitops.errors import Denied, UsageError
from gitops.server.app import create_app
from gitops.server.security.arrival import TimelyRequests, most_connections
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings
from gitops.server.telemetry.logs import set_up_logs
from gitops.server.telemetry.traces import set_up_traces

_LONGEST_STOP = 25  # seconds; Kubernetes kills after 30
_BACKLOG = 512


class PageServer(uvicorn.Server):
    """A server that ends streams first: uvicorn waits for open connections before anything else.

    `should_exit` set to True stops it.
    """

    def __init__(self, service: Service) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(service),
                log_config=None,
                access_log=False,
                proxy_headers=False,  # whose word counts is for the sign-in to judge
                server_header=False,
                timeout_graceful_shutdown=_LONGEST_STOP,
                timeout_keep_alive=20,
                lifespan="on",
                ws="none",
                http=TimelyRequests,
                limit_concurrency=most_connections(),
            )
        )
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then as uvicorn does."""
        self._service.stop()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at Ctrl-C and SIGTERM; they are what was asked for, and not raised again."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def serve(settings: ServerSettings, started: Callable[[str], None]) -> None:
    """Serve until a signal comes; `started` is told the address.

    Raises UsageError where strangers could act, Denied where it cannot listen.
    """
    check_open(settings)
    set_up_logs()
    end_traces = set_up_traces(settings.file)
    try:
        _serve(settings, started)
    finally:
        if end_traces is not None:
            end_traces()


def _serve(settings: ServerSettings, started: Callable[[str], None]) -> None:
    with listening(settings) as (settings, server_socket):
        server = PageServer(Service(settings))
        started(settings.listen.url)
        server.run(sockets=[server_socket])


def check_open(settings: ServerSettings) -> None:
    """Refuse a server that anybody could act on. Raises UsageError."""
    is_safe = settings.listen.is_loopback or settings.read_only
    if not (is_safe or settings.identity().knows_people):
        raise UsageError(
            f"everybody who reaches {settings.listen.host} could act here: nobody signs in",
            hint="give --read-only, or settings with signIn (docs/how-to/sign-in.md)",
        )


@contextmanager
def listening(settings: ServerSettings) -> Iterator[tuple[ServerSettings, socket.socket]]:
    """Yield a socket that listens, and the settings with its port. Raises Denied."""
    listen = settings.listen
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((listen.host, listen.port))
            opened.listen(_BACKLOG)
        except OSError as error:
            where = f"{listen.host}:{listen.port}"
            hint = "another program listens there: give --listen 127.0.0.1:0 for a free port"
            raise Denied(f"cannot listen on {where}: {error.strerror}", hint=hint) from None
        host, port = opened.getsockname()[:2]
        yield replace(settings, listen=Listen(host, port)), opened
