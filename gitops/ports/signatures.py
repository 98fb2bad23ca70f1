"""Signatures of images: made with a key, or with a certificate that lived for minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitops.core.text.extras import extra_hint
from gitops.errors import NotFound

if TYPE_CHECKING:
    from gitops.core.images.keyless import Certified

INSTALL = extra_hint("provenance")
"""The way out where what checks signatures is not installed."""


class Signatures(Protocol):
    """What checks signatures. Asks nobody: all that it needs is given to it.

    All calls raise NotFound where nothing is installed that can tell.
    """

    def is_signed_by(self, key: bytes, signature: bytes, content: bytes) -> bool:
        """Say whether a public key (PEM) made `signature` of `content`.

        Raises UsageError for a key that is none.
        """
        ...

    def certified(self, bundle: bytes, root: bytes | None) -> Certified:
        """Return what a bundle of Sigstore proves: its certificate was good when it was used, and
        its entry is in a transparency log.

        Args:
            root: whom to trust for certificates and logs (`trusted_root.json`, also one a line);
                None: Sigstore's public service, as the library knows it.

        Raises ValueError, with the reason, for a bundle that proves nothing; UsageError for a root
        that is none.
        """
        ...


class NoSignatures:
    """`Signatures` where nothing can check any."""

    def is_signed_by(self, key: bytes, signature: bytes, content: bytes) -> bool:
        """See `Signatures`."""
        raise NotFound("no signature can be checked here")

    def certified(self, bundle: bytes, root: bytes | None) -> Certified:
        """See `Signatures`."""
        raise NotFound("no signature can be checked here")
