"""What a person may do, by the policy of a tip; asked at every request."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gitops.core.access.rules import Decision, decide
from gitops.core.environments.environment import Config, Environment, asks_for_approval, label_of
from gitops.errors import Denied
from gitops.server.identity.person import Person, Unproved

WHOLE = ("hold", "resume", "close", "qa")
"""Acts that are about all images of an overlay."""

_ASKED_ANEW = ("approve", "override")


def may(
    config: Config | None,
    person: Person | None,
    act: str,
    environment: str,
    app: str | None = None,
    images: Iterable[str] | None = (),
    *,
    authors: Collection[str] = (),
) -> Decision:
    """Say whether `person` may do `act` there, as `core.access.rules.decide` does.

    `config` is that of the tip that is written on, or was seen last; None: of none yet.
    """
    if person is None:
        return Decision(False, "sign in to do that", "stranger")
    if person.via == "loopback":
        return Decision(True, "you run this server")
    if config is None:
        return Decision(False, "gitops.yaml has not been read yet", "nobody")
    if person.application is not None and person.application != (environment, app):
        return Decision(False, _elsewhere(person.application), "app")
    return decide(config.access, person.names, act, environment, app, images, authors=authors)


def require(
    config: Config | None,
    person: Person | None,
    act: str,
    environment: str,
    app: str | None = None,
    images: Iterable[str] | None = (),
    *,
    authors: Collection[str] = (),
) -> None:
    """Raise Denied (Unproved where nobody is signed in) unless they may."""
    found = may(config, person, act, environment, app, images, authors=authors)
    if not found.allowed:
        raise (Unproved if person is None else Denied)(
            found.why, hint="rights are rows of `access:` in gitops.yaml"
        )


def wants_fresh(act: str, environment: Environment) -> bool:
    """Must the sign-in service be asked again before `act`? Membership in a cookie is hours old."""
    return act in _ASKED_ANEW or (act == "rollback" and asks_for_approval(environment))


def _elsewhere(application: tuple[str, str | None]) -> str:
    where = label_of(*application)
    return f"the Application in Argo CD is {where}'s: nothing else is done from its page"
