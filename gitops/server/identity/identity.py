"""Who asks: one answer for each request, by whichever way they came in."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from msgspec.structs import replace

from gitops.core.access.rules import names_in
from gitops.core.environments.environment import Config, Environment
from gitops.errors import Denied, TryAgain, Unavailable
from gitops.server.identity.cookies import Cookies
from gitops.server.identity.headers import ARGO_CD_SECRET, by_argocd, by_proxy
from gitops.server.identity.machines import Machines
from gitops.server.identity.person import RESERVED, Person, Unproved
from gitops.server.identity.rights import wants_fresh
from gitops.server.identity.settings import IdentitySettings

if TYPE_CHECKING:
    from gitops.ports.sign_in import Account, SignInService

T = TypeVar("T")
Headers = Sequence[tuple[bytes, bytes]]
"""As ASGI has them: names in lower case, each as often as it came."""

_AGAIN_HINT: Final = "sign in again, then do it once more"


class Runs(Protocol):
    """Runs in another thread what blocks."""

    def __call__(self, call: Callable[..., T], /, *args: Any) -> Awaitable[T]: ...


class Around(Protocol):
    """What identity needs of the server around it.

    Attributes:
        prove: runs in a thread what must be known before somebody is let in. These threads are
            not those of whoever is in: strangers take none from them.
    """

    @property
    def prove(self) -> Runs: ...

    def policy(self) -> Config | None:
        """Return what gitops.yaml said when it was read last, None before that."""
        ...

    def has_overlay(self, environment: str, app: str | None) -> bool:
        """Say whether there is such an overlay."""
        ...

    def own_person(self) -> Person:
        """Return whoever runs the server."""
        ...


class IdentityDoor:
    """Knows people and jobs, as the settings say.

    Attributes:
        cookies: what browsers keep for us.
        service: where people sign in; None: nowhere.
        open: whoever reaches the server may look (nobody can be known, or it only shows).

    Args:
        url: where people find the server.
        is_loopback: only this machine reaches it.
        read_only: nobody may act.
    """

    def __init__(
        self,
        settings: IdentitySettings,
        around: Around,
        *,
        url: str,
        is_loopback: bool,
        read_only: bool,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.url = url
        self._around = around
        self._own = None if settings.knows_people or read_only or not is_loopback else around
        self._myself: Person | None = None
        self.open = not settings.knows_people
        self.service = _service(settings)
        self.cookies = _cookies(settings, now)
        self._machines = _machines(settings, around.policy, now)

    async def person(self, headers: Headers, peer: str | None) -> Person | None:
        """Return who asks, None where that is not known.

        Raises Unproved where they prove something that is not so, and Unavailable where whoever
        could tell does not answer.
        """
        given = _once(headers)
        if (token := _bearer(given)) is not None:
            if self._machines is None:
                raise Unproved("no job is known here: the server's settings have no issuers")
            if not self._machines.asks_for(token):
                return self._machines.person(token)  # no flood of guesses fills the threads
            return await self._around.prove(self._machines.person, token)
        before = self._from_before(given, peer)
        if before is not None:
            return self._if_known(before)
        found = self.cookies.person(given.get("cookie", ""))
        if found is not None:
            way = self.settings.sign_in
            return self._if_known(replace(found, server=way.where if way is not None else None))
        return await self._whoever_runs_it(self._own) if self._own is not None else None

    async def _whoever_runs_it(self, around: Around) -> Person:
        """Git is asked once; whom it does not know yet, it may know at the next request."""
        if self._myself is None:
            found = await around.prove(around.own_person)
            self._myself = found if found.email else None
            return found
        return self._myself

    async def signed_in(self, code: str, verifier: str, nonce: str) -> str:
        """Return the session cookie of whoever came back with `code`.

        Raises Denied where they are nobody here, Refused, and Unavailable.
        """
        service, way = self._service_and_way()
        account = await self._around.prove(service.exchange, code, verifier, nonce, self.back)
        self._check_known(account)
        via: Any = way.kind
        return self.cookies.signed_in(account, via, self._known_groups())

    async def ask_again(
        self, person: Person, act: str, environment: Environment
    ) -> tuple[Person, str | None]:
        """Return the person as the sign-in service knows them now, and what to tell about it.

        Only where it matters (`wants_fresh`), and where the service can be asked at all: others
        prove who they are with every request. Raises Unproved where it says no, Unavailable where
        it does not answer; a rollback then goes on with what is known, and says so.
        """
        if person.via not in ("oidc", "github") or not wants_fresh(act, environment):
            return person, None
        try:
            return await self._asked(person), None
        except (TryAgain, Unproved) as error:
            if act != "rollback":
                raise
            why = error.message
            return person, f"{why}; the groups are those of the sign-in"

    @property
    def back(self) -> str:
        """Where the sign-in service sends browsers back to."""
        return f"{self.url}/sign-in/back"

    async def begin(self, state: str, nonce: str, challenge: str) -> str:
        """Return where to send a browser to sign in. Raises Unavailable, Denied."""
        service, _ = self._service_and_way()
        return await self._around.prove(service.address, state, nonce, challenge, self.back)

    async def _asked(self, person: Person) -> Person:
        service, _ = self._service_and_way()
        if person.token is None:
            raise Unproved("you signed in more than an hour ago", hint=_AGAIN_HINT)
        try:
            account = await self._around.prove(service.again, person.token)
        except Denied as error:
            raise Unproved(error.message, hint=_AGAIN_HINT) from None
        if f"user:{account.user}" != person.id:
            raise Unproved("the sign-in service knows you by another name now", hint=_AGAIN_HINT)
        known = self._known_groups()
        groups = tuple(one for one in account.groups if f"group:{one}" in known)
        again = self._if_known(replace(person, groups=groups))
        if again is None:
            raise Unproved("this server does not let you in any more", hint=_AGAIN_HINT)
        return again

    def _from_before(self, headers: Mapping[str, str], peer: str | None) -> Person | None:
        if self.settings.argocd is not None and ARGO_CD_SECRET in headers:
            policy, overlays = self._around.policy(), self._around.has_overlay
            return by_argocd(self.settings.argocd, headers, policy, overlays)
        if self.settings.proxy is not None:
            return by_proxy(self.settings.proxy, headers, peer)
        return None

    def _service_and_way(self) -> tuple[SignInService, Any]:
        if self.service is None or self.settings.sign_in is None:
            raise Denied("nobody signs in here: the server's settings have no signIn")
        return self.service, self.settings.sign_in

    def _known_groups(self) -> frozenset[str]:
        """Return the groups that mean something here. Raises Unavailable before Git was read."""
        policy = self._around.policy()
        if policy is None:
            raise Unavailable("gitops.yaml has not been read yet", hint="try again in a moment")
        return names_in(policy.access) | frozenset(self._who())

    def _who(self) -> tuple[str, ...]:
        return self.settings.sign_in.who if self.settings.sign_in is not None else ()

    def _check_known(self, account: Account) -> None:
        names = (f"user:{account.user}", *(f"group:{one}" for one in account.groups))
        if account.user.startswith(RESERVED):
            raise Denied(f"{account.user} is what people on Argo CD's page are called")
        if self._who() and set(self._who()).isdisjoint(names):
            raise Denied(
                f"{account.user} is nobody whom this server lets in",
                hint="signIn.who of its settings says who is",
            )

    def _if_known(self, person: Person) -> Person | None:
        """`signIn.who` may have changed since they signed in.

        Names that Argo CD's page gives are nobody else's, whatever people and groups are called.
        """
        if person.via != "argocd":
            if person.id.startswith(f"user:{RESERVED}"):
                return None
            groups = tuple(one for one in person.groups if not one.startswith(RESERVED))
            person = replace(person, groups=groups)
        if person.via in ("oidc", "github") and self._who():
            return person if set(self._who()) & set(person.names) else None
        return person


def _service(settings: IdentitySettings) -> SignInService | None:
    way = settings.sign_in
    if way is None:
        return None
    from gitops.wiring.service import open_github, open_id_provider

    if way.kind == "github":
        return open_github(way.where, way.client, by_email=way.user == "email")
    claims = (way.user, way.groups)
    return open_id_provider(way.where, way.client, claims, trusts_email=way.trusts_email)


def _cookies(settings: IdentitySettings, now: Callable[[], float]) -> Cookies:
    from gitops.wiring.service import open_seal

    return Cookies(open_seal(settings.keys or (os.urandom(32),)), settings.lifetime, now)


def _machines(
    settings: IdentitySettings, policy: Callable[[], Config | None], now: Callable[[], float]
) -> Machines | None:
    if not settings.issuers and not settings.tokens:
        return None
    from gitops.wiring.service import open_issuers

    asked = open_issuers({one.url: one.keys for one in settings.issuers if one.keys is not None})
    return Machines(settings.issuers, settings.tokens, asked, policy, now)


def _once(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Return the headers that came once: of two of a name, one may be somebody else's.

    Cookies may come in several headers (HTTP/2 before a proxy), and are one text here.
    """
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    cookies = {"cookie": "; ".join(found.pop("cookie", ()))}
    return cookies | {name: values[0] for name, values in found.items() if len(values) == 1}


def _bearer(headers: Mapping[str, str]) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None
