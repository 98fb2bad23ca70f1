"""The house keeps its shape: import direction, sizes, names, and what the wheel holds."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gitops
from gitops.cli.lazy_group import EXAMPLES, VERBS

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "gitops").rglob("*.py"))
FORBIDDEN = re.compile(r"(^|_)(utils?|helpers?|managers?|common|misc|base)(_|$)")
WHEEL = pytest.mark.skipif(
    "GITOPS_TEST_WHEEL" not in os.environ, reason="scripts/test tests the wheel"
)


def names_of(path: Path) -> list[str]:
    """Return the name of a module and of the classes in it, in snake case."""
    classes = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    return [path.stem, *(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in classes)]


def test_imports_go_one_way() -> None:
    """Every contract of import-linter in pyproject.toml is kept."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 broken" in done.stdout


def test_modules_are_small() -> None:
    """No module is longer than 400 lines."""
    lines = {str(path): len(path.read_text().splitlines()) for path in MODULES}

    assert {name: count for name, count in lines.items() if count > 400} == {}
    assert len(lines) > 500


def test_names_say_what_is_inside() -> None:
    """Neither a module nor a class is called utils, helper, manager, common, misc or base."""
    found = [
        (str(path.relative_to(ROOT)), name)
        for path in MODULES
        for name in names_of(path)
        if FORBIDDEN.search(name)
    ]

    assert found == []


@pytest.mark.parametrize("name", ["image_utils", "git_manager", "helpers", "base"])
def test_forbidden_names_are_seen(name: str) -> None:
    """The pattern above finds what it is there for."""
    assert FORBIDDEN.search(name)


def test_nothing_is_left_for_later() -> None:
    """No module holds a note about work that is not done."""
    marks = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    found = [str(path.relative_to(ROOT)) for path in MODULES if marks.search(path.read_text())]

    assert found == []


@WHEEL
def test_the_wheel_is_what_is_tested() -> None:
    """`import gitops` finds the installed wheel, not this checkout."""
    installed = Path(gitops.__file__)

    assert "site-packages" in installed.parts
    assert ROOT / "gitops" not in installed.parents


@WHEEL
def test_the_wheel_is_this_checkout() -> None:
    """Every module of the checkout is in the wheel, byte for byte, and no other."""
    installed = Path(gitops.__file__).parent
    here = {str(path.relative_to(ROOT / "gitops")): path.read_bytes() for path in MODULES}
    there = {
        str(path.relative_to(installed)): path.read_bytes() for path in installed.rglob("*.py")
    }

    assert here == there


@WHEEL
def test_the_wheel_holds_the_sample_and_the_types() -> None:
    """`gitops init` and type checkers find their files without a checkout."""
    installed = Path(gitops.__file__).parent
    sample = {
        str(path.relative_to(installed / "sample"))
        for path in (installed / "sample").rglob("*")
        if path.is_file()
    }
    expected = {
        str(path.relative_to(ROOT))
        for folder in ("base", "overlays")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }

    assert expected | {"gitops.yaml"} == sample
    assert (installed / "py.typed").exists()


@WHEEL
def test_the_wheel_holds_the_manual() -> None:
    """`man gitops-rollback` finds a page where the package is installed."""
    pages = {path.name for path in (ROOT / "docs" / "man").glob("*.1")}

    assert "gitops-rollback.1" in pages
    assert pages <= {path.name for path in Path(sys.prefix, "share/man/man1").glob("*.1")}


def rooms() -> dict[str, str]:
    """Return every folder below gitops/ that holds code, with the first line of its docstring."""
    found: dict[str, str] = {}
    for path in (ROOT / "gitops").glob("*/**/__init__.py"):
        told = ast.get_docstring(ast.parse(path.read_text())) or ""
        found[f"{path.parent.relative_to(ROOT / 'gitops')}/"] = told.partition("\n")[0]
    return found


def test_every_room_is_on_the_map() -> None:
    """The tour lists each folder once, with the sentence that the folder says of itself."""
    tour = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    listed = re.findall(r"^\| `([a-z_/]+/)` \| (.+) \|$", tour, re.MULTILINE)

    assert rooms() == dict(listed)
    assert len(listed) == len(dict(listed))
    assert "" not in rooms().values()


def test_the_tour_leads_to_files_that_are_there() -> None:
    """Whatever the tour names as a file or a folder of gitops/ exists."""
    tour = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    named = set(re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", tour)) - {"tests/", "tests/ports/"}
    missing = sorted(
        name
        for name in named
        if not (ROOT / "gitops" / name).exists() and not (ROOT / name).exists()
    )

    assert missing == []
    assert len([name for name in named if name.endswith(".py")]) > 20


def test_only_verbs_stand_on_top_of_actions() -> None:
    """A module directly in actions/ is a command, or one of the ways of `validate`."""
    names = {path.stem for path in (ROOT / "gitops" / "actions").glob("*.py")} - {"__init__"}

    verbs = {verb.replace("-", "_").replace(" ", "_") for verb in (*VERBS, *EXAMPLES)}
    assert names - verbs == {"validate_against", "validate_forge"}


def test_every_decision_is_in_the_index() -> None:
    """docs/decisions/README.md links each record once, in the order of the numbers."""
    folder = ROOT / "docs" / "decisions"
    linked = re.findall(r"^- \[.+\]\(([^)]+)\)$", (folder / "README.md").read_text(), re.MULTILINE)

    assert sorted(path.name for path in folder.glob("0*.md")) == linked
