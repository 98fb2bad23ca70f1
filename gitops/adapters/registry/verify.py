"""Signatures of images, as cosign makes them, with a key: the one door to `cryptography`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops.errors import NotFound, UsageError
from gitops.ports.signatures import INSTALL

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from gitops.core.images.keyless import Certified


class ImageSignatures:
    """`ports.Signatures` by the libraries of the extra `[provenance]`."""

    def is_signed_by(self, key: bytes, signature: bytes, content: bytes) -> bool:
        """See `ports.Signatures`."""
        return is_signed_by(key, signature, content)

    def certified(self, bundle: bytes, root: bytes | None) -> Certified:
        """See `ports.Signatures`."""
        from gitops.adapters.registry.keyless import certified  # loads much

        return certified(bundle, root)


def is_signed_by(key: bytes, signature: bytes, content: bytes) -> bool:
    """Say whether `key` (PEM) made `signature` of `content`: ECDSA, RSA with SHA-256, or Ed25519.

    ECDSA with SHA-256, or on a longer curve with the hash of its length (cosign 3).

    Raises NotFound when the library is not installed, UsageError for a key that is none of these.
    """
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise NotFound(
            "no signature can be checked: the library cryptography is not installed",
            hint=INSTALL,
        ) from None
    try:
        public = load_pem_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError("a file that `provenance.keys` names holds no public key (PEM)") from None
    try:
        if isinstance(public, ec.EllipticCurvePublicKey):
            return _by_curve(public, signature, content)
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, content, padding.PKCS1v15(), SHA256())
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, content)
        else:
            raise UsageError("a key of `provenance.keys` is none that signs images")
    except InvalidSignature:
        return False
    return True


def _by_curve(public: EllipticCurvePublicKey, signature: bytes, content: bytes) -> bool:
    """Say whether it signed, with one of the hashes that tools use for its curve."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

    for algorithm in {256: (SHA256,), 384: (SHA256, SHA384)}.get(public.key_size, (SHA256, SHA512)):
        try:
            public.verify(signature, content, ECDSA(algorithm()))
        except InvalidSignature:
            continue
        return True
    return False
