"""Who may come in, and how it is proved: values of the settings file, with their secrets read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from gitops.config.shapes import Value
from gitops.core.text.hosts import is_loopback
from gitops.core.text.plain import read_duration

_SHORTEST_SECRET: Final = 32  # bytes; what is shorter can be guessed
_LARGEST_FILE: Final = 1 << 20
_PUBLIC: Final = ("accounts.google.com", "gitlab.com", "login.microsoftonline.com", "github.com")
"""Hosts where anybody in the world can have an account."""

Network = IPv4Network | IPv6Network


class SignInWay(Struct, frozen=True):
    """Where people sign in with a browser: `signIn`."""

    kind: str
    where: str
    client: tuple[str, str, tuple[str, ...]]
    user: str
    groups: str
    trusts_email: bool
    who: tuple[str, ...]
    label: str

    def __repr__(self) -> str:
        return f"SignInWay({self.kind!r}, {self.where!r})"


class ProxyWay(Struct, frozen=True):
    """A proxy that signs people in: `proxySignIn` and `trustedProxies`; headers in lower case."""

    networks: tuple[Network, ...]
    secret_header: str
    secret: bytes
    user: str
    name: str
    groups: str

    def __repr__(self) -> str:
        return f"ProxyWay({self.networks!r})"


class ArgoCdWay(Struct, frozen=True):
    """Argo CD's server: secrets by the names of extensions, and what Applications are called."""

    secrets: Mapping[str, bytes]
    applications: tuple[str, ...]

    def __repr__(self) -> str:
        return f"ArgoCdWay({sorted(self.secrets)!r})"


class Issuer(Struct, frozen=True):
    """Who signs tokens of jobs: a row of `issuers`."""

    name: str
    kind: str
    url: str
    audience: str
    keys: Mapping[str, Any] | None = None


class StaticToken(Struct, frozen=True):
    """A row of `tokens`: the hash in hex digits."""

    job: str
    digest: str
    expires: datetime

    def __repr__(self) -> str:
        return f"StaticToken({self.job!r})"


class IdentitySettings(Struct, frozen=True):
    """All of it.

    Attributes:
        keys: what seals cookies; the first one seals, all of them open.
        lifetime: seconds that one stays signed in.
    """

    sign_in: SignInWay | None = None
    proxy: ProxyWay | None = None
    argocd: ArgoCdWay | None = None
    issuers: tuple[Issuer, ...] = ()
    tokens: tuple[StaticToken, ...] = ()
    keys: tuple[bytes, ...] = ()
    lifetime: float = 8 * 3600.0

    def __repr__(self) -> str:
        return f"IdentitySettings({self.sign_in!r}, {self.proxy!r}, {self.argocd!r})"

    @property
    def knows_people(self) -> bool:
        """Whether anybody can be known here, so that nobody else gets in."""
        return bool(self.sign_in or self.proxy or self.argocd)


Found = Callable[[Value, str], None]
"""Told what is wrong with a value."""


def read_identity(file: Value, public_url: str, add: Found) -> IdentitySettings:
    """Read what the settings file says of identity, with the files that it names.

    `add` is told everything that is wrong; then what is returned is of no use.
    """
    issuers = tuple(_issuer(row, public_url, add) for row in file.list("issuers"))
    _check_names(file.list("issuers"), add)
    session = file.keys.get("session")
    keys = session.list("keyFiles") if session else ()
    return IdentitySettings(
        sign_in=_sign_in(file.keys.get("signIn"), public_url, add),
        proxy=_proxy(file, add),
        argocd=_argocd(file.keys.get("argocd"), add),
        issuers=issuers,
        tokens=tuple(_token(row, add) for row in file.list("tokens")),
        keys=tuple(_secret(one, add) for one in keys),
        lifetime=read_duration(session.get("lifetime", "8h") if session else "8h").total_seconds(),
    )


