"""The page as people reach it: a real server in a thread, on real Git over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gitops.config.shapes import Value
from gitops.server.run import PageServer, listening
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings


@contextmanager
def serving(
    repository: str,
    *,
    every: float = 15.0,
    demo: bool = False,
    file: Value | None = None,
    port: int = 0,
    read_only: bool = False,
) -> Iterator[Service]:
    """Serve `repository` on a port of the loopback, by default a free one, until the block ends."""
    settings = ServerSettings(
        repository, Listen("127.0.0.1", port), demo=demo, file=file, read_only=read_only
    )
    with listening(settings) as (settings, server_socket):
        service = Service(settings, every=every)
        server = PageServer(service)
        thread = threading.Thread(target=server.run, args=([server_socket],))
        thread.start()
        try:
            deadline = time.monotonic() + 30
            while service.board.current() is None:
                assert time.monotonic() < deadline, service.board.trouble
                time.sleep(0.01)
            yield service
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive(), "the server does not stop"
