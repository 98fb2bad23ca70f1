"""Signatures that a public key made, as cosign makes them: the one door to `cryptography`."""

from __future__ import annotations

from gitops.errors import NotFound, UsageError

INSTALL = "install gitops with its extra [provenance], from where gitops came"


def is_signed_by(key: bytes, signature: bytes, content: bytes) -> bool:
    """Say whether `key` (PEM) made `signature` of `content`: ECDSA or RSA with SHA-256, or Ed25519.

    Raises NotFound when the library is not installed, UsageError for a key that is none of these.
    """
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise NotFound(
            "no signature can be checked: the library cryptography is not installed", hint=INSTALL
        ) from None
    try:
        public = load_pem_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError("a file that `provenance.keys` names holds no public key (PEM)") from None
    try:
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, content, ec.ECDSA(SHA256()))
        elif isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, content, padding.PKCS1v15(), SHA256())
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, content)
        else:
            raise UsageError("a key of `provenance.keys` is none that signs images")
    except InvalidSignature:
        return False
    return True
