"""Bundles of Sigstore, whose signer has a certificate and no key: the one door to `sigstore`.

Checked offline: the certificate against its authority and the log of certificates, at the time when
it was used; the entry and its inclusion against the key of the transparency log; the signature, and
that the entry is about it. What the library would fetch (trust roots) is never fetched.
https://docs.sigstore.dev/about/bundle/
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from gitops.core.images.keyless import Certified
from gitops.errors import NotFound, UsageError
from gitops.ports.signatures import INSTALL

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import TrustedRoot
    from sigstore.verify import Verifier

_PUBLIC = "https://tuf-repo-cdn.sigstore.dev"
_FULCIO = "1.3.6.1.4.1.57264.1"
_ISSUER, _OLD_ISSUER = f"{_FULCIO}.8", f"{_FULCIO}.1"
_SOURCE, _REVISION = f"{_FULCIO}.12", f"{_FULCIO}.13"
_UTF8_STRING = 0x0C


class _Seen:
    """The policy that takes every good certificate: who counts is asked afterwards."""

    certificate: Certificate | None = None

    def verify(self, cert: Certificate) -> None:
        self.certificate = cert


def certified(bundle: bytes, root: bytes | None) -> Certified:
    """See `ports.Signatures`."""
    try:
        from sigstore.models import Bundle
    except ImportError:
        raise NotFound(
            "no certificate can be checked: the library sigstore is not installed", hint=INSTALL
        ) from None
    problem = "nobody is trusted to certify"
    for verifier in _verifiers(root):
        seen = _Seen()
        try:
            kind, content = verifier.verify_dsse(Bundle.from_json(bundle), seen)
            if seen.certificate is not None:
                return _read(seen.certificate, kind, content)
        except Exception as error:  # noqa: BLE001 - whatever it trips over, it proves nothing
            problem = str(error).partition("\n")[0] or type(error).__name__
    raise ValueError(f"its certificate or its entry in the log is not good: {problem}")


@lru_cache(maxsize=8)  # one root is for all images of a call
def _verifiers(root: bytes | None) -> tuple[Verifier, ...]:
    """Return who verifies by each trust root. Raises UsageError, NotFound."""
    from sigstore.verify import Verifier

    logging.getLogger("sigstore").setLevel(logging.CRITICAL)  # what it warns of we say ourselves
    texts = [_public_root()] if root is None else _documents(root)
    try:
        return tuple(Verifier(trusted_root=_trusted_root(text)) for text in texts)
    except Exception as error:  # noqa: BLE001 - a file of people, read by several libraries
        told = str(error).partition("\n")[0][:200]
        raise UsageError(
            f"the file that `provenance.trustedRoot` names is no trust root: {told}",
            hint="trusted_root.json of your Sigstore, or what `gh attestation trusted-root` prints",
        ) from None


def _documents(root: bytes) -> list[bytes]:
    """Return the documents in a file: one, or one a line."""
    lines = [line for line in root.split(b"\n") if line.strip()]
    each = all(line.startswith(b"{") and line.rstrip().endswith(b"}") for line in lines)
    return lines if each and len(lines) > 1 else [root]


def _trusted_root(text: bytes) -> TrustedRoot:
    import tempfile

    from sigstore.models import TrustedRoot

    with tempfile.NamedTemporaryFile(suffix=".json") as file:  # the library reads files only
        file.write(text)
        file.flush()
        return TrustedRoot.from_file(file.name)


def _public_root() -> bytes:
    """Return the root that the library brings."""
    from importlib.resources import files

    try:
        folder = files("sigstore._store").joinpath(quote(_PUBLIC, safe=""))
        return folder.joinpath("trusted_root.json").read_bytes()
    except (ImportError, OSError):
        raise NotFound(
            "this version of the library sigstore brings no trust root",
            hint="name one with `provenance: {trustedRoot: FILE}`",
        ) from None


def _read(certificate: Certificate, kind: str, content: bytes) -> Certified:
    """Return what a certificate says."""
    from cryptography.x509 import (
        OtherName,
        RFC822Name,
        SubjectAlternativeName,
        UniformResourceIdentifier,
    )

    names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    plain = (RFC822Name, UniformResourceIdentifier)
    found = [str(name.value) for name in names if isinstance(name, plain)]
    found += [_text(name.value) for name in names if isinstance(name, OtherName)]
    return Certified(
        issuer=_said(certificate, _ISSUER) or _said(certificate, _OLD_ISSUER) or "",
        identities=tuple(name for name in found if name),
        kind=kind,
        content=content,
        source=_said(certificate, _SOURCE),
        revision=_said(certificate, _REVISION),
    )


def _said(certificate: Certificate, oid: str) -> str | None:
    """Return the text of one of Fulcio's extensions; the oldest are raw, the others DER."""
    from cryptography.x509 import UnrecognizedExtension

    for one in certificate.extensions:
        if one.oid.dotted_string == oid and isinstance(one.value, UnrecognizedExtension):
            value = one.value.value
            return value.decode() if oid == _OLD_ISSUER else _text(value)
    return None


def _text(der: bytes) -> str:
    """Read a UTF8String of DER; "" for anything else."""
    if len(der) < 2 or der[0] != _UTF8_STRING:
        return ""
    size, begin = der[1], 2
    if size & 0x80:
        wide = size & 0x7F
        begin += wide
        size = int.from_bytes(der[2:begin])
    content = der[begin:]
    return content.decode() if len(content) == size else ""
