"""What a merge makes of one path, and whether that is what landed."""

from __future__ import annotations

import pytest

from gitops.core.audit.merged_content import merges_to, settled
from gitops.core.kustomization.edit import only_images

OLD = b"images:\n  - name: a\n    newTag: v1\n  - name: b\n    newTag: v1\n"
NEW = OLD.replace(b"name: a\n    newTag: v1", b"name: a\n    newTag: v2")
MORE = OLD.replace(b"images:", b"namespace: x\nimages:")


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        (1, 1, 2, (True, 2)),
        (1, 2, 1, (True, 2)),
        (1, 2, 2, (True, 2)),
        (1, 1, None, (True, None)),
        (None, None, 2, (True, 2)),
        (None, 3, None, (True, 3)),
        (1, 2, 3, (False, None)),
        (1, None, 2, (False, None)),
    ],
)
def test_one_path(
    base: object, ours: object, theirs: object, expected: tuple[bool, object]
) -> None:
    """The side that changed it wins; when both did, somebody must look inside."""
    assert expected == settled(base, ours, theirs)


def conflict(base: bytes, ours: bytes, theirs: bytes) -> None:
    """A merge of lines that never works."""


def test_images_put_into_the_file_as_it_is() -> None:
    """Where text conflicts, the approved values in the branch's own file are what was approved."""
    landed = MORE.replace(b"name: a\n    newTag: v1", b"name: a\n    newTag: v2")

    assert merges_to(OLD, MORE, NEW, landed, "k", conflict)
    assert not merges_to(OLD, MORE, NEW, NEW, "k", conflict)
    assert not merges_to(OLD, MORE, NEW + b"x: y\n", landed, "k", conflict)


def test_merge_of_text() -> None:
    """What Git makes of both sides is what was approved, and nothing else is."""
    assert merges_to(b"a", b"b", b"c", b"bc", "k", lambda *_: b"bc")
    assert not merges_to(b"a", b"b", b"c", b"bcd", "k", lambda *_: b"bc")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (NEW, True),
        (OLD, True),
        (MORE, False),
        (OLD + b"  - name: c\n    newTag: v1\n", True),
        (OLD.replace(b"  - name: b\n    newTag: v1\n", b""), False),
        (b"images: [", False),
        (NEW + b"# words\n", False),
    ],
)
def test_only_images(after: bytes, expected: bool) -> None:
    """Values and new entries are images; a line, a comment or an entry less is more."""
    assert expected == only_images(OLD, after, "k")
