"""`GITOPS_SERVER`: the verbs that write are sent to a server, and answer as if they had run here.

Loads nothing but options where no server is named.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gitops.errors import UsageError

if TYPE_CHECKING:
    from gitops.cli.options import FollowOptions, RepositoryOptions, WriteOptions
    from gitops.core.report import WriteReport

_PATIENCE = 15.0  # seconds beside --push-timeout, for what follows a push
_NAMES: Mapping[str, str] = {
    "app": "apps",
    "image": "images",
    "schema_risk": "acceptSchemaRisk",
}
"""Field of an option group -> member of the body, where it is another word."""
_HERE = ("yes", "rollback", "everything", "passed", "failed", "eligible")
"""What is not sent as it stands."""


def server() -> str | None:
    """Return the server that is to write, None where this process does."""
    return os.environ.get("GITOPS_SERVER", "").strip() or None


def body_of(options: object, **more: Any) -> dict[str, Any]:
    """Return the options of a verb as the body of its call; what was not said is left out."""
    found = {
        _NAMES.get(name, name): value
        for name, value in vars_of(options).items()
        if name not in _HERE and value not in (None, ())
    }
    return {**found, **{name: value for name, value in more.items() if value not in (None, ())}}


def vars_of(options: object) -> dict[str, Any]:
    """Return the fields of an option group."""
    return {name: getattr(options, name) for name in type(options).__annotations__}


def send(
    verb: str,
    environments: tuple[str, ...],
    body: dict[str, Any],
    where: RepositoryOptions,
    write: WriteOptions,
    *,
    follow: FollowOptions | None = None,
    question: str | None = None,
) -> int:
    """Send a verb, print what came of it, and return the exit code.

    `question`: asked on a terminal, after a look at what would be done.

    Raises UsageError for options that only count where the repository is, and what
    `ServerClient.send` does.
    """
    from gitops.cli.session import seconds

    _check(where, follow)
    if not environments and verb != "deploy":
        raise UsageError("say which environment", hint="`gitops status` shows what is where")
    first, *also = environments or ("",)
    path = f"/v1/environments/{quote(first, safe='/*')}/{verb}" if first else f"/v1/{verb}"
    told = {**body, **({"also": also} if also else {})}
    budget = seconds(write.push_timeout) + _PATIENCE
    if question is not None:
        planned = _call(path, {**told, "dryRun": True}, budget)
        _ask(planned, question)
        told |= seen(verb, body, planned)
    document = _call(path, {**told, **({"dryRun": True} if write.dry_run else {})}, budget)
    return _print(document, where.output, audit=write.audit)


def seen(verb: str, body: Mapping[str, Any], planned: Mapping[str, Any]) -> dict[str, Any]:
    """Return what holds a call to what was shown before the question.

    That is its mark; of a server that gives none an approval is held to its head.
    """
    from gitops.documents.read import read_report

    if isinstance(mark := planned.get("mark"), str):
        return {"seen": mark}
    heads = {one.branch: one.commit for one in read_report(planned).proposals if one.commit}
    if verb != "approve" or body.get("head") is not None or len(heads) != 1:
        return {}
    return {"head": next(iter(heads.values()))}


def _check(where: RepositoryOptions, follow: FollowOptions | None) -> None:
    if where.repo not in (".", os.environ.get("GITOPS_REPO")) or where.branch is not None:
        raise UsageError(
            "GITOPS_SERVER writes to its own repository: leave out --repo and --branch",
            hint="or unset GITOPS_SERVER",
        )
    if follow is not None and (follow.wait or follow.soak or follow.timeout):
        raise UsageError(
            "GITOPS_SERVER writes, and nobody here looks into the cluster: leave out --wait",
            hint="`gitops wait ENV` follows it from where the cluster can be read",
        )


def _call(path: str, body: Mapping[str, Any], budget: float) -> dict[str, Any]:
    from gitops import interrupts
    from gitops.cli.render.terminal import remark
    from gitops.wiring import new_id, open_server

    interrupts.writes(name := new_id())
    with open_server(server() or "", lambda text: remark(f"… {text}")) as client:
        return client.send(path, body, name, budget)


def _ask(document: Mapping[str, Any], question: str) -> None:
    """Show what would be done, and ask. Raises Refused when the answer is no."""
    import typer

    from gitops.cli.render.terminal import remark, safe, warn
    from gitops.cli.render.text import change_lines
    from gitops.documents.read import read_report
    from gitops.errors import Refused

    report = read_report(document)
    if report.outcome == "unchanged":
        return
    labels = [(one.overlay.label if one.overlay else "", one.change) for one in report.changes]
    for text in (*change_lines(labels), *report.notes):
        remark(text)
    warn(report.warnings)
    if not typer.confirm(safe(question), default=False, err=True):
        raise Refused("nothing was done", hint="--yes does not ask")


def _print(document: dict[str, Any], output: str, *, audit: bool) -> int:
    from gitops.documents.read import read_report

    report: WriteReport = read_report(document)
    if audit:
        from gitops.cli.render.text import print_audit

        print_audit(report)
    if output == "json":
        from gitops.cli.render.text import note_write, print_json

        note_write(report)
        print_json(document)
        return 0
    from gitops.cli.render.text import print_write

    return print_write(report, output)
