"""What the answers of several forges have in common. Pure."""

from __future__ import annotations

import re


def plain(body: str | None) -> str:
    """Return a text as it was sent, whatever line ends a forge keeps."""
    return (body or "").replace("\r\n", "\n").rstrip()


def branch_pattern(name: str) -> re.Pattern[str]:
    """Read the name of a rule: `*` stays inside a part between slashes, `**` goes across them."""
    words = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*|\*|\?)", name)
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))
