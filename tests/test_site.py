"""The site of the documentation: its links are followed, versions go by number."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]


def load() -> ModuleType:
    """Import the script that makes the site."""
    spec = importlib.util.spec_from_file_location("site_script", ROOT / "scripts" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SITE = load()


def test_links_are_followed(tmp_path: Path) -> None:
    """A page, a file and a place that are not there are told; those of others are not asked."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text('<h2 id="one">1</h2><img src="../no.png">')
    (tmp_path / "index.html").write_text(
        '<a href="a/#one">1</a><a href="a/#two">2</a><a href="b/">3</a><a href="#x">4</a>'
        '<a href="https://example.com/gone">5</a><a href="mailto:a@example.com">6</a>'
    )
    (tmp_path / "404.html").write_text('<a href="/elsewhere/">7</a>')
    found = list(SITE.broken_links(tmp_path))

    assert found == [
        "a/index.html: ../no.png leads nowhere",
        "index.html: a/#two: no such place",
        "index.html: b/ leads nowhere",
        "index.html: #x: no such place",
    ]


def test_versions_go_by_number() -> None:
    """1.10 is newer than 1.9."""
    assert ["v0.9.0", "v1.9.0", "v1.10.0"] == sorted(
        ["v1.10.0", "v0.9.0", "v1.9.0"], key=SITE._order
    )
