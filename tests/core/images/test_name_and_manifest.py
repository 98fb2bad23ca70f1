"""Names of images, and manifests read from what somebody else sent."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.core.images.manifest import (
    DOCKER_LIST,
    OCI_INDEX,
    OCI_MANIFEST,
    digest_of,
    moment,
    read_config,
    read_manifest,
)
from gitops.core.images.name import ImageName, image_name
from gitops.core.text.hosts import is_loopback

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("registry.example.com/shop/api", "registry.example.com", "shop/api"),
        ("Registry.Example.com/shop/api", "registry.example.com", "shop/api"),
        ("localhost/api", "localhost", "api"),
        ("127.0.0.1:5000/api", "127.0.0.1:5000", "api"),
        ("[::1]:5000/api", "[::1]:5000", "api"),
        ("docker.io/nginx", "docker.io", "library/nginx"),
        ("index.docker.io/acme/api", "docker.io", "acme/api"),
        ("ghcr.io/acme/shop/api", "ghcr.io", "acme/shop/api"),
    ],
)
def test_a_name_with_a_host_says_where(text: str, host: str, path: str) -> None:
    """The first part is a host when it looks like one."""
    assert image_name(text) == ImageName(host, path)


@pytest.mark.parametrize(
    "text",
    [
        "shop/api",
        "nginx",
        "",
        "/",
        "a.b/",
        "a.b/UPPER",
        "a.b/../x",
        "a b.c/x",
        "a.b:99999/x",
        "a.b:/x",
        "a.b@evil/x",
        "http://a.b/x",
        "a.b/x?y",
        "a.b/x y",
        f"a.b/{'x' * 300}",
    ],
)
def test_other_names_say_no_registry(text: str) -> None:
    """A name without a host reaches out to nobody, and neither does what no registry takes."""
    assert image_name(text) is None


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("localhost", True),
        ("localhost:5", True),
        ("127.0.0.1:5", True),
        ("127.9.9.9", True),
        ("[::1]:5", True),
        ("127.0.0.1.evil.example", False),
        ("128.0.0.1", False),
        ("localhost.evil.example", False),
        ("1270.0.0.1", False),
        ("127.1", False),
    ],
)
def test_only_this_machine_is_spoken_to_plainly(host: str, *, wanted: bool) -> None:
    """Names that look like it are others."""
    assert is_loopback(host) is wanted


def manifest(**told: Any) -> bytes:
    """Return the bytes of an index without children, and what is told."""
    return json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], **told}
    ).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"[" * 200_000,
        manifest(schemaVersion=1),
        manifest(mediaType="text/html"),
        manifest(manifests=None),
        manifest(manifests=[{"digest": "sha256:x"}]),
        manifest(manifests=[{"digest": DIGEST, "size": -1}]),
        manifest(manifests=[7]),
        manifest(annotations={"a": 7}),
        manifest(annotations=[]),
        manifest(mediaType=OCI_MANIFEST),
        manifest(subject={"digest": "no"}),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    """Anything may come; it is a ValueError, and nothing else."""
    with pytest.raises(ValueError, match="it "):
        read_manifest(content, OCI_INDEX)


@given(
    st.binary(max_size=200)
    | st.dictionaries(st.text(max_size=9), st.text(max_size=9)).map(
        lambda d: json.dumps(d).encode()
    )
)
def test_any_bytes_are_a_manifest_or_refused(content: bytes) -> None:
    """No other exception comes out, also for configurations."""
    for read in (lambda: read_manifest(content, DOCKER_LIST), lambda: read_config(content)):
        with suppress(ValueError):
            read()


def test_the_digest_is_that_of_the_bytes() -> None:
    """What does not hash to what was asked for is refused, for both algorithms."""
    content = manifest()
    for algorithm in ("sha256", "sha512"):
        digest = digest_of(content, algorithm)
        assert read_manifest(content, "", digest).digest == digest
        with pytest.raises(ValueError, match="another digest"):
            read_manifest(content + b" ", "", digest)


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2026-11-20T10:00:00Z", 2026),
        ("2026-11-20T10:00:00.123456789Z", 2026),
        ("2026-11-20T10:00:00+09:00", 2026),
        ("1970-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("soon", None),
        ("9999-12-31T23:59:59-23:59", None),
    ],
)
def test_times_that_tools_make_up_are_none(text: str, year: int | None) -> None:
    """Reproducible builds are of 1970, and old builders know no time at all."""
    found = moment(text)
    assert (found.year if found else None) == year
