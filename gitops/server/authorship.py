"""Commits made for a person: they are the author, the server commits, trailers say how it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import replace

from gitops.core.git.commit import Identity
from gitops.core.git.message import put_in_form
from gitops.core.text.plain import one_line

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.ports import Repository
    from gitops.ports.repository import NewCommit
    from gitops.server.identity.person import Person


def session_for(session: Session, person: Person, via: str | None) -> Session:
    """Return `session` as one in which `person` writes.

    `via` is what `Gitops-Via` says (`page`, `api`); None: no trailers.
    """
    who = Identity(one_line(person.name) or person.id, person.email)
    trailers = [f"Gitops-Via: {via}", f"Gitops-Actor: {one_line(person.id)}"] if via else []
    made = _AuthoredRepository(session.repository, who, trailers)
    return replace(session, repository=cast("Repository", made), identity=lambda: who)


class _AuthoredRepository:
    """A repository whose commits have an author; everything else is the repository's own."""

    def __init__(self, inner: Repository, author: Identity, trailers: Sequence[str]) -> None:
        self._inner = inner
        self._author = author
        self._trailers = trailers

    def create(self, commit: NewCommit) -> str:
        """Store the objects of `commit`, with the author and the trailers."""
        message = put_in_form(commit.message, "{summary}", self._trailers, None)
        author = commit.author or self._author
        return self._inner.create(replace(commit, author=author, message=message))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
