"""What somebody may have meant."""

from __future__ import annotations

import pytest

from gitops.core.text.plain import nearest_word


@pytest.mark.parametrize(
    ("word", "expected"), [("prd", "prod"), ("stag", "stage"), ("xyz", None), ("", None)]
)
def test_nearest_word(word: str, expected: str | None) -> None:
    """The word that is most like it, or none when none is."""
    assert expected == nearest_word(word, ["dev", "stage", "prod"])
