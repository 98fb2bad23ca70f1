"""What commits record of where images were built from: `Gitops-Provenance`.

A word of whoever made the commit, who had asked the registry (`core.images.provenance`); nobody
asks again to show it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

TRAILER = "Gitops-Provenance"

_TEXT = re.compile(
    r"(?P<image>\S+) (?P<source>\S+)@(?P<revision>[0-9a-f]{7,64})"
    r" \((?P<by>[a-z]{1,20})(?P<signed>, signed)?(?:, by (?P<signer>\S+))?\)"
)
_SHORT = 7


class Proof(Struct, frozen=True):
    """Where one image was built from.

    Attributes:
        source: the repository, as `host/path`.
        revision: the commit, 7 to 64 hex digits.
        by: what said it: an annotation, a label, or a build's statement.
        signed: somebody signed it who `gitops.yaml` says counts.
        signer: whose certificate signed it; None: a key did, or nobody.
    """

    image: str
    source: str
    revision: str
    by: str
    signed: bool = False
    signer: str | None = None

    def __str__(self) -> str:
        """Return the text of the trailer."""
        return f"{self.image} {self.source}@{self.revision} ({self.how})"

    @property
    def how(self) -> str:
        """What vouches for it, in words."""
        signer = f", by {self.signer}" if self.signer is not None else ""
        return f"{self.by}{', signed' if self.signed else ''}{signer}"

    @property
    def short(self) -> str:
        """The commit for people."""
        return self.revision[:_SHORT]


def read_proof(text: str) -> Proof | None:
    """Return what the text of a trailer says; None for what is none."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    signed = match["signed"] is not None
    signer = match["signer"] if signed else None
    return Proof(match["image"], match["source"], match["revision"], match["by"], signed, signer)


def proofs_of(trailers: Mapping[str, Sequence[str]], images: Iterable[str]) -> tuple[Proof, ...]:
    """Return what trailers say of `images`, in their order; the last word on each."""
    found = {}
    for text in trailers.get(TRAILER, ()):
        proof = read_proof(text)
        if proof is not None:
            found[proof.image] = proof
    return tuple(found[image] for image in images if image in found)
