"""Where teams are: the way to the first deploy, what an action adds, how soon a step is told."""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from control_plane import ROOT, Look, open_plane
from figures import Figure, figures_table
from measure import Wire
from repositories import git
from single import say

_FIRST = (
    "python3 -m venv gitops && gitops/bin/pip install --quiet --no-compile"
    ' "gitops-manager @ git+{source}" && gitops/bin/gitops deploy shop/api:9.9.9 --to dev'
)
_WHO = {"GITOPS_AUTHOR": "Bench <bench@example.com>", "LANG": "C.UTF-8"}
_STEPS = 4
_LINE = re.compile(r"^(\S) (step-\d+) ")
_PHASES = {"…": "Running", "✓": "Succeeded"}


def measure_teams(root: Path, runs: int, *, quick: bool) -> dict[str, Any]:
    """Return all figures; what this machine cannot do says so in words, under `missing`."""
    sys.path.append(str(ROOT / "tests"))
    from manifests import make_template

    (root / "sample").mkdir()
    sample = make_template(root / "sample") / "manifests.git"
    git(sample, "config", "http.receivepack", "true")
    missing: list[str] = []
    results: dict[str, Any] = {"missing": missing, "first": {}, "kits": {}, "follower": {}}
    with Wire(sample.parent) as wire:
        url = f"{wire.url}/{sample.name}"
        if not quick:  # asks the package index
            say("teams: from an empty HOME to the first deploy")
            git(sample.parent, "clone", "-q", "--bare", str(ROOT), "gitops.git")
            results["first"] = _first(root, f"{wire.url}/gitops.git", url, missing)
        say("teams: what the action adds")
        results["kits"] = _action(root, url, runs, quick=quick, missing=missing)
    if not quick:
        say("teams: a followed workflow")
        results["follower"] = _follower(root, runs, missing)
    return results


def _bare(root: Path, name: str) -> dict[str, str]:
    """An environment with nothing in it but where programs and the package index are."""
    home = root / name
    home.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if key.startswith("PIP_INDEX")}
    return {"PATH": os.environ["PATH"], "HOME": str(home), **_WHO, **kept}


def _first(root: Path, source: str, url: str, missing: list[str]) -> dict[str, float]:
    """Return seconds and CPU of one line that installs this commit and deploys; nothing is warm."""
    environment = _bare(root, "empty") | {"GITOPS_REPO": url}
    begun, before = time.monotonic(), _used()
    done = subprocess.run(
        ["sh", "-c", _FIRST.format(source=source)],
        **{"cwd": environment["HOME"], "env": environment, "capture_output": True, "text": True},
    )
    seconds = time.monotonic() - begun
    if done.returncode:
        missing.append(f"the first deploy: {_why(done.stderr)}")
        return {}
    return {"wall": seconds, "cpu": _used() - before}


def _used() -> float:
    """Return the CPU seconds of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _action(
    root: Path, url: str, runs: int, *, quick: bool, missing: list[str]
) -> dict[str, float]:
    """Return seconds of the action's steps in order, of installing, and of the bare deploy."""
    from kits.runners import play_action

    environment = _bare(root, "runner")
    tools = root / "runner" / "tools"
    given = {"repo": url, "to": "dev", "author": _WHO["GITOPS_AUTHOR"]} | (
        {"gitops": _own()} if quick else {}
    )
    job = {"HOME": environment["HOME"], "RUNNER_TOOL_CACHE": str(tools), **_WHO}
    number = 0

    def play() -> float:
        nonlocal number
        number += 1
        folder = root / "runner" / f"job-{number}"
        folder.mkdir()
        begun = time.monotonic()
        played = play_action(ROOT, {**given, "image": f"shop/api:1.{number}.0"}, job, folder)
        seconds = time.monotonic() - begun
        assert played.code == 0, played.said
        assert played.outputs["changed"] == "true"
        return seconds

    try:
        cold = play()
    except AssertionError as error:
        missing.append(f"the action: {_why(str(error))}")
        return {}
    program = _own() if quick else str(next(tools.glob("gitops/*/bin/gitops")))
    action, bare = [], []
    for turn in range(runs):
        action.append(play())
        bare.append(_deploy([program], f"2.{turn}.0", url, environment))
    kept = {"action": statistics.median(action), "bare": statistics.median(bare)}
    return kept if quick else {**kept, "cold": cold}


def _why(text: str) -> str:
    """Return the line of an output that says what went wrong."""
    lines = text.strip().splitlines()
    return next((one for one in lines if one.lower().startswith("error")), lines[-1])


def _own() -> str:
    return str(Path(sys.executable).with_name("gitops"))


