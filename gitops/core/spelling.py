"""What somebody may have meant who misspelt a word."""

from __future__ import annotations

from collections.abc import Iterable


def nearest_word(word: str, words: Iterable[str]) -> str | None:
    """Return the one of `words` that is most like `word`, None when none is like it."""
    from difflib import get_close_matches  # only on the way out: 5 ms of import

    return next(iter(get_close_matches(word, list(words), n=1)), None)
