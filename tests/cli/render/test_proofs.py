"""What people and programs are told of where images were built from."""

from __future__ import annotations

from gitops.cli.render.read import built_from, proof_lines
from gitops.core.git.proof import Proof, read_proof
from gitops.documents.parts import proof_documents

COMMIT = "5f2c" * 10
SIGNER = "https://git.example.com/shop/ci@main"
KEYLESS = Proof("shop/api", "git.example.com/shop/api", COMMIT, "statement", True, SIGNER)
PLAIN = Proof("shop/web", "git.example.com/shop/web", COMMIT, "label")


def test_each_commit_is_told_once() -> None:
    """Images that were built together do not fill the line."""
    assert "  [built from 5f2c5f2 (label)]" == built_from([PLAIN, PLAIN])
    assert "" == built_from([])


def test_a_line_for_each_image() -> None:
    """With its repository, and who signed it."""
    assert [
        "shop/api was built from git.example.com/shop/api@5f2c5f2 "
        f"(statement, signed, by {SIGNER})",
        "shop/web was built from git.example.com/shop/web@5f2c5f2 (label)",
    ] == proof_lines([KEYLESS, PLAIN])


def test_a_trailer_is_read_as_it_was_written() -> None:
    """With a signer and without."""
    assert [KEYLESS, PLAIN] == [read_proof(str(one)) for one in (KEYLESS, PLAIN)]


def test_documents_have_the_whole_commit() -> None:
    """Programs get what people get cut."""
    (found,) = proof_documents([KEYLESS])
    assert {
        "image": "shop/api",
        "source": "git.example.com/shop/api",
        "revision": COMMIT,
        "by": "statement",
        "signed": True,
        "signer": SIGNER,
    } == found
