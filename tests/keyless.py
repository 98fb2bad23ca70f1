"""A Sigstore of the tests: an authority, a log of certificates, a log of signatures, and bundles.

Written by the formats that are published, with keys made here; nobody is asked.
https://docs.sigstore.dev/about/bundle/, RFC 6962 (certificates, trees),
https://github.com/C2SP/C2SP/blob/main/signed-note.md (checkpoints),
https://github.com/sigstore/rekor/blob/main/types.md (entries).
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ISSUER = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/shop/api/.github/workflows/release.yml@refs/heads/release/1.5"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)

_SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_FULCIO = "1.3.6.1.4.1.57264.1"


def statement(
    digest: str, kind: str = SIGN, predicate: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What is said of an image: by itself only that somebody signed it."""
    algorithm, value = digest.split(":")
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "", "digest": {algorithm: value}}],
        "predicateType": kind,
        "predicate": dict(predicate or {}),
    }


class Keyless:
    """Who certifies and logs, and whom others trust for it by `root()`."""

    def __init__(self) -> None:
        self._authority, self._certificates, self._log = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(3)
        )
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        usage = _usage(signs=True)
        self._root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._authority.public_key())
            .serial_number(1)
            .not_valid_before(NOW - timedelta(days=900))
            .not_valid_after(NOW + timedelta(days=900))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(_key_name(self._authority), critical=False)
            .sign(self._authority, SHA256())
        )

    def root(self) -> bytes:
        """Return `trusted_root.json`."""
        valid = {"start": _time(NOW - timedelta(days=900))}
        tree = {"certificates": [{"rawBytes": _b64(self._root.public_bytes(Encoding.DER))}]}
        document = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self._instance(self._log, "https://rekor.example.com")],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "tests", "commonName": "authority"},
                    "uri": "https://fulcio.example.com",
                    "certChain": tree,
                    "validFor": valid,
                }
            ],
            "ctlogs": [self._instance(self._certificates, "https://ct.example.com")],
            "timestampAuthorities": [],
        }
        return json.dumps(document).encode()

    def bundle(
        self,
        said: Mapping[str, Any],
        *,
        identity: str = WORKFLOW,
        issuer: str = ISSUER,
        source: tuple[str, str] | None = None,
        late: timedelta = timedelta(minutes=1),
    ) -> dict[str, Any]:
        """Sign a statement, `late` after the certificate was made, which lives ten minutes."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(key, identity, issuer, source)
        payload, kind = json.dumps(said).encode(), "application/vnd.in-toto+json"
        content = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        signature = key.sign(content, ec.ECDSA(SHA256()))
        envelope = {
            "payload": _b64(payload),
            "payloadType": kind,
            "signatures": [{"sig": _b64(signature)}],
        }
        return {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {
                "certificate": {"rawBytes": _b64(certificate.public_bytes(Encoding.DER))},
                "tlogEntries": [self._entry(payload, signature, certificate, NOW + late)],
            },
            "dsseEnvelope": envelope,
        }

    def _certificate(
        self,
        key: ec.EllipticCurvePrivateKey,
        identity: str,
        issuer: str,
        source: tuple[str, str] | None,
    ) -> x509.Certificate:
        """Certify a key, with the word of the log of certificates in it (RFC 6962, 3.3)."""
        name = (
            x509.UniformResourceIdentifier(identity)
            if "://" in identity
            else x509.RFC822Name(identity)
        )
        told = {8: issuer, 12: source[0] if source else None, 13: source[1] if source else None}
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._root.subject)
            .public_key(key.public_key())
            .serial_number(2)
            .not_valid_before(NOW)
            .not_valid_after(NOW + timedelta(minutes=10))
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .add_extension(_key_name(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
        )
        for number, text in told.items():
            if text is not None:
                oid = x509.ObjectIdentifier(f"{_FULCIO}.{number}")
                value = x509.UnrecognizedExtension(oid, _der(0x0C, text.encode()))
                builder = builder.add_extension(value, critical=False)
        plain = builder.sign(self._authority, SHA256()).tbs_certificate_bytes
        when = int(NOW.timestamp() * 1000)
        issuer_key = hashlib.sha256(_spki(self._authority)).digest()
        entry = issuer_key + len(plain).to_bytes(3) + plain
        signed = struct.pack("!BBQH", 0, 0, when, 1) + entry + b"\0\0"
        signature = self._certificates.sign(signed, ec.ECDSA(SHA256()))
        stamp = b"\0" + _key_id(self._certificates) + struct.pack("!Q", when) + b"\0\0"
        stamp += b"\4\3" + len(signature).to_bytes(2) + signature
        listed = len(stamp).to_bytes(2) + stamp
        listed = len(listed).to_bytes(2) + listed
        builder = builder.add_extension(
            x509.UnrecognizedExtension(_SCTS, _der(0x04, listed)), critical=False
        )
        return builder.sign(self._authority, SHA256())

    def _entry(
        self, payload: bytes, signature: bytes, certificate: x509.Certificate, when: datetime
    ) -> dict[str, Any]:
        """Log a signature: the second entry of a log that has two."""
        pem = _b64(certificate.public_bytes(Encoding.PEM))
        body = _canonical(
            {
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": {"algorithm": "sha256", "value": "0" * 64},
                    "payloadHash": {
                        "algorithm": "sha256",
                        "value": hashlib.sha256(payload).hexdigest(),
                    },
                    "signatures": [{"signature": _b64(signature), "verifier": pem}],
                },
            }
        )
        first = hashlib.sha256(b"\0another entry").digest()
        root = hashlib.sha256(b"\1" + first + hashlib.sha256(b"\0" + body).digest()).digest()
        note = f"rekor.example.com - 1\n2\n{_b64(root)}\n"
        key = _key_id(self._log)
        mark = _b64(key[:4] + self._log.sign(note.encode(), ec.ECDSA(SHA256())))
        seconds = int(when.timestamp())
        promise = _canonical(
            {
                "body": _b64(body),
                "integratedTime": seconds,
                "logID": key.hex(),
                "logIndex": 1,
            }
        )
        return {
            "logIndex": "1",
            "logId": {"keyId": _b64(key)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(seconds),
            "inclusionPromise": {
                "signedEntryTimestamp": _b64(self._log.sign(promise, ec.ECDSA(SHA256())))
            },
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": _b64(root),
                "treeSize": "2",
                "hashes": [_b64(first)],
                "checkpoint": {"envelope": f"{note}\n\u2014 rekor.example.com {mark}\n"},
            },
            "canonicalizedBody": _b64(body),
        }

    def _instance(self, key: ec.EllipticCurvePrivateKey, url: str) -> dict[str, Any]:
        return {
            "baseUrl": url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": _b64(_spki(key)),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": {"start": _time(NOW - timedelta(days=900))},
            },
            "logId": {"keyId": _b64(_key_id(key))},
        }


def _usage(*, signs: bool) -> x509.KeyUsage:
    no = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, **no)


def _key_name(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_spki(key)).digest()


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    wide = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(wide)]) + wide + content


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode()
