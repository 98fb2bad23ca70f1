"""Opens the session of a command that writes, as its options say. Loads no typer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from gitops.cli.duration import seconds

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.ports.repository import Start


def open_for_writing(
    repo: str,
    branch: str | None,
    push_timeout: str,
    *,
    dry_run: bool = False,
    verbose: bool = False,
    combines: bool = False,
    start: Start = "tip",
) -> AbstractContextManager[Callable[[], Session]]:
    """Open a session as the options say. See `gitops.wiring.open_session`.

    Raises UsageError for a push timeout that is none, and what `open_session` raises.
    """
    from gitops.wiring import open_session

    return open_session(
        repo,
        branch,
        dry_run=dry_run,
        budget=seconds(push_timeout),
        writes=True,
        start=start,
        combines=combines,
        verbose=verbose,
    )
