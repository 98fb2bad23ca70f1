"""Which remotes are spoken to in process, and with what: never with less than git would mind."""

from __future__ import annotations

import pytest

from gitops.adapters.gitrepo.command.settings import SettingLine
from gitops.adapters.gitrepo.wire.terms import find_terms

URL = "https://git.example.com/shop/manifests.git"


def lines(**settings: str) -> list[SettingLine]:
    """Return settings as `git config --list` tells them; `__` stands for a dot."""
    return [SettingLine("global", key.replace("__", "."), value) for key, value in settings.items()]


def test_a_plain_address() -> None:
    """Host, port, path and extra headers are those of the address and the settings."""
    found = find_terms(URL, lines(http__extraheader="X-One: 1", user__name="A"), {})

    assert found is not None
    assert ("git.example.com", 443) == (found.server.host, found.server.port)
    assert ("/shop/manifests.git", "git.example.com") == (found.base, found.host)
    assert (("X-One: 1",), False) == (found.headers, found.authorised)


@pytest.mark.parametrize(
    "url",
    [
        "ssh://git@example.com/m.git",
        "git://example.com/m.git",
        "file:///srv/m.git",
        "https://user@example.com/m.git",
        "https://exämple.com/m.git",
        "https://example.com/m.git?x=1",
        "https://example.com/a b.git",
        "https://example.com/%0d%0aX.git",
    ],
)
def test_addresses_that_are_gits(url: str) -> None:
    """What is not plain http(s) is left to git."""
    assert find_terms(url, [], {}) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("http.proxy", "http://proxy:3128"),
        ("http.https://git.example.com/.proxy", "x"),
        ("http.sslverify", "false"),
        ("http.https://git.example.com.sslcert", "/me.pem"),
        ("http.https://*.example.com/.extraheader", "X: 1"),
        ("http.cookiefile", "/jar"),
        ("http.pinnedpubkey", "sha256//x"),
        ("http.sslversion", "tlsv1.3"),
        ("http.anythingnew", "1"),
        ("url.ssh://git@example.com/.insteadof", "https://git.example.com/"),
        ("url.x.pushinsteadof", "https://"),
        ("protocol.version", "0"),
        ("protocol.https.allow", "never"),
        ("transfer.fsckobjects", "true"),
        ("push.gpgsign", "true"),
        ("push.pushoption", "ci.skip"),
    ],
)
def test_settings_that_only_git_understands(key: str, value: str) -> None:
    """A setting that changes what is asked, believed or sent leaves it to git."""
    assert find_terms(URL, [SettingLine("global", key, value)], {}) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("http.postbuffer", "1"),
        ("http.https://other.example.com/.proxy", "x"),
        ("http.https://git.example.com/other/.sslverify", "false"),
        ("protocol.file.allow", "always"),
        ("protocol.version", "2"),
        ("url.ssh://x/.insteadof", "https://elsewhere/"),
        ("push.gpgsign", "false"),
        ("core.editor", "vi"),
    ],
)
def test_settings_that_do_not_matter(key: str, value: str) -> None:
    """What is about something else hinders nobody."""
    assert find_terms(URL, [SettingLine("global", key, value)], {}) is not None


@pytest.mark.parametrize(
    ("environ", "speaks"),
    [
        ({"GIT_TRACE_CURL": "1"}, False),
        ({"GIT_SSL_NO_VERIFY": "1"}, False),
        ({"GIT_ALLOW_PROTOCOL": "ssh"}, False),
        ({"GIT_SSL_CAINFO": "/ca.pem"}, True),
        ({"GIT_TRACE": ""}, True),
        ({"https_proxy": "http://proxy"}, False),
        ({"HTTPS_PROXY": "http://proxy"}, False),
        ({"ALL_PROXY": "http://proxy"}, False),
        ({"http_proxy": "http://proxy"}, True),
        ({"https_proxy": "http://proxy", "no_proxy": "x, .example.com"}, True),
        ({"https_proxy": "http://proxy", "NO_PROXY": "git.example.com"}, True),
        ({"https_proxy": "http://proxy", "no_proxy": "ample.com"}, False),
        ({"https_proxy": "http://proxy", "no_proxy": "*"}, True),
    ],
)
def test_variables(environ: dict[str, str], speaks: bool) -> None:
    """Proxies, traces and what git is told about TLS are git's, as its own variables say."""
    assert speaks == (find_terms(URL, [], environ) is not None)


def test_headers_as_git_chooses_them() -> None:
    """Those for the closest address are sent with the general ones before them; empty clears."""
    found = find_terms(
        URL,
        [
            SettingLine("system", "http.extraheader", "A: 1"),
            SettingLine("global", "http.https://git.example.com/.extraheader", "Authorization: b"),
            SettingLine("global", "http.extraheader", "C: 3"),
        ],
        {},
    )
    cleared = find_terms(
        URL, [*lines(http__extraheader="A: 1"), SettingLine("command", "http.extraheader", "")], {}
    )

    assert found is not None
    assert cleared is not None
    assert (("A: 1", "Authorization: b"), True) == (found.headers, found.authorised)
    assert () == cleared.headers


def test_a_header_that_is_two() -> None:
    """Nobody smuggles another line into a request."""
    assert find_terms(URL, lines(http__extraheader="A: 1\r\nHost: evil"), {}) is None
