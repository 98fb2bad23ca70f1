"""Where an image was built from, as commits record it."""

from __future__ import annotations

import pytest

from gitops.core.git.revision import Revision, parse_revision

COMMIT = "a1b2c3d" + "0" * 33


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"release/1.4@sha1:{COMMIT}", Revision("release/1.4", COMMIT)),
        (f"release/1.4@sha256:{'0' * 64}", Revision("release/1.4", "0" * 64)),
        (f"me@home@sha1:{COMMIT}", Revision("me@home", COMMIT)),
        ("release/1.4", Revision("release/1.4")),
        ("release/1.4@sha1:a1b2c3d", Revision("release/1.4@sha1:a1b2c3d")),
        (" ", None),
        (None, None),
    ],
)
def test_revisions(text: str | None, expected: Revision | None) -> None:
    """Branch and commit; a word that is no such thing is a branch; nothing is no revision."""
    assert expected == parse_revision(text)
