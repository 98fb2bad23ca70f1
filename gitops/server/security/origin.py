"""Requests that other sites' pages, or other names of this machine, would have a browser send.

A page of another port of this host sends our cookie along ("same-site"), and a name of theirs that
suddenly leads to 127.0.0.1 makes their page ours in the browser's eyes (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request

from gitops.server.security.refusals import (
    App,
    ForeignRequest,
    Receive,
    Refuse,
    Scope,
    Send,
    WrongHost,
    values_of,
)

SAFE = ("GET", "HEAD", "OPTIONS")
_FIGURES = "/metrics"
_PROBES = ("/healthz", "/readyz", _FIGURES)  # asked by address and by names of the cluster
_HOOKS = "/hooks/"


class OwnOrigin:
    """Lets through what is asked of us under our own name, and sent by our own pages.

    Args:
        hosts: names that we have, without ports; addresses always are.
        origins: `https://gitops.example.com` of pages that may send something here.
        refuse: makes the answer for what is refused.
        only_here: nobody but this machine reaches us, so figures are asked for under our names,
            too: they tell what environments and apps there are.
    """

    def __init__(
        self,
        app: App,
        *,
        hosts: Collection[str],
        origins: Collection[str],
        refuse: Refuse,
        only_here: bool = False,
    ) -> None:
        self._app = app
        self._only_here = only_here
        self._hosts = frozenset(one.lower() for one in hosts)
        self._origins = frozenset(origins)
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or refuse it."""
        error = self._error(scope) if scope["type"] == "http" else None
        if error is None:
            await self._app(scope, receive, send)
        else:
            answer = self._refuse(Request(scope), error)
            await answer(scope, receive, send)

    def _error(self, scope: Scope) -> WrongHost | ForeignRequest | None:
        path = scope["path"]
        if path in _PROBES and not (self._only_here and path == _FIGURES):
            return None
        if not self._is_ours(values_of(scope, b"host")):
            return WrongHost(
                "this server has another name",
                hint="set publicUrl in its settings to the address that people use",
            )
        if scope["method"] in SAFE or path.startswith(_HOOKS) or _is_program(scope):
            return None
        return (
            None
            if self._is_own_page(scope)
            else ForeignRequest(
                "the browser says that another page sent this, so nothing was done",
                hint="open the page here, and press the button on it",
            )
        )

    def _is_ours(self, hosts: list[str]) -> bool:
        if len(hosts) != 1:
            return False
        try:
            name = urlsplit(f"//{hosts[0]}").hostname or ""
        except ValueError:
            return False
        return name in self._hosts or _is_address(name)

    def _is_own_page(self, scope: Scope) -> bool:
        sites, origins = values_of(scope, b"sec-fetch-site"), values_of(scope, b"origin")
        if sites:
            return sites == ["same-origin"]
        return len(origins) == 1 and origins[0] in self._origins


def _is_program(scope: Scope) -> bool:
    """Say whether no page of another site can have sent this without being asked and allowed.

    That goes for a token in a header, and for JSON sent by what is no browser (which says where a
    POST comes from): whoever runs the server on their own machine calls it without a token.
    """
    if scope["path"].startswith("/v1/") and not _says_where_from(scope):
        kinds = [one.partition(";")[0].strip().lower() for one in values_of(scope, b"content-type")]
        if kinds == ["application/json"]:
            return True
    return any(one.lower().startswith("bearer ") for one in values_of(scope, b"authorization"))


def _says_where_from(scope: Scope) -> bool:
    return any(values_of(scope, name) for name in (b"origin", b"sec-fetch-site", b"cookie"))


def _is_address(name: str) -> bool:
    """An address is no name that anybody could lead elsewhere."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
