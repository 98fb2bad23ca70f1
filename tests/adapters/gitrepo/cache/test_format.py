"""What is remembered of a repository, written down and read again."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.adapters.gitrepo.cache.format import Remembered, parse, render

IDS = st.integers(0, 2**160 - 1).map(lambda number: f"{number:040x}")
HASHES = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")
BRANCHES = st.text(
    st.characters(codec="utf-8", exclude_characters="\n", exclude_categories=["Cc", "Zs"]),
    min_size=1,
)
ANY = st.builds(
    Remembered,
    algorithm=st.sampled_from(["sha1", "sha256"]),
    tips=st.dictionaries(BRANCHES, IDS, max_size=4),
    default=st.none() | BRANCHES,
    asked=st.integers(0, 2**40),
    misses=st.integers(0, 9),
    packs=st.lists(st.tuples(HASHES, HASHES), max_size=3).map(tuple),
    objects=st.lists(
        st.tuples(st.sampled_from(["blob", "tree", "commit"]), st.binary(max_size=50)), max_size=5
    ).map(tuple),
)


@given(ANY)
def test_what_is_written_is_read(remembered: Remembered) -> None:
    """Nothing is lost on the way, whatever branches are called and objects hold."""
    assert remembered == parse(render(remembered))


EMPTY = zlib.compress(b"")


@pytest.mark.parametrize(
    ("head", "packed"),
    [
        (b"", EMPTY),
        (b"gitops-remembers 3\nsha1\n0 0", EMPTY),
        (b"gitops-remembers 2\nmd5\n0 0", EMPTY),
        (b"gitops-remembers 2\nsha1\n0", EMPTY),
        (b"gitops-remembers 2\nsha1\n0 0\npack ../../etc/passwd x", EMPTY),
        (b"gitops-remembers 2\nsha1\n0 0\ntip main main", EMPTY),
        (b"gitops-remembers 2\nsha1\n0 0\nblob -1", EMPTY),
        (b"gitops-remembers 2\nsha1\n0 0\nblob 1", EMPTY),
        (b"gitops-remembers 2\nsha1\n0 0\ntag 0", EMPTY),
        (b"gitops-remembers 2\nsha1\n0 0", b"not compressed"),
        (b"gitops-remembers 2\nsha1\n0 0", b""),
    ],
)
def test_anything_else_is_refused(head: bytes, packed: bytes) -> None:
    """What another version, a disk or somebody wrote is refused, not guessed at."""
    with pytest.raises(ValueError, match=r"\w"):
        parse(head + b"\n\n" + packed)
