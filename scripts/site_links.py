"""A hook of mkdocs: the pages of docs/ as a site, in English or in Korean (`SITE_LANGUAGE`).

The navigation lists whole folders, by the titles of their pages. docs/ko/ mirrors docs/ (a page of
how-to/ may also lie right in it): the Korean site has those pages at the addresses of the English
ones, and the English ones, with a word on it, where nobody has translated them. Each page leads to
itself in the other language, whose site begins at `SITE_OTHER`, seen from this one.

A link that leaves docs/ is right on a forge and leads nowhere on the site: it goes to the
repository where `repo_url` names one, and is plain text where not.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

from jinja2 import pass_context
from mkdocs.structure.files import File
from pymdownx.slugs import slugify

LANGUAGES = {"en": "English", "ko": "한국어"}
LANGUAGE = os.environ.get("SITE_LANGUAGE", "en")
OTHER = os.environ.get("SITE_OTHER", "ko/")

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_SECTIONS = {
    "Overview": "개요",
    "Learn": "배우기",
    "For you": "역할별 안내",
    "Do": "하는 법",
    "Look up": "찾아보기",
    "Understand": "이해하기",
    "Decisions": "결정 기록",
}
_AS_IS = "as-is:"
_HEADING = re.compile(r"^(#{2,4}) (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_UNTRANSLATED = '!!! note ""\n    이 문서는 아직 영어로만 있습니다.\n\n'
_translated: dict[str, str] = {}
"""Page of docs/ -> the page of docs/ko/ that says the same."""


def on_config(config: Any) -> Any:
    """Find the translations, and put the pages of a folder where the navigation names it."""
    docs = Path(config["docs_dir"])
    _translated.clear()
    for page in sorted((docs / "ko").rglob("*.md")):
        name = page.relative_to(docs / "ko").as_posix()
        place = name if (docs / name).is_file() else f"how-to/{name}"
        if not (docs / place).is_file():
            raise SystemExit(f"docs/ko/{name} translates no page of docs/ or docs/how-to/")
        _translated[place] = f"ko/{name}"
    config["nav"] = [_entry(one, docs) for one in config["nav"]]
    return config


def _entry(entry: Any, docs: Path) -> Any:
    ((name, value),) = entry.items()
    if LANGUAGE == "ko":
        name = _SECTIONS[name]
    if not isinstance(value, str) or not (docs / value).is_dir():
        return {name: value}
    pages = ((page.relative_to(docs).as_posix()) for page in (docs / value).glob("*.md"))
    titled = sorted((_title(docs, page), page) for page in pages)
    return {name: [{title: page} for title, page in titled]}


def _title(docs: Path, page: str) -> str:
    source = _translated.get(page, page) if LANGUAGE == "ko" else page
    found = _TITLE.search((docs / source).read_text(encoding="utf-8"))
    return found[1] if found else Path(page).stem


def on_files(files: Any, config: Any) -> Any:
    """Put translations in the places of what they translate, on the Korean site."""
    docs = Path(config["docs_dir"])
    for file in list(files.documentation_pages()):
        if file.src_uri.startswith("ko/"):
            files.remove(file)
    if LANGUAGE == "ko":
        for place, source in _translated.items():
            text, original = ((docs / one).read_text(encoding="utf-8") for one in (source, place))
            text = _named(_moved(text, source, place), original, source)
            files.remove(files.get_file_from_path(place))
            files.append(File.generated(config, place, content=text))
    return files


def _named(text: str, original: str, source: str) -> str:
    """Let the places of a translation be found by their English names, too."""
    names = [_name(found[2]) for found in _headings(original)]
    here = _headings(text)
    if len(names) != len(here):
        raise SystemExit(f"docs/{source} has {len(here)} headings, its original {len(names)}")
    for name, found in reversed(list(zip(names, here, strict=True))):
        start = found.start()
        text = f'{text[:start]}<span id="{name}"></span>\n\n{text[start:]}'
    return text


def _headings(text: str) -> list[re.Match[str]]:
    bare = _FENCE.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)
    return list(_HEADING.finditer(bare))


def _name(heading: str) -> str:
    """Return what the site calls a heading; see `toc` in mkdocs.yml."""
    plain = _LINK.sub(lambda match: match[2], heading).replace("`", "")
    return str(slugify(case="lower")(plain, "-"))


def _moved(text: str, source: str, place: str) -> str:
    """Return a translation with links that are right at its new place."""
    places = {translation: page for page, translation in _translated.items()}

    def point(match: re.Match[str]) -> str:
        target = normpath(join(dirname(source), match[3]))
        target = relpath(places.get(target, target), dirname(place) or ".")
        return f"{match[1]}[{match[2]}]({target}{match[4] or ''})"

    return _LINK.sub(point, text)


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Point links that leave docs/ at the repository, and those to a translation at its site."""
    here = dirname(page.file.src_uri)
    repository = config["repo_url"]
    places = {translation: one for one, translation in _translated.items()}

    def point(match: re.Match[str]) -> str:
        target = normpath(join(here, match[3]))
        if target in places and LANGUAGE == "ko":
            return f"{match[1]}[{match[2]}]({relpath(places[target], here or '.')}{match[4] or ''})"
        if target in places:
            away = relpath(f"{OTHER}{_address(places[target])}", page.url or ".")
            return f"[{match[2]}]({away}/{match[4] or ''})"
        if not target.startswith(".."):
            return match[0]
        if not repository or match[1]:
            return match[2]
        return f"[{match[2]}]({repository}/blob/HEAD/{target.lstrip('./')})"

    text = _LINK.sub(point, markdown)
    if LANGUAGE == "ko" and page.file.src_uri not in _translated:
        text = _TITLE.sub(lambda found: f"{found[0]}\n\n{_UNTRANSLATED}", text, count=1)
    return text


def on_page_context(context: Any, page: Any, config: Any, **_: Any) -> Any:
    """Lead from each page to itself in the other language."""
    up = "../" * page.url.count("/")
    config["extra"]["alternate"] = [
        {
            "name": name,
            "lang": language,
            "link": page.url if language == LANGUAGE else f"{_AS_IS}{up}{OTHER}{page.url}",
        }
        for language, name in LANGUAGES.items()
    ]
    return context


def on_env(env: Any, **_: Any) -> Any:
    """Leave links alone that lead out of this site: mkdocs counts their steps twice."""
    usual = env.filters["url"]

    @pass_context
    def url(context: Any, value: str) -> str:
        out = str(value).startswith(_AS_IS)
        return value.removeprefix(_AS_IS) if out else str(usual(context, value))

    env.filters["url"] = url
    return env


def _address(place: str) -> str:
    """Return where a page is on a site: folders, as mkdocs makes them."""
    return re.sub(r"(^|/)index$", r"\1", place.removesuffix(".md"))
