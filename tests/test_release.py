"""What can be seen of a release without making one: pins, versions, the list of changes."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {"gitops": []} | {
    name: needed for name, needed in PROJECT["optional-dependencies"].items() if name != "test"
}
CHANGES = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n"
OLDER = "\n## [0.1.0] - 2026-01-02\n\n- The first.\n"


def load() -> ModuleType:
    """Import the script that makes releases."""
    path = ROOT / "scripts" / "make_release.py"
    spec = importlib.util.spec_from_file_location("make_release", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RELEASE = load()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The two files that know of versions."""
    (tmp_path / "gitops").mkdir()
    (tmp_path / "gitops" / "__init__.py").write_text('"""Doc."""\n\n__version__ = "0.1.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGES + OLDER)
    return tmp_path


@pytest.mark.parametrize("extra", EXTRAS)
def test_pins_fit_the_project(extra: str) -> None:
    """Each extra has a file that pins, by hash, a version of all that it and gitops ask for."""
    text = (ROOT / "requirements" / f"{extra}.txt").read_text().replace("\\\n", " ")
    pinned = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            one = Requirement(line.partition("--hash")[0].strip())
            pinned.setdefault(canonicalize_name(one.name), []).append(one.specifier)
            assert "--hash=sha256:" in line, line

    for needed in map(Requirement, [*PROJECT["dependencies"], *EXTRAS[extra]]):
        versions = [
            str(one).removeprefix("==") for one in pinned.get(canonicalize_name(needed.name), [])
        ]
        assert versions, f"{needed.name}: run scripts/requirements"
        assert all(needed.specifier.contains(one) for one in versions), needed


def test_page_names_every_extra() -> None:
    """docs/how-to/install.md has a row for each extra, and for no other."""
    page = (ROOT / "docs" / "how-to" / "install.md").read_text()
    table = page.partition("## Extras")[2].partition("\n## ")[0]

    assert {*EXTRAS} - {"gitops"} == {*re.findall(r"^\| `(\w+)` \|", table, re.M)}


def test_version_takes_its_changes(project: Path) -> None:
    """A version gets what stood under Unreleased, which is empty then; older ones stay."""
    RELEASE.begin_version("0.2.0", project, "2026-03-04")

    told = (project / "CHANGELOG.md").read_text()
    head = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-03-04\n\n### Added\n\n- A thing.\n"
    assert head + OLDER == told
    assert RELEASE.version_of(project) == "0.2.0"


def test_first_version(project: Path) -> None:
    """The list of changes of the first version has nothing behind it."""
    (project / "CHANGELOG.md").write_text(CHANGES)

    RELEASE.begin_version("0.1.0", project, "2026-03-04")

    assert (project / "CHANGELOG.md").read_text().endswith("### Added\n\n- A thing.\n")


@pytest.mark.parametrize("version", ["0.1.0", "v2", "1.0.0-beta", ""])
def test_version_that_cannot_be(project: Path, version: str) -> None:
    """A version that is told already, or is none, changes nothing."""
    with pytest.raises(ValueError, match=r"version|already"):
        RELEASE.begin_version(version, project, "2026-03-04")

    assert (project / "CHANGELOG.md").read_text() == CHANGES + OLDER


def test_version_without_changes(project: Path) -> None:
    """There is no version of nothing."""
    (project / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n" + OLDER)

    with pytest.raises(ValueError, match="says nothing"):
        RELEASE.begin_version("0.2.0", project, "2026-03-04")


@pytest.mark.parametrize(
    ("tag", "version", "said"),
    [("v0.2.0", "0.1.0", "the tag is"), ("v0.3.0", "0.3.0", "no section")],
)
def test_tag_that_disagrees(project: Path, tag: str, version: str, said: str) -> None:
    """A tag is refused unless the code and the list of changes say the same version."""
    with pytest.raises(ValueError, match=said):
        RELEASE.check_tag(tag, version, project)