def _sign_in(table: Value | None, public_url: str, add: Found) -> SignInWay | None:
    if table is None:
        return None
    kind = table.get("kind", "oidc")
    is_github = kind == "github"
    for key, wanted in (("issuer", not is_github), ("url", is_github)):
        if (key in table.keys) and not wanted:
            add(table.keys[key], f"means nothing for kind: {kind}")
    where = table.get("url", "https://github.com") if is_github else table.get("issuer")
    if not where:
        add(_missing(table, "issuer"), "is missing: the address of the OpenID provider")
    user = table.get("userClaim", "login" if is_github else "email")
    if is_github and user not in ("login", "email"):
        add(table.keys["userClaim"], "is login or email for kind: github")
    if is_github and "clientSecretFile" not in table.keys:
        add(_missing(table, "clientSecretFile"), "is missing: GitHub knows no public clients")
    if "who" not in table.keys and urlsplit(where).hostname in _PUBLIC:
        add(_missing(table, "who"), "is missing: anybody in the world can sign in there")
    parts = urlsplit(public_url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        add(table, "needs publicUrl with https: browsers keep no sign-in without it")
    scopes = ("read:org", "user:email") if is_github else ("openid", "profile", "email", "groups")
    secret = table.keys.get("clientSecretFile")
    word = _read(secret, add).decode(errors="replace").strip() if secret else ""
    return SignInWay(
        kind=kind,
        where=where,
        client=(table.get("clientId"), word, table.list_texts("scopes") or scopes),
        user=user,
        groups=table.get("groupsClaim", "groups"),
        trusts_email=table.get("trustEmail") == "yes",
        who=table.list_texts("who"),
        label=table.get("label") or ("GitHub" if is_github else urlsplit(where).hostname or ""),
    )


def _missing(table: Value, key: str) -> Value:
    """Return the place of a key that is not there, or was wrong already."""
    return Value(f"{table.path}.{key}", table.place)


def _proxy(file: Value, add: Found) -> ProxyWay | None:
    table, networks = file.keys.get("proxySignIn"), file.keys.get("trustedProxies")
    if table is None or networks is None:
        lonely = table or networks
        if lonely is not None:
            other = "trustedProxies" if table is not None else "proxySignIn"
            add(lonely, f"does nothing without {other}: both are needed")
        return None
    return ProxyWay(
        networks=tuple(one for item in networks.items if (one := _network(item, add)) is not None),
        secret_header=table.get("secretHeader").lower(),
        secret=_secret(table.keys.get("secretFile"), add),
        user=table.get("userHeader", "X-Auth-Request-Email").lower(),
        name=table.get("nameHeader", "X-Auth-Request-Preferred-Username").lower(),
        groups=table.get("groupsHeader", "X-Auth-Request-Groups").lower(),
    )


def _argocd(table: Value | None, add: Found) -> ArgoCdWay | None:
    if table is None:
        return None
    rows = table.list("extensions")
    _check_names(rows, add)
    secrets = {row.get("name"): _secret(row.keys.get("secretFile"), add) for row in rows}
    if len(set(secrets.values())) < len(secrets):
        add(table, "two extensions have the same secret: each needs one of its own")
    return ArgoCdWay(secrets, table.list_texts("applications"))


def _issuer(row: Value, public_url: str, add: Found) -> Issuer:
    keys = None
    if (file := row.keys.get("keysFile")) is not None:
        try:
            keys = json.loads(_read(file, add) or b"{}")
        except ValueError:
            add(file, "is no JSON")
        if keys is not None and not isinstance(keys, dict):
            add(file, "is no set of keys (JWKS)")
    audience = row.get("audience") or public_url
    return Issuer(row.get("name"), row.get("kind"), row.get("url"), audience, keys)


def _token(row: Value, add: Found) -> StaticToken:
    expires = datetime.max.replace(tzinfo=UTC)
    try:
        found = datetime.fromisoformat(row.get("expires"))
        expires = found if found.tzinfo else found.replace(tzinfo=UTC)
    except ValueError:
        add(row.keys.get("expires", row), "is no date that a calendar has")
    return StaticToken(row.get("job"), row.get("sha256"), expires)


def _network(item: Value, add: Found) -> Network | None:
    try:
        found = ip_network(item.text, strict=False)
    except ValueError:
        add(item, "is no address or network: 10.0.3.4, 10.0.3.0/24")
        return None
    if found.prefixlen == 0:
        add(item, "is the whole world: name the proxy")
    return found


def _check_names(rows: Sequence[Value], add: Found) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        line = seen.setdefault(row.get("name"), row.place[0])
        if line != row.place[0]:
            add(row, f"{row.get('name')} is there already, on line {line}")


def _secret(file: Value | None, add: Found) -> bytes:
    """Return a secret without the end of its last line."""
    if file is None:
        return b""
    content = _read(file, add).strip(b"\r\n")
    if 0 < len(content) < _SHORTEST_SECRET:
        add(file, f"the secret there has {len(content)} bytes: {_SHORTEST_SECRET} at the least")
    return content


def _read(file: Value, add: Found) -> bytes:
    try:
        with Path(file.text).open("rb") as opened:
            content = opened.read(_LARGEST_FILE)
    except OSError as error:
        add(file, f"cannot be read: {error.strerror}")
        return b""
    if not content.strip():
        add(file, "is empty")
    return content
