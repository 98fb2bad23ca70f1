"""Bundles of Sigstore: what their certificates prove, offline, by a trust root of the tests."""

from __future__ import annotations

import base64
import copy
import json
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gitops.adapters.registry.verify import ImageSignatures
from gitops.errors import NotFound, UsageError
from keyless import ISSUER, NOW, WORKFLOW, Keyless, statement

DIGEST = "sha256:" + "ab" * 32
OURS = Keyless()
GOOD = OURS.bundle(statement(DIGEST), source=("https://github.com/shop/api", "5f2c" * 10))


def text(bundle: dict[str, Any]) -> bytes:
    """As it lies in a registry."""
    return json.dumps(bundle).encode()


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here opens a connection."""

    def refuse(*_: object) -> None:
        raise AssertionError("somebody is asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_certificate_says_who_signed() -> None:
    """Issuer, identity, what it ran for, and the very bytes that were signed."""
    found = ImageSignatures().certified(text(GOOD), OURS.root())
    assert (ISSUER, (WORKFLOW,)) == (found.issuer, found.identities)
    assert ("https://github.com/shop/api", "5f2c" * 10) == (found.source, found.revision)
    assert statement(DIGEST) == json.loads(found.content)
    assert "application/vnd.in-toto+json" == found.kind


def test_people_sign_by_their_address() -> None:
    """An e-mail address is an identity, too; nothing is said of what it ran for."""
    made = OURS.bundle(statement(DIGEST), identity="ana@example.com", issuer="https://id.example")
    found = ImageSignatures().certified(text(made), OURS.root())
    assert ("https://id.example", ("ana@example.com",)) == (found.issuer, found.identities)
    assert found.claim is None


def test_one_of_several_roots() -> None:
    """A file may have a root on each line, as `gh attestation trusted-root` prints them."""
    roots = Keyless().root() + b"\n" + OURS.root() + b"\n"
    assert ISSUER == ImageSignatures().certified(text(GOOD), roots).issuer


def _entry(bundle: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = bundle["verificationMaterial"]["tlogEntries"][0]
    return entry


def _other_payload(bundle: dict[str, Any]) -> None:
    said = json.dumps(statement("sha256:" + "cd" * 32)).encode()
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(said).decode()


def _other_certificate(bundle: dict[str, Any]) -> None:
    other = OURS.bundle(statement(DIGEST))
    bundle["verificationMaterial"]["certificate"] = other["verificationMaterial"]["certificate"]


def _other_entry(bundle: dict[str, Any]) -> None:
    other = OURS.bundle(statement("sha256:" + "cd" * 32))
    bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]


def _other_tree(bundle: dict[str, Any]) -> None:
    _entry(bundle)["inclusionProof"]["hashes"] = [base64.b64encode(b"x" * 32).decode()]


def _no_proof(bundle: dict[str, Any]) -> None:
    del _entry(bundle)["inclusionProof"]


def _no_time(bundle: dict[str, Any]) -> None:
    del _entry(bundle)["inclusionPromise"]


def _other_time(bundle: dict[str, Any]) -> None:
    _entry(bundle)["integratedTime"] = str(int((NOW + timedelta(minutes=2)).timestamp()))


@pytest.mark.parametrize(
    "spoil",
    [
        _other_payload,
        _other_certificate,
        _other_entry,
        _other_tree,
        _no_proof,
        _no_time,
        _other_time,
        lambda bundle: bundle.pop("verificationMaterial"),
        lambda bundle: bundle.update(mediaType="application/json"),
    ],
)
def test_what_is_not_whole_proves_nothing(spoil: Callable[[dict[str, Any]], object]) -> None:
    """Whatever is exchanged, left out or older than it says, there is no certificate."""
    spoiled = copy.deepcopy(GOOD)
    spoil(spoiled)
    with pytest.raises(ValueError, match="is not good"):
        ImageSignatures().certified(text(spoiled), OURS.root())


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"mediaType": 1}', b"[" * 9999])
def test_what_is_no_bundle_proves_nothing(content: bytes) -> None:
    """Hostile bytes end in a word, not in a fault."""
    with pytest.raises(ValueError, match="is not good"):
        ImageSignatures().certified(content, OURS.root())


def test_a_certificate_that_was_over() -> None:
    """It lives for minutes; a signature made later is none."""
    made = OURS.bundle(statement(DIGEST), late=timedelta(minutes=11))
    with pytest.raises(ValueError, match="is not good"):
        ImageSignatures().certified(text(made), OURS.root())


@pytest.mark.parametrize("root", [Keyless().root(), None])
def test_authorities_that_nobody_trusts(root: bytes | None) -> None:
    """Of another Sigstore, and of none that the public service knows."""
    with pytest.raises(ValueError, match="is not good"):
        ImageSignatures().certified(text(GOOD), root)


@pytest.mark.parametrize("root", [b"", b"{}", b"-----BEGIN", b'{"mediaType": "x"}'])
def test_a_root_that_is_none(root: bytes) -> None:
    """The key is named, and where such files come from."""
    with pytest.raises(UsageError, match=r"`provenance\.trustedRoot` names is no trust root"):
        ImageSignatures().certified(text(GOOD), root)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with the extra that brings it."""
    monkeypatch.setitem(__import__("sys").modules, "sigstore.models", None)
    with pytest.raises(NotFound, match="the library sigstore is not installed") as caught:
        ImageSignatures().certified(text(GOOD), OURS.root())
    assert "[provenance]" in (caught.value.hint or "")
