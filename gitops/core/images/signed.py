"""What is signed beside an image: cosign's payloads, and statements of in-toto in their envelopes.

Nothing here verifies a signature; it tells which bytes are signed, by which bytes, and what they
say. What they say is compared with the image that was asked about: a signature of any other image
would pass else.

Formats: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md,
https://github.com/secure-systems-lab/dsse/blob/master/protocol.md,
https://github.com/in-toto/attestation (Statement), https://slsa.dev/spec/v1.0/provenance.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from gitops.core.images.provenance import SourceClaim, make_claim
from gitops.core.unstructured import at

PAYLOAD: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE: Final = "application/vnd.dsse.envelope.v1+json"
BUNDLE: Final = "application/vnd.dev.sigstore.bundle"
STATEMENT: Final = "application/vnd.in-toto+json"
SIGNATURE: Final = "dev.cosignproject.cosign/signature"
"""The annotation of a layer that has cosign's signature of it."""

PREDICATE: Final = "in-toto.io/predicate-type"
"""The annotation of a layer that says what kind of statement it is."""

SLSA: Final = "https://slsa.dev/provenance/"

_COSIGN = "cosign container image signature"
_STATEMENTS = ("https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1")
_COSIGN_STATEMENT = "https://sigstore.dev/cosign/sign/v1"
_SLSA = (f"{SLSA}v0.2", f"{SLSA}v1")
_MOST_SIGNATURES = 20


class Signed(Struct, frozen=True):
    """Bytes and signatures of them, of which one is enough.

    Attributes:
        content: what is signed.
        says: the document in it.
        signatures: raw bytes of each.
        bundle: the bundle of Sigstore that it came in, None for none.
    """

    content: bytes
    says: Mapping[str, Any]
    signatures: tuple[bytes, ...]
    bundle: bytes | None = None


class Statement(Struct, frozen=True):
    """What somebody states of artifacts (in-toto).

    Attributes:
        subjects: digests, as `sha256:…`.
        builder: who built it, where it says so.
        claims: what it was built from.
    """

    subjects: frozenset[str]
    kind: str
    builder: str | None = None
    claims: tuple[SourceClaim, ...] = ()


def signature_tag(digest: str, kind: str) -> str:
    """Return the tag that cosign keeps signatures (`sig`) or statements (`att`) of a digest at."""
    return f"{digest.replace(':', '-')}.{kind}"


def read_payload(content: bytes, signature: str, digest: str) -> Signed:
    """Read cosign's payload, with its signature in base64. Raises ValueError.

    Also for one of another image than `digest`.
    """
    says = _object(content)
    named = at(says, "critical", "image", "docker-manifest-digest")
    if at(says, "critical", "type") != _COSIGN:
        raise ValueError("it is no signature of an image")
    if named != digest:
        raise ValueError("it is the signature of another image")
    return Signed(content, says, (_bytes(signature),))


def read_envelope(content: bytes, digest: str) -> tuple[Signed, Statement]:
    """Read a statement in its envelope, or in a bundle of Sigstore. Raises ValueError.

    Also for one about other images than `digest`.
    """
    says = _object(content)
    inner = says.get("dsseEnvelope", says)
    envelope = inner if isinstance(inner, dict) else {}
    kind, packed, signatures = (
        envelope.get(key) for key in ("payloadType", "payload", "signatures")
    )
    if kind != STATEMENT or not isinstance(packed, str) or not isinstance(signatures, list):
        raise ValueError("it is no signed statement")
    payload = _bytes(packed)
    found = [one.get("sig") for one in signatures[:_MOST_SIGNATURES] if isinstance(one, dict)]
    statement = read_statement(payload, digest)
    found_in = content
    # What is signed is the type as well, with lengths: the pre-authentication encoding.
    content = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    raw = tuple(_bytes(one) for one in found if isinstance(one, str))
    bundle = found_in if "dsseEnvelope" in says else None
    return Signed(content, _object(payload), raw, bundle), statement


def read_statement(content: bytes, digest: str) -> Statement:
    """Read a statement as it stands. Raises ValueError, also for one about other images."""
    says = _object(content)
    if says.get("_type") not in _STATEMENTS:
        raise ValueError("it is no statement")
    subjects = frozenset(_subjects(says.get("subject")))
    if digest not in subjects:
        raise ValueError("it is about another image")
    kind = says.get("predicateType")
    predicate = says.get("predicate")
    told = predicate if isinstance(predicate, dict) and kind in _SLSA else {}
    builder = at(told, "runDetails", "builder", "id") or at(told, "builder", "id")
    claims = dict.fromkeys(one for one in _claims(told) if one is not None)
    return Statement(
        subjects, str(kind), builder if isinstance(builder, str) else None, tuple(claims)
    )


def is_signature(statement: Statement) -> bool:
    """Say whether a statement only says that somebody signed the image (cosign 3)."""
    return statement.kind == _COSIGN_STATEMENT


def _subjects(told: object) -> Iterator[str]:
    for one in told if isinstance(told, list) else ():
        digests = one.get("digest") if isinstance(one, dict) else None
        for algorithm, value in (digests if isinstance(digests, dict) else {}).items():
            if isinstance(value, str):
                yield f"{algorithm}:{value.lower()}"


def _claims(told: Mapping[str, Any]) -> Iterator[SourceClaim | None]:
    """Yield what SLSA's provenance says of sources: that of BuildKit, then the general places."""
    for place in (
        ("runDetails", "metadata", "buildkit_metadata", "vcs"),
        ("metadata", "https://mobyproject.org/buildkit@v1#metadata", "vcs"),
    ):
        source, revision = at(told, *place, "source"), at(told, *place, "revision")
        if isinstance(source, str) and isinstance(revision, str):
            yield make_claim(source, revision, "statement")
    for general in (("buildDefinition", "resolvedDependencies"), ("invocation", "configSource")):
        found = at(told, *general)
        for one in found if isinstance(found, list) else [found]:
            yield _dependency(one)


def _dependency(told: object) -> SourceClaim | None:
    """Return the claim in a resource that is a Git repository: `git+https://host/path@ref`."""
    if not isinstance(told, dict) or not isinstance(uri := told.get("uri"), str):
        return None
    digests = told.get("digest")
    commit = None
    if isinstance(digests, dict):
        commit = digests.get("gitCommit") or digests.get("sha1")
    if not uri.startswith("git+") or not isinstance(commit, str):
        return None
    address = uri.removeprefix("git+")
    head, at, tail = address.rpartition("@")
    if at and "/" in head.partition("://")[2] and not tail.startswith("//"):
        address = head
    return make_claim(address.partition("#")[0], commit, "statement")


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"it cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is no base64") from None
