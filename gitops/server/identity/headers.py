"""People whom a server before this one signed in: a proxy, or Argo CD's own server."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv6Address, ip_address

from gitops.core.environments.environment import Config
from gitops.core.text.plain import one_line
from gitops.server.identity.person import RESERVED, Person, Unproved
from gitops.server.identity.settings import ArgoCdWay, Network, ProxyWay

ARGO_CD_SECRET = "x-gitops-proof"  # noqa: S105 - the name of a header
_LONGEST = 200  # characters of a name


def by_proxy(way: ProxyWay, headers: Mapping[str, str], peer: str | None) -> Person | None:
    """Return whom the proxy signed in, None where it says nobody or is not the proxy.

    Two proofs are asked for: where the connection is from, and the secret. `headers` have names in
    lower case and hold only what came once.
    """
    shown = headers.get(way.secret_header, "").encode()
    if not hmac.compare_digest(shown, way.secret) or not is_in(way.networks, peer):
        return None
    user = _name(headers.get(way.user))
    if user is None:
        return None
    given = headers.get(way.groups, "").split(",")
    groups = tuple(dict.fromkeys(one for text in given if (one := _name(text.strip()))))
    name = one_line(headers.get(way.name, ""), _LONGEST) or user
    return Person(f"user:{user}", name, _address(user, "proxy"), groups, "proxy")


Overlays = Callable[[str, str | None], bool]
"""Says whether an environment has an overlay (of an app)."""


def by_argocd(
    way: ArgoCdWay, headers: Mapping[str, str], config: Config | None, overlays: Overlays
) -> Person | None:
    """Return who calls from Argo CD's page, None where it is not Argo CD.

    Its header with groups is never read: whoever is in none can send one of their own through it.
    The extension says what one may, since Argo CD lets only those through who may invoke it.
    Raises Unproved where the Application is nobody's here.
    """
    shown = headers.get(ARGO_CD_SECRET)
    if shown is None:
        return None
    found = [
        name for name, secret in way.secrets.items() if hmac.compare_digest(shown.encode(), secret)
    ]
    user = _name(headers.get("argocd-username"))
    if not found or user is None:
        raise Unproved("this does not come from Argo CD")
    application = _application(way, headers.get("argocd-application-name", ""), config, overlays)
    if application is None:
        raise Unproved("the Application is called after no overlay (argocd.applications)")
    return Person(
        f"user:{RESERVED}{user}",
        user,
        _address(user, "argocd"),
        (f"{RESERVED}{found[0]}",),
        "argocd",
        application=application,
    )


def is_in(networks: Iterable[Network], peer: str | None) -> bool:
    """Say whether a connection comes from one of `networks`."""
    try:
        address = ip_address(peer or "")
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in one for one in networks)


def _application(
    way: ArgoCdWay, header: str, config: Config | None, overlays: Overlays
) -> tuple[str, str | None] | None:
    """Return the environment and app that an Application (`NAMESPACE:NAME`) is called after."""
    namespace, _, name = header.rpartition(":")
    found = set()
    for pattern in way.applications:
        expected, _, form = pattern.rpartition("/")
        if expected and expected != namespace:
            continue
        for row in config.environments if config is not None else ():
            text = re.escape(form.replace("{environment}", row.name))
            match = re.fullmatch(text.replace(r"\{app\}", "(?P<app>.+)", 1), name)
            if match is not None:
                found.add((row.name, match.groupdict().get("app")))
    found = {one for one in found if overlays(*one)}
    # One that could be two is neither: `a-prod` of prod, or of an environment `a-prod`?
    return found.pop() if len(found) == 1 else None


def _name(text: str | None) -> str | None:
    fits = text and len(text) <= _LONGEST and text.isprintable() and text == text.strip()
    return text if fits else None


def _address(user: str, way: str) -> str:
    if re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", user):
        return user
    return f"{re.sub(r'[^A-Za-z0-9._-]', '-', user)}@{way}.noreply"
