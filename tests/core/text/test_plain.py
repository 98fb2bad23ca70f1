"""What somebody may have meant."""

from __future__ import annotations

import pytest

from gitops.core.text.plain import nearest_word, no_formula


@pytest.mark.parametrize(
    ("word", "expected"), [("prd", "prod"), ("stag", "stage"), ("xyz", None), ("", None)]
)
def test_nearest_word(word: str, expected: str | None) -> None:
    """The word that is most like it, or none when none is."""
    assert expected == nearest_word(word, ["dev", "stage", "prod"])


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("\tx", "'\tx"),
        (' "=1', " \"'=1"),
        ("a;=cmd|'/C calc'!A1", "a;'=cmd|'/C calc'!A1"),
        ("a-b = c; d", "a-b = c; d"),
        ("shop/prod; shop/dev", "shop/prod; shop/dev"),
    ],
)
def test_no_formula(text: str, cell: str) -> None:
    """Not at the beginning of a cell, nor of what some spreadsheets take for one."""
    assert cell == no_formula(text)
