"""What can be seen of a release without making one: pins, versions, the list of changes."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
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


def load(name: str) -> ModuleType:
    """Import a script that makes releases."""
    path = ROOT / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PACKAGES = load("make_packages")
RELEASE = load("make_release")


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


@pytest.fixture
def zipapp(tmp_path: Path) -> Path:
    """A program in place of gitops.pyz."""
    path = tmp_path / "gitops.pyz"
    path.write_text(f"#!{sys.executable}\nprint('gitops 0.2.0')\n")
    return path


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb")
def test_debian_package(zipapp: Path, tmp_path: Path) -> None:
    """It installs into an empty root, runs there, has its pages and completions, and is the same
    bytes each time; dpkg takes it away again."""
    scripts = {shell: f"# {shell}\n" for shell in ("bash", "zsh", "fish")}
    made = [tmp_path / name for name in ("first.deb", "second.deb")]
    for target in made:
        PACKAGES.write_deb(zipapp, "0.2.0", ROOT, scripts, target, 1_790_000_000)
    root = tmp_path / "root"
    program = PACKAGES.install_deb(made[0], root)

    said = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    share = root / "usr" / "share"
    assert made[0].read_bytes() == made[1].read_bytes()
    assert "gitops 0.2.0\n" == said
    assert "# zsh\n" == (share / "zsh" / "vendor-completions" / "_gitops").read_text()
    pages = {path.name for path in (share / "man" / "man1").iterdir()}
    assert {f"{path.name}.gz" for path in (ROOT / "docs" / "man").glob("*.1")} == pages
    options = [f"--root={root}", f"--log={root}/dpkg.log", "--force-not-root"]
    subprocess.run(["dpkg", *options, "--purge", "gitops-manager"], check=True, capture_output=True)
    assert not program.exists()


def test_recipes_name_the_file_by_its_hash(zipapp: Path, tmp_path: Path) -> None:
    """Formula and flake fetch the very file of the release, and parse where they can be."""
    address = "https://git.example.com/platform/gitops"
    formula, flake = PACKAGES.write_recipes(zipapp, "0.2.0", address, tmp_path)
    PACKAGES.unread_recipes(tmp_path)

    digest = subprocess.run(["sha256sum", zipapp], capture_output=True, text=True, check=True)
    assert f'sha256 "{digest.stdout.split()[0]}"' in formula.read_text()
    url = f'url "{address}/releases/download/v0.2.0/gitops.pyz"'
    assert url in formula.read_text()
    assert url.replace("url ", "url = ") in flake.read_text()
    assert re.search(r'hash = "sha256-[A-Za-z0-9+/]{43}=";', flake.read_text())
