"""What the faked servers of forges do alike: they know who asks by the token."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from forges.json_server import Call, JsonServer, Reply
from forges.state import ForgeState


class ForgeServer(JsonServer):
    """A forge over what it knows.

    Attributes:
        state: that.
    """

    def __init__(self, state: ForgeState) -> None:
        super().__init__()
        self.state = state

    def _secret(self, call: Call) -> str:
        """Return the token that came with a request."""
        return call.headers.get("authorization", "").removeprefix("Bearer ")

    @abstractmethod
    def _stranger(self) -> Reply:
        """Return the answer to whoever is nobody."""

    def _known(self, handler: Any) -> Any:
        """Return a route that `handler` answers, which is told who asks."""

        def checked(call: Call, *parts: str) -> Reply:
            who = self.state.tokens.get(self._secret(call))
            if who is None:
                return self._stranger()
            reply: Reply = handler(call, who, *parts)
            return reply

        return checked
