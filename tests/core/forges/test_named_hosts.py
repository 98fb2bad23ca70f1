"""Which servers the caller named, beside what gitops.yaml says."""

from __future__ import annotations

import pytest

from gitops.core.forges.named_hosts import how_to_name, is_named, is_plain, parse_named_hosts
from gitops.errors import UsageError

HOME = "https://git.example.com/shop/manifests.git"


@pytest.mark.parametrize(
    ("url", "home"),
    [
        ("https://git.example.com/shop/api.git", HOME),
        ("https://GIT.example.com:443/shop/api.git", HOME),
        ("git@git.example.com:shop/api.git", HOME),
        ("https://git.example.com/shop/api.git", "git@git.example.com:shop/m.git"),
        ("http://127.0.0.1:3000/shop/api.git", "http://127.0.0.1:3000/shop/m.git"),
        ("/srv/git/api.git", HOME),
        ("file:///srv/git/api.git", None),
    ],
)
def test_the_server_of_the_manifests_is_named(url: str, home: str | None) -> None:
    """The caller said where the manifests are; a path has no server at all."""
    assert is_named(url, home, ())


@pytest.mark.parametrize(
    ("url", "home"),
    [
        ("https://evil.example/shop/api.git", HOME),
        ("https://git.example.com.evil.example/shop/api.git", HOME),
        ("https://git.example.com:8443/shop/api.git", HOME),
        ("http://git.example.com/shop/api.git", HOME),
        ("http://git.example.com/shop/api.git", "git@git.example.com:shop/m.git"),
        ("http://127.0.0.1:3001/shop/api.git", "http://127.0.0.1:3000/shop/m.git"),
        ("git@evil.example:shop/api.git", HOME),
        ("https://git.example.com@evil.example/shop/api.git", HOME),
        ("https://git.example.com/shop/api.git", None),
        ("https://git.example.com/shop/api.git", "/srv/git/m.git"),
        ("ext::sh -c x://y", HOME),
    ],
)
def test_another_server_is_not(url: str, home: str | None) -> None:
    """Another host, port or scheme, or the same one in the clear, is another server."""
    assert not is_named(url, home, ())


@pytest.mark.parametrize(
    ("hosts", "url", "named"),
    [
        ("src.example.com", "https://src.example.com/a", True),
        ("src.example.com", "https://src.example.com:8443/a", True),
        ("src.example.com", "git@src.example.com:a", True),
        ("src.example.com", "http://src.example.com/a", False),
        ("src.example.com", "git://src.example.com/a", False),
        ("src.example.com", "https://x.src.example.com/a", False),
        ("src.example.com:8443", "https://src.example.com:8443/a", True),
        ("src.example.com:8443", "https://src.example.com/a", False),
        ("http://src.example.com:3000", "http://src.example.com:3000/a", True),
        ("https://src.example.com", "git@src.example.com:a", False),
        ("a.example, 127.0.0.1 [::1]", "http://127.0.0.1:3000/a", True),
        ("a.example, 127.0.0.1 [::1]", "http://[::1]:3000/a", True),
        ("SRC.example.com.", "https://src.example.com/a", True),
        ("", "https://src.example.com/a", False),
    ],
)
def test_the_variable_names_hosts(hosts: str, url: str, named: bool) -> None:
    """A host is every port of it; in the clear only where that is spelled out, or stays here."""
    assert is_named(url, None, parse_named_hosts(hosts)) is named


@pytest.mark.parametrize("word", ["*.example.com", "https://", "a/b", "user:pw@", "x:port", "*"])
def test_what_is_no_host(word: str) -> None:
    """Patterns, paths and passwords are refused, and no password is repeated."""
    with pytest.raises(UsageError) as caught:
        parse_named_hosts(word)

    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("credential.https://src.example.com.helper", "store", True),
        ("credential.https://src.example.com/shop.username", "bot", True),
        ("http.https://src.example.com/.extraheader", "A: b", True),
        ("http.https://src.example.com:8443/.extraheader", "A: b", False),
        ("http.https://*.example.com/.extraheader", "A: b", False),
        ("http.http://src.example.com/.extraheader", "A: b", False),
        ("http.extraheader", "A: b", False),
        ("credential.helper", "store", False),
        ("url.git@src.example.com:.insteadof", "https://src.example.com/", True),
        ("url.git@src.example.com:.insteadof", "https://", False),
        ("url.git@src.example.com:.insteadof", "", False),
        ("user.name", "Ana", False),
    ],
)
def test_the_callers_git_names_hosts(key: str, value: str, named: bool) -> None:
    """Settings for the very server name it; those for all servers, or a pattern, do not."""
    assert is_named("https://src.example.com/shop/api", None, (), [(key, value)]) is named


def test_messages() -> None:
    """What to set is said as it has to be typed."""
    assert how_to_name("http://127.0.0.1:3000/a") == "GITOPS_SOURCE_HOSTS=http://127.0.0.1:3000"
    assert how_to_name("git@src.example.com:a") == "GITOPS_SOURCE_HOSTS=src.example.com"
    assert is_plain("http://a.example/b")
    assert is_plain("git://a.example/b")
    assert not is_plain("https://a.example/b")
    assert not is_plain("http://127.0.0.1:3000/b")
    assert is_plain("http://127.0.0.1.evil.example/b")  # a name of whoever has that domain
