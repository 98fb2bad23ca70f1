"""How the house is built: what one call walks through, what it asks twice, how large it all is.

Counts, not milliseconds, save the last table: hops and modules come from a profile hook, git
processes and YAML parses from a tracer around them, all other figures from the source.
"""

from __future__ import annotations

import ast
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from measure import Wire

_ROOT = Path(__file__).parents[2]
_TRACER = Path(__file__).with_name("trace_call.py")
_CONFIG = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: dev, overlay: overlays/dev, accepts: [main], deploy: auto}
  - {name: prod, overlay: overlays/prod, accepts: [main], deploy: manual, change: pull-request}
"""
_OVERLAY = "resources: [../../base]\nimages:\n  - name: shop/api\n    newTag: 1.0.0\n"
_IDENTITY = ("Ben", "ben@example.com")
# What came after the wish for at most 34,000 lines, in rooms of its own.
_SINCE = (
    *("actions/images", "actions/index", "actions/workflows"),
    *("adapters/forges/azure", "adapters/forges/bitbucket", "adapters/gitrepo/wire"),
    *("adapters/http", "adapters/notifications", "adapters/plots", "adapters/registry"),
    *("adapters/server", "adapters/signin", "adapters/workflows"),
    *("cli/completion", "core/access", "core/alerts", "core/data", "core/images"),
    *("core/insights", "core/notifications", "core/workflows", "documents", "server"),
)
_ROUND = 7  # runs of each command for each checkout


def measure_house(root: Path, against: Path | None, runs: int | None) -> dict[str, Any]:
    """Return all figures of this checkout; its CPU beside that of the checkout `against`."""
    environment = _environment(root, _ROOT)
    repository = _build(root / "house", environment)
    deploy, approve = _trace_both(repository, environment)
    _build(root / "served", environment)
    with Wire(root) as wire:
        served = f"{wire.url}/served"
        deploy_over_http, approve_over_http = _trace_both(served, environment)
        cpu = _compare_cpu(root, (repository, served), against, runs or _ROUND) if against else None
        other = _walks(root, wire, against) if against else None
    results: dict[str, Any] = {
        "modules": deploy["modules"],
        "hops": deploy["hops"],
        "doors": deploy["doors"],
        "ways": deploy["ways"],
        "git": approve["git"],
        "parses": approve["parses"],
        "blobs": approve["blobs"],
        "over_http": {
            "modules": deploy_over_http["modules"],
            "hops": deploy_over_http["hops"],
            "git": approve_over_http["git"],
        },
        **source_figures(_ROOT / "gitops"),
    }
    if cpu is not None:
        results["cpu"] = cpu
    if other is not None:
        results["other"] = other
    return results


def _trace_both(
    repository: str, environment: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a deploy to one environment and the approve of a proposal walked through."""
    deploy = _trace(["deploy", "shop/api:1.0.1", "--to", "dev"], repository, environment)
    _call(["deploy", "shop/api:1.0.1", "--to", "prod"], repository, environment)
    approver = {**environment, "GITOPS_AUTHOR": "{} <{}>".format(*_IDENTITY)}
    return deploy, _trace(["approve", "prod", "--yes"], repository, approver)


def _walks(root: Path, wire: Wire, checkout: Path) -> dict[str, dict[str, int]]:
    """Return what a deploy of another checkout walks through: over HTTP, and on this machine."""
    environment = _environment(root, checkout.resolve())
    found: dict[str, dict[str, int]] = {}
    for name in ("http", "file"):
        repository = _build(root / f"other-{name}", environment)
        if name == "http":
            repository = f"{wire.url}/other-http"
        walked = _trace(["deploy", "shop/api:1.0.1", "--to", "dev"], repository, environment)
        found[name] = {"modules": walked["modules"], "hops": walked["hops"]}
    return found


