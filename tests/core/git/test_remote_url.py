"""One name for one repository."""

from __future__ import annotations

import pytest

from gitops.core.git.remote_url import (
    RemoteUrl,
    find_remote_url,
    normalised_repository,
    parse_remote_url,
)
from gitops.errors import UsageError


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/shop/manifests.git",
        "https://git.example.com/shop/manifests",
        "https://git.example.com/shop/manifests/",
        "https://git.example.com/shop/manifests.git/",
        "https://git.example.com:443/shop/manifests",
        "https://bot:s3cret@git.example.com/shop/manifests.git",
        "https://GIT.Example.com/shop/manifests",
        "https://git.example.com./shop/manifests",
        "http://git.example.com:80/shop/manifests",
        "ssh://git@git.example.com/shop/manifests.git",
        "ssh://git.example.com:22//shop/manifests.git",
        "git+ssh://git@git.example.com/shop/manifests",
        "git://git.example.com:9418/shop/manifests",
        "git@git.example.com:shop/manifests.git",
        "git.example.com:shop/manifests",
        "git@git.example.com:/shop/manifests.git/",
        "https://git.example.com/shop/%6danifests",
    ],
)
def test_spellings_agree(url: str) -> None:
    """Every way to write one repository has one name."""
    assert normalised_repository(url) == "git.example.com/shop/manifests"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ssh://git@git.example.com:2222/shop/m.git", "git.example.com:2222/shop/m"),
        ("https://git.example.com:80/shop/m", "git.example.com:80/shop/m"),
        ("https://git.example.com/Shop/m", "git.example.com/Shop/m"),
        ("ssh://git@[::1]/m.git", "[::1]/m"),
        ("git@[::1]:m.git", "[::1]/m"),
        ("/srv/git/m.git", "file:/srv/git/m"),
        ("file:///srv/git/m.git/", "file:/srv/git/m"),
        ("https://git.example.com/m.git.git", "git.example.com/m.git"),
    ],
)
def test_differences_that_matter_stay(url: str, expected: str) -> None:
    """Another port, path or machine is another repository."""
    assert normalised_repository(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "manifests.git",
        "../manifests",
        "https://git.example.com/",
        "https:///shop/manifests",
        "https://git.example.com:port/m",
        "ext::sh -c true",
        "ftp://git.example.com/m",
        "git@git.example.com:",
        "https://[::1/m",
    ],
)
def test_no_common_name(url: str) -> None:
    """What names no repository for everybody is refused, never guessed."""
    with pytest.raises(UsageError):
        normalised_repository(url)


def test_secrets_stay_out_of_the_name() -> None:
    """User and password of a URL are in neither the name nor the error."""
    assert "s3cret" not in normalised_repository("https://bot:s3cret@git.example.com/m")

    with pytest.raises(UsageError) as caught:
        normalised_repository("https://bot:s3cret@git.example.com/")

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a:b@GIT.example.com/shop/m.git", ("https", "git.example.com", 443, "shop/m")),
        ("ssh://git@git.example.com:2222/m", ("ssh", "git.example.com", 2222, "m")),
        ("git@my_host:shop/api", ("ssh", "my_host", None, "shop/api")),
        ("git@[::1]:shop/a%20b", ("ssh", "[::1]", None, "shop/a%20b")),
        ("/srv/git/m.git", ("file", "", None, "srv/git/m")),
    ],
)
def test_parts(url: str, expected: tuple[str, str, int | None, str]) -> None:
    """An address has a scheme, a host, a port where one is known, and a path."""
    assert parse_remote_url(url) == RemoteUrl(*expected)
    assert find_remote_url(url) == RemoteUrl(*expected)