def _deploy(command: list[str], tag: str, url: str, environment: Mapping[str, str]) -> float:
    """Return seconds of one deploy without anything around it."""
    begun = time.monotonic()
    subprocess.run(
        [*command, "deploy", f"shop/api:{tag}", "--to", "dev"],
        env={**environment, "GITOPS_REPO": url},
        check=True,
        capture_output=True,
    )
    return time.monotonic() - begun


def _follower(root: Path, runs: int, missing: list[str]) -> dict[str, float]:
    """Return how long after the controller wrote it `gitops workflow run --wait` told of a step."""
    from cluster.workflow_plane import open_workflow_plane
    from servers.lanes import absent

    if reason := absent("workflows"):
        missing.append(f"a followed workflow: {reason}")
        return {}
    with open_plane(root) as (shop, why):
        if shop is None:
            missing.append(f"a followed workflow: {why}")
            return {}
        (root / "stand-ins").mkdir()
        with open_workflow_plane(shop.cluster, root / "plain", root / "stand-ins") as plane:
            plane.apply(_objects(plane.namespace))
            late = [one for _ in range(max(runs // 5, 1)) for one in _one_run(shop, plane)]
    return {"events": len(late), "median": statistics.median(late), "most": max(late)}


def _objects(namespace: str) -> list[dict[str, Any]]:
    """A chain of short steps, and the account that its pods have."""
    about = {"namespace": namespace}
    steps = [[{"name": f"step-{number}", "template": "short"}] for number in range(_STEPS)]
    short = {"image": "x:1", "command": ["sh", "-c"], "args": ["sleep 0.8"]}
    rules = [
        {
            "apiGroups": ["argoproj.io"],
            "resources": ["workflowtaskresults"],
            "verbs": ["create", "patch"],
        }
    ]
    role, api = {"name": "steps"}, "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "WorkflowTemplate",
            "metadata": {"name": "chain", **about},
            "spec": {
                "entrypoint": "main",
                "templates": [
                    {"name": "main", "steps": steps},
                    {"name": "short", "container": short},
                ],
            },
        },
        {
            "apiVersion": f"{api}/v1",
            "kind": "Role",
            "metadata": {**role, **about},
            "rules": rules,
        },
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": {**role, **about},
            "roleRef": {"apiGroup": api, "kind": "Role", **role},
            "subjects": [{"kind": "ServiceAccount", "name": "default", **about}],
        },
    ]


def _one_run(shop: Any, plane: Any) -> list[float]:
    """Follow one workflow; return seconds from the object's change to the line, for each."""
    kind = ("argoproj.io/v1alpha1", "Workflow")
    known = {one["metadata"]["name"] for one in plane.cluster.kube.list(*kind, plane.namespace)}
    written: dict[tuple[str, str], float] = {}
    told: dict[tuple[str, str], float] = {}

    def look() -> bool:
        for one in plane.cluster.kube.list(*kind, plane.namespace):
            if one["metadata"]["name"] in known:
                continue
            for node in one.get("status", {}).get("nodes", {}).values():
                written.setdefault((node["displayName"], node.get("phase", "")), time.monotonic())
        return False

    watcher = Look(look)
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "gitops", "workflow", "run", "chain", "--wait"],
        env={
            **os.environ,
            "KUBECONFIG": str(shop.cluster.kubeconfig),
            "GITOPS_REPO": shop.url,
            "GITOPS_WORKFLOWS_NAMESPACE": plane.namespace,
        },
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if found := _LINE.match(line):
                told[found[2], _PHASES[found[1]]] = time.monotonic()
    watcher.stop()
    assert child.returncode == 0, child.returncode
    assert len(told) > _STEPS, told
    return [when - written[event] for event, when in told.items() if event in written]


def teams_text(results: dict[str, Any]) -> str:
    """Return the table, and what was not measured."""
    lines = [figures_table(teams_figures(results))]
    lines += [f"\nNot measured: {one}." for one in results["missing"]]
    return "\n".join(lines)


def teams_figures(results: dict[str, Any]) -> list[Figure]:
    """Return the figures that are wanted of what teams meet."""
    first, kits, follower = results["first"], results["kits"], results["follower"]
    added = kits["action"] - kits["bare"] if kits else None
    show: Callable[[str], str] = "the same: {}".format
    return [
        Figure("Python and Git to the first deploy, one line", 20, None, first.get("wall"), " s"),
        Figure(show("CPU"), None, None, first.get("cpu"), " s"),
        Figure("the action, cached, beyond the bare deploy", 3, 1, added, " s"),
        Figure(show("bare deploy"), None, None, kits.get("bare"), " s"),
        Figure(show("a first job, which installs"), None, None, kits.get("cold"), " s"),
        Figure("a step of a workflow, written to told", 1, None, follower.get("most"), " s"),
        Figure(show("median"), None, None, follower.get("median"), " s"),
    ]
