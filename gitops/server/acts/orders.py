"""What somebody asks for, and the call that the writer makes of it."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.session import Session
from gitops.core.forges.token import OwnToken
from gitops.core.git.commit import Identity
from gitops.server.acts.requests import Body, Run
from gitops.server.identity.person import Person
from gitops.server.writer.order import ACTOR, REQUEST, CallOrder
from gitops.wiring import new_id

_SHORT = 16  # digits of a digest that nobody else has to find


class AskedFor(Struct, frozen=True):
    """What somebody asks for.

    Attributes:
        environment: as the address names it: `prod`, `shop/prod`, a group, `*`; "" where the body
            of a deploy says where to.
        via: the way it came: `page`, `api`.
        id: the `Gitops-Id` that the caller gave; None: a new one.
        notes: what was found out of the person, told among the warnings.
    """

    verb: str
    environment: str
    body: Body
    person: Person
    via: str
    id: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Whatever stands where ENV stands."""
        to = getattr(self.body, "to", ()) if self.verb == "deploy" else ()
        words = (*([self.environment] if self.environment else ()), *self.body.also, *to)
        return tuple(dict.fromkeys(words))

    def run(self) -> Run:
        """Return what does it. Raises UsageError for what makes no sense whatever the tip says."""
        act = self.body.act(self.environment)
        return lambda session: act(self.held(session))

    def held(self, session: Session) -> Session:
        """Return `session`, in which a dry run writes nothing."""
        return replace(session, dry_run=True) if self.body.dry_run else session

    def order(self, run: Run) -> CallOrder:
        """Return the call for the writer, which does `run`."""
        told = (self.verb, self.environment, self.person.id, self.body)
        digest = hashlib.sha256(msgspec.json.encode(told, order="deterministic")).hexdigest()
        said = [(REQUEST, digest[:_SHORT])] if self.id is not None else []
        return CallOrder(
            id=self.id or new_id(),
            verb=self.verb,
            digest=digest,
            run=run,
            author=author_of(self.person),
            trailers=(("Gitops-Via", self.via), (ACTOR, self.person.id), *said),
            fresh=self.id is None,
            personal=self.verb == "approve" and self.person.via != "loopback",
            token=own_token_of(self.person),
            caller=self.person.id if self.person.via != "loopback" else "",
        )


def own_token_of(person: Person) -> OwnToken | None:
    """Return a person's token, and where it is good; None: there is none."""
    if person.token is None or person.server is None:
        return None
    return OwnToken(person.token, person.server)


def author_of(person: Person) -> Identity | None:
    """Return who writes; None: whoever runs the server, as Git knows them."""
    if person.via == "loopback" and not person.email:
        return None
    return person.author
