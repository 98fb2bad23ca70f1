"""`ports.notifier.Notifier` over apprise: the addresses of some 180 services, as URLs.

The URLs are secrets, so nothing that apprise says is passed on as it is.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from gitops.core.text.extras import extra_hint
from gitops.core.text.plain import one_line
from gitops.errors import NotFound, UsageError
from gitops.ports.clock import Clock

_TRIES = 3
_PAUSE = 2.0  # seconds, between tries
_SECRET = re.compile(r"[A-Za-z0-9_\-/+=:@.]{12,}")


class AppriseChannels:
    """Channels of a settings file.

    Args:
        addresses: channel -> apprise URLs.

    Raises NotFound where apprise is not installed, UsageError for an address that it does not know;
    neither shows it.
    """

    def __init__(self, addresses: Mapping[str, Sequence[str]], clock: Clock) -> None:
        if find_spec("apprise") is None:
            raise NotFound(
                "apprise is not installed, which sends messages", hint=extra_hint("notify")
            )
        self._clock = clock
        self._channels = {name: _channel(name, urls) for name, urls in addresses.items()}

    def names(self) -> Collection[str]:
        """Return the channels that have an address."""
        return self._channels.keys()

    def send(self, channel: str, title: str, body: str) -> str | None:
        """Send a message; a few tries, each address until it took it once."""
        left = list(self._channels[channel])
        said: list[str] = []
        for turn in range(_TRIES):
            if turn:
                self._clock.pause(_PAUSE, _PAUSE / 2)
            with _heard(said):
                left = [one for one in left if not _take(one, title, body)]
            if not left:
                return None
        services = ", ".join(sorted({str(one.service_name) for one in left}))
        why = f": {said[-1]}" if said else ""
        return one_line(f"{services} did not take it after {_TRIES} tries{why}", 300)


def _channel(name: str, urls: Sequence[str]) -> list[Any]:
    import apprise

    made = []
    for number, url in enumerate(urls, 1):
        one = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if one is None:
            scheme = urlsplit(url).scheme or "no scheme"
            raise UsageError(
                f"channel {name}: address {number} ({one_line(scheme, 40)}) is none that apprise "
                "knows",
                hint="https://appriseit.com/services/ lists how each is written",
            )
        made.append(one)
    return made


def _take(one: Any, title: str, body: str) -> bool:
    import apprise

    try:
        return bool(one.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT))
    except Exception:  # noqa: BLE001 - a service's own module may raise anything
        return False


@contextmanager
def _heard(said: list[str]) -> Any:
    """Keep apprise off the terminal; remember what it says, without what may be an address."""
    keeper = _Keeper(said)
    logger = logging.getLogger("apprise")
    before = logger.propagate
    logger.addHandler(keeper)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(keeper)
        logger.propagate = before


class _Keeper(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message, the newest few of them."""
        self._said.append(_SECRET.sub("…", one_line(record.getMessage(), 200)))
        del self._said[:-3]