def house_text(results: Mapping[str, Any]) -> str:
    """Return the figures as a table."""
    names, most = results["repeated_names"], results["most_parameters"]
    http = results["over_http"]

    def both(figure: str) -> str:
        return f"{http[figure]} over HTTP, {results[figure]} where git talks to the remote"

    rows = [
        ("modules entered by one deploy", both("modules"), "at most 50"),
        ("hops between modules of one deploy", both("hops"), "at most 400"),
        ("git processes of one approve", both("git"), "at most 10"),
        (
            "YAML parses of one approve",
            f"{results['parses']}, of {results['blobs']} texts",
            "each once",
        ),
        ("most parameters of a function", f"{most[0]} ({most[1]})", "at most 8"),
        ("files directly in actions/, core/", results["files_at_top"], "verbs; under 6"),
        ("import circles between modules", results["circles"], "0"),
        ("public class names defined twice", f"{len(names)}: {', '.join(names)}", "0"),
        (
            "lines of gitops/",
            f"{results['lines']:,}, {results['since']:,} of them in rooms that came since",
            "at most 34,000",
        ),
    ]
    lines = ["| what | now | wanted |", "|---|---|---|"]
    lines += [f"| {what} | {now} | {wanted} |" for what, now, wanted in rows]
    for command, (now, before) in results.get("cpu", {}).items():
        share = now / before
        lines.append(
            f"| CPU of {command} | {now * 1000:.0f} ms, {share:.3f} of the other checkout | 1.00 |"
        )
    if (other := results.get("other")) is not None:
        lines += [
            f"| {what} in the other checkout | {other['http'][figure]} over HTTP, "
            f"{other['file'][figure]} where git talks to the remote | |"
            for what, figure in (("modules entered", "modules"), ("hops", "hops"))
        ]
    lines += ["", "The doors of a deploy that are used most (module, arrivals):", ""]
    lines += [f"- `{module}` {count}" for module, count in results["doors"][:12]]
    lines += ["", "The ways that it takes most (from, to, calls):", ""]
    lines += [f"- `{one}` → `{other}` {count}" for one, other, count in results["ways"][:12]]
    return "\n".join(lines)


def source_figures(package: Path) -> dict[str, Any]:
    """Return what the source itself tells of the package in the folder `package`."""
    trees = {path: ast.parse(path.read_bytes()) for path in sorted(package.rglob("*.py"))}
    classes: dict[str, set[Path]] = defaultdict(set)
    most = (0, "")
    for path, tree in trees.items():
        where = path.relative_to(package.parent).as_posix()
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].add(path)
        for inner in ast.walk(tree):
            if isinstance(inner, ast.FunctionDef):
                most = max(most, (_parameters(inner), f"{where}: {inner.name}"))
    return {
        "most_parameters": most,
        "repeated_names": sorted(name for name, paths in classes.items() if len(paths) > 1),
        "files_at_top": ", ".join(
            str(sum(path.name != "__init__.py" for path in (package / layer).glob("*.py")))
            for layer in ("actions", "core")
        ),
        "circles": len(_circles(_imports(package, trees))),
        "lines": sum(map(_lines, trees)),
        "since": sum(_lines(path) for path in trees if _is_since(path.relative_to(package))),
    }


def _lines(path: Path) -> int:
    return len(path.read_bytes().splitlines())


def _is_since(path: Path) -> bool:
    return any(path.is_relative_to(room) for room in _SINCE)


def _parameters(function: ast.FunctionDef) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(argument.arg not in ("self", "cls") for argument in named)


