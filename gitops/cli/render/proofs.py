"""Where images were built from, as their commits record it: words for people, and documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitops.core.git.proof import Proof


def proof_documents(proofs: Sequence[Proof]) -> list[dict[str, Any]]:
    """Return the document of each."""
    return [
        {
            "image": proof.image,
            "source": proof.source,
            "revision": proof.revision,
            "by": proof.by,
            "signed": proof.signed,
            "signer": proof.signer,
        }
        for proof in proofs
    ]


def built_from(proofs: Sequence[Proof]) -> str:
    """Return what stands behind the images of a release: each commit once; "" for nothing."""
    told = dict.fromkeys(f"{proof.short} ({proof.how})" for proof in proofs)
    return f"  [built from {', '.join(told)}]" if told else ""


def proof_lines(proofs: Sequence[Proof]) -> list[str]:
    """Return a line for each image."""
    return [
        f"{proof.image} was built from {proof.source}@{proof.short} ({proof.how})"
        for proof in proofs
    ]
