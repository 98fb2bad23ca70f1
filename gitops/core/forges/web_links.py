"""Pages of a source repository on the web: one commit, and the changes between two.

The addresses are GitHub's and Gitea's (`/commit/ID`, `/compare/OLD...NEW`), with GitLab's `/-/`
where the host calls itself so, and Bitbucket's own. No forge is asked.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from gitops.core.forges.address import parse_remote

_COMMIT = re.compile(r"[0-9a-f]{7,64}")


def web_page(url: str) -> str | None:
    """Return the address of a repository's page, None for a path or an address of no web server.

    User, password, the port of SSH and one that is the scheme's own are left out.
    """
    remote = parse_remote(url)
    return None if remote is None else f"{remote.origin}/{quote(remote.path, safe='/~-._')}"


def commit_page(url: str, commit: str) -> str | None:
    """Return the address of one commit's page, None where there is none."""
    page = web_page(url)
    if page is None or _COMMIT.fullmatch(commit) is None:
        return None
    return f"{page}{_middle(page)}/{'commits' if _is_bitbucket(page) else 'commit'}/{commit}"


def compare_page(url: str, old: str, new: str) -> str | None:
    """Return the address of the page with the changes from `old` to `new`, None for none."""
    page = web_page(url)
    if page is None or old == new or not (_COMMIT.fullmatch(old) and _COMMIT.fullmatch(new)):
        return None
    if _is_bitbucket(page):
        return f"{page}/branches/compare/{new}..{old}"
    return f"{page}{_middle(page)}/compare/{old}...{new}"


def _middle(page: str) -> str:
    return "/-" if "gitlab" in (urlsplit(page).hostname or "") else ""


def _is_bitbucket(page: str) -> bool:
    return "bitbucket" in (urlsplit(page).hostname or "")
