"""What a message says: a title that can be read on a locked phone, and a few lines."""

from __future__ import annotations

import re
import shlex

from gitops.core.environments.environment import split_label
from gitops.core.git.message import told_labels
from gitops.core.notifications.event import Event
from gitops.core.text.page_links import overlay_path
from gitops.core.text.plain import count, one_line, timestamp

_SIGNS = {
    "rollback": "↩",
    "hold": "⏸",
    "proposal": "⏳",
    "approved": "✅",
    "degraded": "🔴",
    "recovered": "🟢",
    "not-recovered": "🚨",
    "alert": "🔔",
}
_MOST_TITLES = 10
_JOINER = "\u2060"  # takes no room, and breaks no line
_CALLS = re.compile(r"@(?=\w)|\](?=[(\[])|<(?=[!@#:\w])")


def title_of(event: Event) -> str:
    """Return one line: `🔴 prod is degraded`."""
    joint = " " if event.what.startswith(("is ", "has ", "waits")) else ": "
    text = one_line(f"{_SIGNS[event.kind]} {told_labels(event.labels)}{joint}{event.what}", 160)
    return calling_nobody(text)


def body_of(event: Event, page: str | None) -> str:
    """Return the rest; `page`: the address of the server, where there is one.

    Links lead to pages that show and ask again: what fetches every link of a chat changes nothing.
    """
    lines = []
    if event.subject:
        lines.append(calling_nobody(event.subject))
    when = timestamp(event.time) if event.time is not None else ""
    who = " ".join(filter(None, (event.by and f"by {calling_nobody(event.by)}", when)))
    if who:
        lines.append(who)
    if event.reason:
        lines.append(f"Reason: {calling_nobody(event.reason)}")
    if event.missing:
        lines.append(f"Waits for: {calling_nobody('; '.join(event.missing))}")
    if event.commit:
        lines.append(f"Commit: {event.commit[:12]}")
    if event.url:
        lines.append(event.url)
    if page is not None:
        lines.append(f"{page}{page_of(event)}")
    elif event.kind == "proposal":
        lines.append(calling_nobody(f"gitops approve {shlex.join(event.labels)}"))
    return "\n".join(lines)


def calling_nobody(text: str) -> str:
    """Return foreign words that call nobody in a chat, and are no link under another name.

    Discord and Mattermost take messages as Markdown: `@everyone`, `<@&7>`, `[Approve](https://…)`.
    """
    return _CALLS.sub(lambda found: f"{found[0]}{_JOINER}", text)


def page_of(event: Event) -> str:
    """Return the path of the page about an event (design.md, section 7)."""
    if len(event.labels) != 1:
        return "/proposals" if event.kind in ("proposal", "approved") else "/"
    path = overlay_path(*split_label(event.labels[0]))
    return f"{path}/approve" if event.kind == "proposal" else path


def summary_of(events: tuple[Event, ...], page: str | None) -> tuple[str, str]:
    """Return title and body of one message in place of many."""
    title = f"{count(len(events), 'more event')} of your environments"
    lines = [title_of(one) for one in events[:_MOST_TITLES]]
    if len(events) > _MOST_TITLES:
        lines.append(f"and {len(events) - _MOST_TITLES} more")
    if page is not None:
        lines.append(page)
    return title, "\n".join(lines)
