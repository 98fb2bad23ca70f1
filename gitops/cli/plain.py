"""A deploy without typer: the call that pipelines make all day, when every word of it is plain.

Loading typer costs as much as reading the repository, and in a crowd of jobs that share processors
it is what everybody waits for. What is not understood here goes the way of all commands, and gets
its help and its errors there; tests/cli/test_plain_deploy.py holds the two readings together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitops.cli.fast_path import Spoken, wanted

_ALIASES = (("-o", "--output"), ("-v", "--verbose"))


def plain_deploy(spoken: Spoken, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the arguments of `run_deploy`; None for another command, or one that is not plain."""
    values = spoken.values
    if spoken.command != "deploy" or not spoken.arguments or "_GITOPS_COMPLETE" in environ:
        return None
    if any(one in values and other in values for one, other in _ALIASES):
        return None  # which of them counts is for typer to say
    outputs = (*values.get("-o", ()), *values.get("--output", ()))
    if not {*outputs} <= {"text", "json"}:
        return None
    repo, branch, _ = wanted(spoken, environ)
    told = {
        "images": spoken.arguments,
        "to": tuple(values.get("--to", ())),
        "ref": spoken.last("--ref"),
        "commit": spoken.last("--commit"),
        "override": spoken.last("--override"),
        "reason": spoken.last("--reason"),
        "add": "--add" in values,
        "app": spoken.last("--app"),
        "repo": repo,
        "branch": branch,
        "dry_run": "--dry-run" in values,
        "verbose": "-v" in values or "--verbose" in values,
        "output": outputs[-1] if outputs else "text",
    }
    if "--push-timeout" in values:
        told["push_timeout"] = spoken.last("--push-timeout")
    return told
