"""Markdown for a forge's page, made of words that somebody else chose.

Names, reasons and notes come from people and files. Whatever they hold, they stand in a code span
or a code block: there no forge makes a link, a mention, an issue reference, HTML or a command of
it (CommonMark 0.31, section 6.1; GitHub, GitLab and Gitea leave `code` and `pre` alone when they
look for mentions and references).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gitops.core.text.plain import LONGEST_TEXT, one_line

NOTHING = "(none)"
"""What stands for an empty text."""


def code(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return `text` as a code span on one line, for running text and for the cell of a table.

    A `|` becomes `¦`: forges disagree about how one is escaped inside code inside a table.
    """
    plain = one_line(text, longest).replace("|", "¦")
    if not plain:
        return NOTHING
    fence = "`" * (_longest_run(plain) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def code_block(lines: Iterable[str], language: str = "") -> str:
    """Return `lines`, each one made one line, as a fenced block."""
    plain = [one_line(line, 10 * LONGEST_TEXT) for line in lines]
    fence = "`" * max(3, *(_longest_run(line) + 1 for line in plain), 3)
    return "\n".join([f"{fence}{language}", *plain, fence])


def link(shown: str, url: str | None) -> str:
    """Return a link with `shown` as code; without a URL the code alone.

    `url` must be an absolute one in ASCII without blanks, `<`, `>` and backticks
    (`core.forges.web_links` makes such); another one is left out.
    """
    if url is None or re.fullmatch(r"https?://[!-~]+", url) is None or set(url) & set("<>`|\\"):
        return code(shown)
    return f"[{code(shown)}](<{url}>)"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def bullets(items: Iterable[str]) -> str:
    """Return a list of items that are Markdown already."""
    return "\n".join(f"- {item}" for item in items)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
