"""Holds gitops/ to its ceilings: sizes, parameters, names. Run by scripts/check; see --help.

What import-linter keeps (directions, circles, doors of libraries) is in pyproject.toml. The numbers
here are ceilings, not goals: they stand a little above what the code has, and only go down.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gitops"

LONGEST_FILE = 400  # lines: a rule for one idea, and no reason to split one
USUAL_FUNCTION = 32  # lines that 95 of 100 functions do not exceed
MOST_PARAMETERS = 8
COMPLEX = 10  # McCabe; more is a function to look at
MOST_COMPLEX = 8  # functions above that
MOST_IGNORES = 2  # type: ignore
MOST_IN_CORE = 5  # modules directly in core/; the rest has rooms

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main(arguments: Sequence[str]) -> int:
    """Print what is above a ceiling; return 1 when anything is."""
    if arguments:
        print(__doc__)
        return 0
    trees = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
    found = [
        *long_files(trees),
        *long_functions(trees),
        *wide_functions(trees),
        *repeated_classes(trees),
        *complex_functions(),
        *ignores(trees),
        *crowded_floors(),
    ]
    for line in found:
        print(line, file=sys.stderr)
    return int(bool(found))


def functions(trees: Mapping[Path, ast.Module]) -> Iterator[tuple[Path, Function]]:
    """Yield every function and method with its file."""
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield path, node


def long_files(trees: Mapping[Path, ast.Module]) -> Iterator[str]:
    """Name the files with too many lines."""
    for path in trees:
        lines = len(path.read_text().splitlines())
        if lines > LONGEST_FILE:
            yield f"{place(path)}: {lines} lines, at most {LONGEST_FILE}"


def long_functions(trees: Mapping[Path, ast.Module]) -> Iterator[str]:
    """Say when functions have become long in general; a single long one is no fault."""
    lengths = sorted((node.end_lineno or 0) - node.lineno + 1 for _, node in functions(trees))
    usual = lengths[int(len(lengths) * 0.95)]
    if usual > USUAL_FUNCTION:
        yield f"gitops/: 95 of 100 functions are below {usual} lines, wanted {USUAL_FUNCTION}"


def wide_functions(trees: Mapping[Path, ast.Module]) -> Iterator[str]:
    """Name the functions that take too many parameters; `self` and `cls` do not count."""
    for path, node in functions(trees):
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        number = len([one for one in every if one.arg not in ("self", "cls")])
        if number > MOST_PARAMETERS:
            yield (
                f"{place(path)}:{node.lineno}: {node.name} takes {number} parameters, "
                f"at most {MOST_PARAMETERS}"
            )


def repeated_classes(trees: Mapping[Path, ast.Module]) -> Iterator[str]:
    """Name the public classes that more than one module defines."""
    where: dict[str, list[str]] = defaultdict(list)
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(f"{place(path)}:{node.lineno}")
    for name, places in sorted(where.items()):
        if len(places) > 1:
            yield f"{places[0]}: class {name} is defined in {' and '.join(places[1:])} as well"


def complex_functions() -> Iterator[str]:
    """Say when there are too many functions that ruff finds complex (rule C901)."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "check", "--isolated", "--select", "C901"),
            *("--config", f"lint.mccabe.max-complexity={COMPLEX}"),
            *("--output-format", "concise", "--no-cache", str(PACKAGE)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stdout.splitlines() if "C901" in line]
    if done.returncode > 1:
        yield f"ruff cannot look for complex functions: {done.stderr.strip()}"
    if len(told) > MOST_COMPLEX:
        yield from told
        yield f"gitops/: {len(told)} functions above complexity {COMPLEX}, at most {MOST_COMPLEX}"


def ignores(trees: Mapping[Path, ast.Module]) -> Iterator[str]:
    """Say when the type checker is told to look away too often."""
    found = [
        f"{place(path)}:{number}"
        for path in trees
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"#\s*type:\s*ignore", line)
    ]
    if len(found) > MOST_IGNORES:
        yield f"{', '.join(found)}: {len(found)} `type: ignore`, at most {MOST_IGNORES}"


def crowded_floors() -> Iterator[str]:
    """Say when modules stand in core/ itself that should be in one of its rooms."""
    found = sorted(path.name for path in (PACKAGE / "core").glob("*.py") if path.stem != "__init__")
    if len(found) > MOST_IN_CORE:
        yield f"gitops/core/: {', '.join(found)}: at most {MOST_IN_CORE} modules outside of a room"


def place(path: Path) -> str:
    """Return the path as people type it."""
    return path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
