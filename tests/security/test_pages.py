"""What pages and hints tell people to run is safe to run in a job for anybody's pull request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("README*.md"))]
SOURCES = sorted((ROOT / "gitops").rglob("*.py"))
CHECKING = ROOT / "docs" / "how-to" / "check.md"


def found(pattern: str, paths: list[Path]) -> list[str]:
    """Return each place where a pattern is found."""
    return [
        f"{path.relative_to(ROOT)}: {hit[0]}"
        for path in paths
        for hit in re.finditer(pattern, path.read_text())
    ]


def test_no_name_that_is_not_ours_to_give() -> None:
    """No page and no hint installs gitops from a package index, where it is somebody else's."""
    # `NAME[EXTRA] @ ADDRESS` asks no index for the name.
    there = r"(?!(?:\[[\w,]+\])? @ git\+)"
    named = (
        r"(?:pipx?\w*\"?|uv tool) install [^\n`#]*?"
        rf"(?<![./\w-])gitops(?:[-_]\w+)?{there}(?:\[|['\"\s`=<>~]|$)"
    )

    assert [] == found(named, [*PAGES, *SOURCES])


def test_nothing_of_the_tree_is_installed_in_a_check() -> None:
    """The page about checks installs by hash, from outside of what is checked."""
    installs = re.findall(r"^.*pip\"? install.*$", CHECKING.read_text(), re.MULTILINE)

    told = [line for line in installs if "runs what the pull request" not in line]
    prose = [line for line in told if "`pip install" in line]
    assert len(told) > len(prose)
    assert all("--require-hashes" in line for line in told if line not in prose)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    """Whatever a workflow uses is named by its commit."""
    uses = re.findall(r"^[ -]*uses: *([^\s#]+)", path.read_text(), re.MULTILINE)

    assert [] == [one for one in uses if not re.fullmatch(r"[^@]+@[0-9a-f]{40}", one)]


def test_no_credentials_stay_in_a_checkout() -> None:
    """Every checkout of the page about checks keeps no token behind."""
    text = CHECKING.read_text()
    checkouts = text.count("uses: actions/checkout@")

    assert checkouts
    assert checkouts == text.count("persist-credentials: false}") + text.count(
        "persist-credentials: false\n"
    )
