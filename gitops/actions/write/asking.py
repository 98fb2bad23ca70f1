"""Asks before anything is written whether it may be: `Session.before_write`."""

from __future__ import annotations

from collections.abc import Callable

from gitops.actions.context.plan import Plan
from gitops.actions.context.session import Session, Tip
from gitops.errors import GitopsError


class Barred(Exception):
    """The answer was no. It is no error of the server's, which would be tried again."""

    def __init__(self, error: GitopsError) -> None:
        super().__init__(error.message)
        self.error = error


def asking(session: Session, plan: Callable[[Tip], Plan]) -> Callable[[Tip], Plan]:
    """Return `plan`, asked about in each attempt that wants something. It raises `Barred`."""

    def checked(tip: Tip) -> Plan:
        wanted = plan(tip)
        if session.before_write is not None and not wanted.is_empty:
            try:
                session.before_write(session, tip, wanted)
            except GitopsError as error:
                raise Barred(error) from error
        return wanted

    return checked
