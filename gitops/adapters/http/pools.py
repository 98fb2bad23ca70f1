"""The pools of urllib3, with answers that end."""

from __future__ import annotations

from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from gitops.adapters.http.answers import LONGEST_ANSWER, BoundedResponse


def bound(manager: Any, most: int = LONGEST_ANSWER) -> None:
    """Let every answer that comes through a pool manager end, after `most` bytes at the latest."""

    class Response(BoundedResponse):
        longest = most

    class Plain(HTTPConnection):
        response_class = Response

    class Secure(HTTPSConnection):
        response_class = Response

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
