"""What `gitops notify` prints."""

from __future__ import annotations

from gitops.actions.notify import NotifyReport
from gitops.cli.render.terminal import aside, line, remark, safe
from gitops.cli.render.text import print_json
from gitops.documents.reports import time_text
from gitops.errors import Unavailable


def print_told(report: NotifyReport, output: str) -> int:
    """Print the messages. Raises Unavailable, after that, for those that did not go out."""
    if output == "json":
        print_json(
            {
                "action": "notify",
                "outcome": _outcome(report),
                "events": [
                    {
                        "id": one.id,
                        "kind": one.kind,
                        "overlays": list(one.labels),
                        "what": one.what,
                        "by": one.by or None,
                        "reason": one.reason or None,
                        "time": time_text(one.time),
                        "commit": one.commit or None,
                    }
                    for one in report.events
                ],
                "messages": [
                    {
                        "channel": one.channel,
                        "outcome": one.outcome,
                        "title": one.title,
                        "body": one.body,
                        "reason": one.why,
                    }
                    for one in report.sent
                ],
                "unknown": list(report.unknown),
                "notes": list(report.notes),
            }
        )
    else:
        _print_lines(report)
    for name in report.unknown:
        aside("warning", f"channel {name} of gitops.yaml has no address here (--settings)")
    for note in report.notes:
        remark(note)
    if report.failed:
        raise Unavailable(
            f"{len(report.failed)} of {len(report.sent)} messages did not go out",
            reasons=tuple(f"{one.channel}: {one.title}: {one.why}" for one in report.failed),
            hint="they are given up, and kept by name on the branch gitops/told",
        )
    return 0


def _print_lines(report: NotifyReport) -> None:
    if report.begun:
        line("people are told what happens from now on")
    elif not report.events:
        line("nothing happened that anybody is told of")
    elif not report.sent:
        line("nobody is to be told of what happened")
    for one in report.sent:
        line(safe(f"{one.outcome}  {one.channel}  {one.title}"))
        if one.outcome == "planned":
            for text in one.body.split("\n"):
                line(safe(f"    {text}"))


def _outcome(report: NotifyReport) -> str:
    if report.begun:
        return "begun"
    if any(one.outcome == "planned" for one in report.sent):
        return "planned"
    return "told" if report.sent else "unchanged"
