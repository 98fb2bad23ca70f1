"""Opens the session of a command as its options say, and ends a write. Loads no typer."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from gitops.core.text.plain import read_duration
from gitops.errors import UsageError

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.actions.wait import WaitOptions
    from gitops.cli.options import FollowOptions, RepositoryOptions, WriteOptions
    from gitops.core.report import WriteReport
    from gitops.ports.repository import Start


def server_writes() -> bool:
    """Say whether `GITOPS_SERVER` names a server that is to do what is written."""
    return bool(os.environ.get("GITOPS_SERVER", "").strip())


def open_for_reading(
    where: RepositoryOptions, *, dry_run: bool = False, start: Start = "tip"
) -> AbstractContextManager[Callable[[], Session]]:
    """Open a session that writes nothing. See `gitops.wiring.open_session`."""
    from gitops.wiring import open_session

    return open_session(where.repo, where.branch, dry_run=dry_run, start=start)


def open_for_writing(
    where: RepositoryOptions, write: WriteOptions, *, combines: bool = False, start: Start = "tip"
) -> AbstractContextManager[Callable[[], Session]]:
    """Open a session as the options say. See `gitops.wiring.open_session`.

    Raises UsageError for a push timeout that is none, and what `open_session` raises.
    """
    from gitops.wiring import open_session

    tell_job(write)
    return open_session(
        where.repo,
        where.branch,
        dry_run=write.dry_run,
        budget=seconds(write.push_timeout),
        writes=True,
        start=start,
        combines=combines,
        verbose=write.verbose,
    )


def tell_job(write: WriteOptions) -> None:
    """Begin to tell a CI job what becomes of this call, its errors too, where that is wanted."""
    if write.summary or write.outputs or "GITHUB_STEP_SUMMARY" in os.environ:
        from gitops.cli import job_files

        job_files.begin(write.summary, write.outputs, os.environ)


def seconds(text: str) -> float:
    """Read a duration of the command line: `90s`, `10m`, `24h`, `7d`, or seconds.

    Raises UsageError.
    """
    try:
        return read_duration(text).total_seconds()
    except ValueError:
        raise UsageError(f"{text!r} is no duration", hint="write 90s, 10m or 24h") from None


def optional_seconds(text: str | None) -> float | None:
    """Read a duration where one was given. Raises UsageError."""
    return None if text is None else seconds(text)


def wait_options(follow: FollowOptions, *, go_back: bool = False) -> WaitOptions | None:
    """Return what `--wait` and its companions ask for; None without `--wait`.

    `go_back`: `--rollback` was given.

    Raises UsageError.
    """
    if not follow.wait:
        if follow.soak is not None or follow.timeout is not None:
            raise UsageError("--soak and --timeout go with --wait")
        if go_back:
            raise UsageError("--rollback goes with --wait: it takes back what was seen Degraded")
        return None
    from gitops.actions.wait import WaitOptions

    return WaitOptions(
        soak=optional_seconds(follow.soak),
        timeout=optional_seconds(follow.timeout),
        record=follow.record,
        go_back=go_back,
    )


def session_of(open_session: Callable[[], Session], waits: WaitOptions | None) -> Session:
    """Return the session of a write; with `--wait` it writes only what can be waited for."""
    session = open_session()
    if waits is None:
        return session
    from gitops.actions.wait import waiting

    return waiting(session)


def finish(
    session: Session,
    report: WriteReport,
    options: WaitOptions | None,
    output: str,
    *,
    audit: bool = False,
) -> int:
    """Print what a write did and, where `--wait` asks for it, what became of it.

    `audit`: and what passed policy.
    """
    if audit:
        from gitops.cli.render.text import print_audit

        print_audit(report)
    if options is None or report.outcome == "planned":
        from gitops.cli.render.text import print_write

        return print_write(report, output)
    from gitops.cli.render.wait import follow  # what health is takes time to load

    return follow(session, report, options, output)
