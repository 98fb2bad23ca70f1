"""Who signed without a key: what a certificate says, and whether that is somebody who counts.

Fulcio gives a certificate for minutes to whoever an identity provider vouches for; Rekor's log says
when it was used. https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from gitops.core.environments.branch_patterns import match_branch
from gitops.core.environments.image_rules import SignerIdentity
from gitops.core.images.provenance import SourceClaim, make_claim


class Certified(Struct, frozen=True):
    """What was signed with a good certificate.

    Attributes:
        issuer: the identity provider that vouched for the signer (URL); "" where it says none.
        identities: what the certificate calls the signer: a workflow's URL, an e-mail address.
        kind: media type of `content`.
        content: what is signed.
        source, revision: what a CI system ran for, where the certificate says so: the repository
            (URL) and the commit.
    """

    issuer: str
    identities: tuple[str, ...]
    kind: str
    content: bytes
    source: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        return f"{', '.join(self.identities) or 'nobody'} ({self.issuer or 'no issuer'})"

    @property
    def claim(self) -> SourceClaim | None:
        """Where the signer ran for, as a claim about the image."""
        return make_claim(self.source, self.revision, "certificate")


def signer_that_counts(found: Certified, wanted: Iterable[SignerIdentity]) -> str | None:
    """Return which of its names one of `wanted` is about, None where nobody wants it.

    The issuer must be the same to the letter: any other may call anybody anything.
    """
    for one in wanted:
        for name in found.identities if found.issuer == one.issuer else ():
            if match_branch((one.identity,), name) is not None:
                return name
    return None
