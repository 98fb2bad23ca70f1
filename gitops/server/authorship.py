"""Commits made for a person: they are the author, the server commits, trailers say how it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gitops.core.git.message import put_in_form
from gitops.core.text.plain import one_line
from gitops.ports.around import RepositoryAround

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.core.git.commit import Identity
    from gitops.ports import Repository
    from gitops.ports.repository import NewCommit
    from gitops.server.identity.person import Person


def session_for(session: Session, person: Person, via: str | None) -> Session:
    """Return `session` as one in which `person` writes.

    `via` is what `Gitops-Via` says (`page`, `api`); None: no trailers.
    """
    who = person.author
    trailers = (("Gitops-Via", via), ("Gitops-Actor", person.id)) if via else ()
    made = AuthoredRepository(session.repository, who, trailers)
    return replace(session, repository=made, identity=lambda: who)


class AuthoredRepository(RepositoryAround):
    """A repository whose commits have an author; everything else is the repository's own.

    Args:
        author: None: whoever runs the server.
        trailers: what commits say beside: (`Gitops-Actor`, `user:ana@example.com`).
    """

    def __init__(
        self, inner: Repository, author: Identity | None, trailers: Sequence[tuple[str, str]]
    ) -> None:
        super().__init__(inner)
        self._author = author
        self._told = [f"{key}: {one_line(text)}" for key, text in trailers]

    def create(self, commit: NewCommit) -> str:
        """Store the objects of `commit`, with the author and the trailers."""
        author = commit.author or self._author
        message = put_in_form(commit.message, "{summary}", self._told, author)
        return self.inner.create(replace(commit, author=author, message=message))
