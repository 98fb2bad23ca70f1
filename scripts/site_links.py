"""A hook of mkdocs: the pages of docs/ as a site.

The navigation lists whole folders, by the titles of their pages. A link that leaves docs/ is right
on a forge and leads nowhere on the site: it goes to the repository where `repo_url` names one, and
is plain text where not.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((\.\./[^)\s]+)\)")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def on_config(config: Any) -> Any:
    """Put the pages of a folder where the navigation names it."""
    docs = Path(config["docs_dir"])
    config["nav"] = [_entry(one, docs) for one in config["nav"]]
    return config


def _entry(entry: Any, docs: Path) -> Any:
    ((name, value),) = entry.items()
    if not isinstance(value, str) or not (docs / value).is_dir():
        return entry
    pages = sorted((docs / value).glob("*.md"), key=_title)
    return {name: [{_title(page): str(page.relative_to(docs))} for page in pages]}


def _title(page: Path) -> str:
    found = _TITLE.search(page.read_text(encoding="utf-8"))
    return found[1] if found else page.stem


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Point links that leave docs/ at the repository."""
    here = dirname(page.file.src_uri)
    repository = config["repo_url"]

    def point(match: re.Match[str]) -> str:
        target = normpath(join(here, match[3]))
        if not target.startswith(".."):
            return match[0]
        if not repository or match[1]:
            return match[2]
        return f"[{match[2]}]({repository}/blob/HEAD/{target.lstrip('./')})"

    return _LINK.sub(point, markdown)
