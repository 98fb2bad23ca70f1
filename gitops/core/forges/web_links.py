"""Pages of a source repository on the web: one commit, and the changes between two.

The addresses are GitHub's and Gitea's (`/commit/ID`, `/compare/OLD...NEW`), with GitLab's `/-/`
where the host calls itself so, and Bitbucket's own. No forge is asked.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_SCP_LIKE = re.compile(r"(?:[^@/:]+@)?(?P<host>[A-Za-z0-9.-]+):(?![/:])(?P<path>.+)")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


def web_page(url: str) -> str | None:
    """Return the address of a repository's page, None for a path or an address of no web server.

    User, password and the port of SSH are left out.
    """
    if "://" not in url:
        found = _SCP_LIKE.fullmatch(url)
        return None if found is None else _page("https", found["host"], None, found["path"])
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme in ("http", "https"):
        return _page(parts.scheme, parts.hostname, port, parts.path)
    if parts.scheme in ("ssh", "git", "git+ssh", "ssh+git"):
        return _page("https", parts.hostname, None, parts.path)
    return None


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


def _page(scheme: str, host: str | None, port: int | None, path: str) -> str | None:
    plain = re.sub(r"/+", "/", path).strip("/").removesuffix(".git").rstrip("/")
    if host is None or _HOST.fullmatch(host) is None or not plain:
        return None
    where = host.lower() if port is None else f"{host.lower()}:{port}"
    return f"{scheme}://{where}/{quote(plain, safe='/~-._%')}"


def _middle(page: str) -> str:
    return "/-" if "gitlab" in (urlsplit(page).hostname or "") else ""


def _is_bitbucket(page: str) -> bool:
    return "bitbucket" in (urlsplit(page).hostname or "")
