"""Where images were built from, as their commits record it, in words for people."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.core.git.proof import Proof


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
