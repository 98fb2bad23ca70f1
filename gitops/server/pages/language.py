"""The language of a page: what the person chose, else what the browser asks for, else English."""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

DOMAIN = "gitops"
FOLDER = Path(__file__).parent / "locales"
LANGUAGES = ("en", "ko")
COOKIE = "gitops-language"
_MOST = 20  # parts of a header that are looked at


def choose_language(cookie: str | None, accepts: str | None) -> str:
    """Return the language for a cookie and an `Accept-Language` header, both as they came."""
    if cookie in LANGUAGES:
        return cookie
    wanted: list[tuple[float, str]] = []
    for part in (accepts or "").split(",")[:_MOST]:
        tag, _, quality = part.partition(";")
        name = tag.strip().lower().partition("-")[0]
        if name in LANGUAGES and (weight := _weight(quality)) > 0:
            wanted.append((weight, name))
    return max(wanted, key=lambda one: one[0])[1] if wanted else LANGUAGES[0]


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Return the texts of a language; English is the texts themselves."""
    if language == LANGUAGES[0]:
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, FOLDER, [language])


def _weight(quality: str) -> float:
    name, _, number = quality.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(float(number), 1.0)
    except ValueError:
        return 0.0
