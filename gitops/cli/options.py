"""Options that many commands share, each defined once."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from gitops.cli.render.annotations import Annotations


class Format(StrEnum):
    """How results are printed."""

    text = "text"
    json = "json"


Repo = Annotated[
    str,
    typer.Option(
        "--repo", metavar="PATH|URL", envvar="GITOPS_REPO", help="The manifest repository."
    ),
]
Branch = Annotated[
    str | None,
    typer.Option(
        "--branch",
        help="The top-level branch, which policy is read from; default: what gitops.yaml says.",
    ),
]
Output = Annotated[Format, typer.Option("-o", "--output", help="text or json.")]
Marks = Annotated[
    Annotations,
    typer.Option("--annotations", help="github: print marks for the page of a CI job, too."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Plan, show the difference, write nothing.")
]
App = Annotated[
    str | None,
    typer.Option("--app", help="The app, where each app has overlays of its own."),
]
PushTimeout = Annotated[
    str,
    typer.Option(
        "--push-timeout",
        metavar="DURATION",
        help="How long lost races and an unreachable server are tried again.",
    ),
]

Verbose = Annotated[
    bool,
    typer.Option("-v", "--verbose", help="Tell on standard error what else goes on: lost races."),
]

Wait = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait",
        help="Then follow Argo CD as `gitops wait` does; its exit code, and its answer with `wait` "
        "in the JSON.",
    ),
]

Soak = Annotated[
    str | None,
    typer.Option(
        "--soak",
        metavar="DURATION",
        help="How long it must stay Healthy; default: `wait.soak` in gitops.yaml, 5m for stage, "
        "prod and real databases, else 0.",
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        help="How long it may take to become Healthy, the soak apart; default: `wait.timeout` in "
        "gitops.yaml, else 15m.",
    ),
]
Record = Annotated[
    bool, typer.Option("--record/--no-record", help="Write the verdict to the ledger.")
]


def may_ask(output: Format) -> bool:
    """Say whether there is a person at a terminal who can be asked."""
    return output is Format.text and sys.stdin.isatty() and sys.stderr.isatty()
