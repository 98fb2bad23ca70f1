"""Asks once, before anything is written, whether it may be: `Session.before_write`."""

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
    """Return `plan`, asked about the first time that it wants something. It raises `Barred`."""
    asked = False

    def checked(tip: Tip) -> Plan:
        nonlocal asked
        wanted = plan(tip)
        if session.before_write is not None and not asked and not wanted.is_empty:
            try:
                session.before_write(session, tip, wanted.reached)
            except GitopsError as error:
                raise Barred(error) from error
            asked = True
        return wanted

    return checked
