"""Makes the site of docs/: English and Korean, and where it is asked for each version of its own.

`scripts/docs site [FOLDER]` makes what the checkout says. `scripts/docs site --versions [FOLDER]`
makes a folder for each tag `vX.Y.Z`, the newest one once more as `latest`, the checkout as `next`,
and what the pages' switcher reads of them; Korean is the same below `ko/`. Every link of all of it
is followed: one that leads nowhere ends it with exit code 1. Run it through `scripts/docs`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
NEXT, LATEST = "next", "latest"
_TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_REDIRECT = (
    '<!doctype html><meta charset="utf-8"><title>gitops</title>'
    '<meta http-equiv="refresh" content="0; url={0}/"><a href="{0}/">{0}</a>\n'
)


def main(arguments: Sequence[str]) -> int:
    """Make the site, follow its links; return the exit code."""
    versions = "--versions" in arguments
    folders = [one for one in arguments if one != "--versions"]
    folder = Path(folders[0] if folders else ROOT / ".cache" / "pages").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    if versions:
        make_versions(folder, ROOT)
    else:
        make(ROOT, folder, folder / "ko", strict=True)
    broken = list(broken_links(folder))
    for line in broken:
        print(line, file=sys.stderr)
    print(f"{folder}: {sum(1 for _ in folder.rglob('*.html'))} pages, {len(broken)} broken links")
    return int(bool(broken))


def make(
    source: Path, english: Path, korean: Path, *, strict: bool, versioned: bool = False
) -> None:
    """Make both languages of one state of the documentation. Raises SystemExit."""
    for language, here, other in (("en", english, korean), ("ko", korean, english)):
        environ = os.environ | {
            "SITE_LANGUAGE": language,
            "SITE_OTHER": f"{os.path.relpath(other, here)}/",
            "SITE_VERSIONS": "mike" if versioned else "",  # the switcher's name for such folders
            "NO_MKDOCS_2_WARNING": "1",
        }
        command = [sys.executable, "-m", "mkdocs", "build", "-q", "-f", str(source / "mkdocs.yml")]
        command += ["--site-dir", str(here), *(["--strict"] if strict else [])]
        here.mkdir(parents=True, exist_ok=True)
        if subprocess.run(command, env=environ, cwd=source).returncode != 0:
            raise SystemExit(1)


def make_versions(folder: Path, repository: Path) -> None:
    """Make every version, and the lists that the switchers read."""
    tags = sorted(filter(_TAG.fullmatch, _git(repository, "tag").split()), key=_order)
    listed: list[dict[str, object]] = []
    for tag in tags:
        with tempfile.TemporaryDirectory() as place:
            archive = _git_bytes(repository, "archive", tag)
            with tarfile.open(fileobj=BytesIO(archive)) as files:
                files.extractall(place, filter="data")
            if not (Path(place) / "scripts" / "site.py").exists():
                continue  # from before there was a site
            name = tag.removeprefix("v")
            make(Path(place), folder / name, folder / "ko" / name, strict=False, versioned=True)
        listed.insert(0, {"version": name, "title": name, "aliases": []})
    make(repository, folder / NEXT, folder / "ko" / NEXT, strict=True, versioned=True)
    first = NEXT
    if listed:
        listed[0]["aliases"], first = [LATEST], LATEST
        for base in (folder, folder / "ko"):
            shutil.copytree(base / str(listed[0]["version"]), base / LATEST)
    listed.append({"version": NEXT, "title": NEXT, "aliases": []})
    for base in (folder, folder / "ko"):
        (base / "versions.json").write_text(json.dumps(listed, indent=1) + "\n")
        (base / "index.html").write_text(_REDIRECT.format(first))


def _order(tag: str) -> tuple[int, ...]:
    return tuple(map(int, _TAG.fullmatch(tag).groups()))  # type: ignore[union-attr]


def _git(repository: Path, *arguments: str) -> str:
    return _git_bytes(repository, *arguments).decode()


def _git_bytes(repository: Path, *arguments: str) -> bytes:
    return subprocess.run(
        ["git", "-C", str(repository), *arguments], check=True, stdout=subprocess.PIPE
    ).stdout


class _Page(HTMLParser):
    """The links of a page, and what may be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src") and tag != "base":
                self.links.append(value)
            elif value and name in ("id", "name"):
                self.names.add(value)


def broken_links(folder: Path) -> Iterator[str]:
    """Yield each link that leads to no file of `folder`, or to no place in it."""
    pages: dict[Path, _Page] = {}
    for file in folder.rglob("*.html"):
        pages[file] = page = _Page()
        page.feed(file.read_text(encoding="utf-8"))
    for file, page in sorted(pages.items()):
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or file.name == "404.html":
                continue  # of others; and a page without a place of its own
            target = file
            if parts.path:
                target = Path(os.path.normpath(file.parent / unquote(parts.path)))
                target = target / "index.html" if target.is_dir() else target
            name = unquote(parts.fragment)
            if not target.is_file():
                yield f"{file.relative_to(folder)}: {link} leads nowhere"
            elif name and target in pages and name not in pages[target].names:
                yield f"{file.relative_to(folder)}: {link}: no such place"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
