"""What `gitops deploy` does once its words are read: by typer, or at once (gitops/cli/plain.py)."""

from __future__ import annotations

import os
from collections.abc import Sequence


def run_deploy(
    *,
    images: Sequence[str],
    to: Sequence[str] = (),
    ref: str | None = None,
    commit: str | None = None,
    override: str | None = None,
    reason: str | None = None,
    add: bool = False,
    wait: bool = False,
    soak: str | None = None,
    timeout: str | None = None,
    record: bool = True,
    app: str | None = None,
    repo: str = ".",
    branch: str | None = None,
    dry_run: bool = False,
    push_timeout: str = "60s",
    verbose: bool = False,
    output: str = "text",
) -> int:
    """Put images into environments and print what came of it; return the exit code.

    Arguments are the options of the command, as typed. Raises what the action raises.
    """
    from gitops.cli.session import open_for_writing

    if ref is not None:
        from gitops.cli.ci import branch_of_job, check_ref

        ref = branch_of_job(os.environ) if ref == "auto" else check_ref(ref)
    with open_for_writing(
        repo,
        branch,
        push_timeout,
        dry_run=dry_run,
        verbose=verbose,
        combines=True,
        start="tip" if dry_run or override is not None else "remembered",
    ) as session:
        from gitops.actions.deploy import DeployRequest, deploy
        from gitops.cli.followup import finish, wait_options

        options = wait_options(wait, soak, timeout, record)
        request = DeployRequest(
            images=tuple(images),
            to=tuple(to),
            ref=ref,
            commit=commit,
            app=app,
            override=override,
            reason=reason,
            add=add,
        )
        opened = session()
        return finish(opened, deploy(opened, request), options, output)