def _imports(package: Path, trees: Mapping[Path, ast.Module]) -> dict[str, set[str]]:
    """Return module -> modules that it imports, those for types alone left out."""

    def name_of(path: Path) -> str:
        parts = path.relative_to(package.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    known = {name_of(path) for path in trees}
    found: dict[str, set[str]] = {}
    for path, tree in trees.items():
        ours = found.setdefault(name_of(path), set())
        for node in _running(tree):
            if isinstance(node, ast.Import):
                ours.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                ours.update(names & known or {node.module})
        ours &= known
        ours.discard(name_of(path))
    return found


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run, so not what stands below `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from _running(node)


def _circles(imports: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules that reach each other."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for name in imports.get(waiting.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
        return seen

    reach = {name: reached(name) for name in imports}
    found: list[set[str]] = []
    for name in imports:
        if name in reach[name] and not any(name in group for group in found):
            found.append({other for other in reach[name] if name in reach[other]})
    return found


def _environment(root: Path, checkout: Path) -> dict[str, str]:
    """Return the variables of a caller whose gitops is the one of `checkout`."""
    home = root / "home"
    home.mkdir(exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GITOPS_CACHE": "off",
        "GITOPS_AUTHOR": "Ana <ana@example.com>",
        "PYTHONPATH": str(checkout),
        "PYTHONPYCACHEPREFIX": str(root / "pycache" / checkout.name),
    }


def _build(folder: Path, environment: Mapping[str, str]) -> str:
    """Make a bare repository with two environments; return its URL, read as any remote is."""
    files = {
        "gitops.yaml": _CONFIG,
        "base/kustomization.yaml": "resources: []\n",
        "overlays/dev/kustomization.yaml": _OVERLAY,
        "overlays/prod/kustomization.yaml": _OVERLAY,
    }
    stream = "commit refs/heads/main\ncommitter Ana <ana@example.com> 1750000000 +0000\n"
    stream += "data 6\nstart\n\n"
    for path, content in files.items():
        stream += f"M 100644 inline {path}\ndata {len(content)}\n{content}\n"
    folder.mkdir()
    git = ["git", f"--git-dir={folder}"]
    subprocess.run([*git, "init", "-q", "--bare", "-b", "main"], check=True, env=environment)
    subprocess.run([*git, "config", "http.receivepack", "true"], check=True, env=environment)
    subprocess.run(
        [*git, "fast-import", "--quiet"], check=True, env=environment, input=stream.encode()
    )
    return f"file://{folder}"


def _call(words: Sequence[str], repository: str, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-P", "-m", "gitops", *words, "--repo", repository]
    subprocess.run(command, check=True, env=environment, capture_output=True)


def _trace(words: Sequence[str], repository: str, environment: Mapping[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-P", str(_TRACER), *words, "--repo", repository]
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    return found


def _compare_cpu(
    root: Path, repositories: tuple[str, str], against: Path, runs: int
) -> dict[str, tuple[float, float]]:
    """Return command -> median CPU seconds here and there; runs in mixed order, warm first.

    `repositories`: the one on this machine, and one that is served over HTTP.
    """
    local, served = repositories
    numbers = itertools.count()

    def deploy(repository: str) -> list[str]:
        return ["deploy", f"shop/api:2.0.{next(numbers)}", "--to", "dev", "--repo", repository]

    commands: dict[str, Callable[[], list[str]]] = {
        "--help": lambda: ["--help"],
        "a plain deploy": lambda: deploy(local),
        "a plain deploy over HTTP": lambda: deploy(served),
        "status": lambda: ["status", "--repo", local],
        "status over HTTP": lambda: ["status", "--repo", served],
    }
    sides = [_environment(root, _ROOT), _environment(root, against.resolve())]
    kept: dict[str, tuple[float, float]] = {}
    for name, words in commands.items():
        spent: tuple[list[float], list[float]] = ([], [])
        for turn in range(runs + 1):
            for side in random.sample((0, 1), 2):
                cost = _cpu([sys.executable, "-P", "-m", "gitops", *words()], sides[side])
                if turn:  # the first one writes bytecode
                    spent[side].append(cost)
        kept[name] = (statistics.median(spent[0]), statistics.median(spent[1]))
    return kept


def _cpu(command: Sequence[str], environment: Mapping[str, str]) -> float:
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command}: exit {process.returncode}")
    return usage.ru_utime + usage.ru_stime
