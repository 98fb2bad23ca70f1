"""Finds out who asks, before anything else looks at what is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gitops.errors import GitopsError
from gitops.server.identity.person import Unproved

if TYPE_CHECKING:
    from gitops.server.identity.identity import IdentityDoor

_FOR_ALL: Final = ("/healthz", "/readyz", "/metrics", "/favicon.ico", "/sign-in", "/sign-in/back")
_FOR_ALL_BELOW: Final = ("/static/", "/hooks/")  # hooks have proofs of their own


class KnowsWhoAsks:
    """Sets `request.state.person`, and lets nobody in who is not known.

    Args:
        refuse: makes the answer for who is not let in.
    """

    def __init__(
        self,
        app: Any,
        *,
        identity: IdentityDoor,
        refuse: Callable[[Request, GitopsError], Response],
    ) -> None:
        self._app = app
        self._identity = identity
        self._refuse = refuse

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand the request on with its person, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["person"] = None
        path = scope["path"]
        if path not in _FOR_ALL and not path.startswith(_FOR_ALL_BELOW):
            client = scope.get("client")
            try:
                person = await self._identity.person(scope["headers"], client and client[0])
                if person is None and not self._identity.open:
                    raise Unproved("sign in to see this")
            except GitopsError as error:
                await self._refuse(Request(scope), error)(scope, receive, send)
                return
            state["person"] = person
        await self._app(scope, receive, send)
