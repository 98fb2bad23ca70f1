"""Addresses of commits and comparisons on the web, made from a repository's URL."""

from __future__ import annotations

import pytest

from gitops.core.forges.web_links import commit_page, compare_page, web_page

OLD, NEW = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://git.example.com/shop/api.git", "https://git.example.com/shop/api"),
        ("https://GIT.example.com:8443/shop/api/", "https://git.example.com:8443/shop/api"),
        ("http://127.0.0.1:3000/shop/api.git", "http://127.0.0.1:3000/shop/api"),
        ("git@github.com:shop/api.git", "https://github.com/shop/api"),
        ("ssh://git@git.example.com:2222/shop/api.git", "https://git.example.com/shop/api"),
        ("https://ghp_secret@github.com/shop/api", "https://github.com/shop/api"),
        ("https://ana:hunter2@github.com/shop/api", "https://github.com/shop/api"),
        ("https://git.example.com/a(b)/c d", "https://git.example.com/a%28b%29/c%20d"),
        ("git@[::1]:shop/api.git", "https://[::1]/shop/api"),
        ("git@my_host:shop/api", "https://my_host/shop/api"),
        ("https://git.example.com:443/shop/api", "https://git.example.com/shop/api"),
        ("http://git.example.com:80/shop/api", "http://git.example.com/shop/api"),
        ("http://[::1]:3000/shop/api", "http://[::1]:3000/shop/api"),
        ("ssh://git@ssh.github.com:443/shop/api.git", "https://github.com/shop/api"),
        ("https://git.example.com/a%20b/%25c", "https://git.example.com/a%20b/%25c"),
        ("https://git.example.com/", None),
        ("/srv/git/api.git", None),
        ("file:///srv/git/api.git", None),
        ("https://evil<x>/a", None),
        ("https://[::1/a", None),
        ("ext::sh -c x", None),
    ],
)
def test_pages(url: str, page: str | None) -> None:
    """A URL that others share has a page, without user, password and the port of SSH."""
    assert page == web_page(url)


@pytest.mark.parametrize(
    ("url", "commit", "compare"),
    [
        ("https://github.com/s/a", f"/commit/{NEW}", f"/compare/{OLD}...{NEW}"),
        ("https://gitlab.example.com/s/a", f"/-/commit/{NEW}", f"/-/compare/{OLD}...{NEW}"),
        ("https://bitbucket.org/s/a", f"/commits/{NEW}", f"/branches/compare/{NEW}..{OLD}"),
    ],
)
def test_each_forge_has_its_own_way(url: str, commit: str, compare: str) -> None:
    """The paths are those of the forge that the host's name tells of."""
    assert url + commit == commit_page(url, NEW)
    assert url + compare == compare_page(url, OLD, NEW)


def test_without_commits_there_is_no_page() -> None:
    """What is no commit, or the same one twice, makes no address."""
    assert commit_page("https://github.com/s/a", "main](https://evil") is None
    assert compare_page("https://github.com/s/a", OLD, OLD) is None
    assert compare_page("https://github.com/s/a", "x", NEW) is None
