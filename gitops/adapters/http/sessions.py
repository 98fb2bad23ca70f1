"""Sessions of requests, with answers that end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter

from gitops.adapters.http.answers import LONGEST_OF_FORGES
from gitops.adapters.http.pools import bound


class BoundedAdapter(HTTPAdapter):
    """What a session sends requests by.

    Args:
        seconds: returns the time that the next request may take: to connect, and for its answer.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools."""
        super().init_poolmanager(*args, **kwargs)
        bound(self.poolmanager, LONGEST_OF_FORGES)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pools for a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        bound(manager, LONGEST_OF_FORGES)
        return manager

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Send a request; the time that the caller gave it makes way."""
        request.headers["Accept-Encoding"] = "identity"
        return super().send(request, *args, **{**kwargs, "timeout": self._seconds()})


def bound_session(session: Any, seconds: Callable[[], float]) -> None:
    """Let every answer of a session end; see `BoundedAdapter`."""
    adapter = BoundedAdapter(seconds)
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
