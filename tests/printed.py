"""The gitops calls that a page prints for its reader to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_PRINTED = re.compile(r"\s*(?:\$ |(?:- )?run: )?(?:[A-Z_]+=(?:\"[^\"]*\"|\S+) )*gitops (.*)")


def printed_calls(path: Path, *, screens: bool = True) -> Iterator[list[str]]:
    """Yield the words after `gitops` of each call that a page has a reader type.

    `screens`: those too that stand before what a terminal shows.
    """
    for kind, text in FENCED.findall(path.read_text()):
        for line in text.replace("\\\n", " ").splitlines():
            found = _PRINTED.fullmatch(line)
            shown = line.startswith("$ ")
            if found is None or (shown and not screens):
                continue
            if kind in ("", "text") and not shown:
                continue
            words = shlex.split(found[1], comments=True)
            ends = (
                place
                for place, word in enumerate(words)
                if word in ("|", "&&", "||", ";") or re.match(r"\d?[<>]", word)
            )
            yield [word.rstrip(";)") for word in words[: next(ends, None)]]
