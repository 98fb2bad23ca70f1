"""What follows a write: its result is printed and, with `--wait`, Argo CD is followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops.cli.duration import seconds
from gitops.cli.render.text import print_write
from gitops.errors import UsageError

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.actions.wait import WaitOptions
    from gitops.core.report import WriteReport


def wait_options(
    wait: bool, soak: str | None, timeout: str | None, record: bool
) -> WaitOptions | None:
    """Return what `--wait` and its companions ask for; None without `--wait`.

    Raises UsageError.
    """
    if not wait:
        if soak is not None or timeout is not None:
            raise UsageError("--soak and --timeout go with --wait")
        return None
    from gitops.actions.wait import WaitOptions

    return WaitOptions(
        soak=seconds(soak) if soak is not None else None,
        timeout=seconds(timeout) if timeout is not None else None,
        record=record,
    )


def finish(session: Session, report: WriteReport, options: WaitOptions | None, output: str) -> int:
    """Print what a write did and, where `--wait` asks for it, what became of it."""
    if options is None or report.outcome == "planned":
        return print_write(report, output)
    from gitops.cli.render.wait import follow  # what health is takes time to load

    return follow(session, report, options, output)
