"""How often one caller may ask: a token bucket for each."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from typing import Final

from msgspec import Struct
from starlette.requests import Request

from gitops.server.security.origin import SAFE
from gitops.server.security.refusals import App, Receive, Refuse, Scope, Send, TooMany
from gitops.server.workers import CALLER

_KEPT: Final = 10_000  # callers that are remembered
_FREE: Final = ("/healthz", "/readyz", "/static/", "/hooks/")  # hooks have bounds of their own


class Rate(Struct, frozen=True):
    """So many requests a second, and so many at once."""

    each_second: float
    at_once: int


PEOPLE_READ: Final = Rate(20, 200)
PEOPLE_ACT: Final = Rate(1, 20)
JOBS: Final = Rate(200, 1000)
"""A job is all pipelines of its project at once."""

STRANGERS: Final = Rate(200, 1000)
"""Behind a proxy all who only look come from one address."""


class Bucket:
    """What is left for one caller."""

    __slots__ = ("at", "left")

    def __init__(self, left: float, at: float) -> None:
        self.left = left
        self.at = at


class Rates:
    """The buckets; used on the event loop only.

    Args:
        clock: returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, Rate], Bucket] = OrderedDict()

    def take(self, caller: str, rate: Rate) -> float:
        """Take one; return 0.0, or the seconds until there is one again."""
        now, key = self._clock(), (caller, rate)
        bucket = self._buckets.setdefault(key, Bucket(rate.at_once, now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > _KEPT:
            self._buckets.popitem(last=False)
        bucket.left = min(rate.at_once, bucket.left + (now - bucket.at) * rate.each_second)
        bucket.at = now
        if bucket.left < 1:
            return (1 - bucket.left) / rate.each_second
        bucket.left -= 1
        return 0.0


class CallerRates:
    """Refuses who asks too often; behind what says who asks.

    Whoever runs the server for themselves has no bound.
    """

    def __init__(self, app: App, *, refuse: Refuse, rates: Rates | None = None) -> None:
        self._app = app
        self._refuse = refuse
        self._rates = rates or Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or say when there is room again."""
        caller = _caller(scope) if scope["type"] == "http" else None
        if caller is not None:
            CALLER.set(caller[0])
            wait = self._rates.take(*caller)
            if wait > 0:
                error = TooMany("more is asked than one caller may", hint="try again in a moment")
                answer = self._refuse(Request(scope), error)
                answer.headers["Retry-After"] = str(ceil(wait))
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _caller(scope: Scope) -> tuple[str, Rate] | None:
    """Return who asks and how often they may; None: as often as they like."""
    person = scope.get("state", {}).get("person")
    if scope["path"].startswith(_FREE) or (person is not None and person.via == "loopback"):
        return None
    if person is None:
        client = scope.get("client")
        return f"from {client[0] if client else '?'}", STRANGERS
    if person.via in ("job", "token"):
        return person.id, JOBS
    return person.id, PEOPLE_READ if scope["method"] in SAFE else PEOPLE_ACT
