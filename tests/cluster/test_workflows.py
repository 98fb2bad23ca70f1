"""`gitops workflow` with the real controller of Argo Workflows and the real Argo CD.

Containers run as processes of this machine (`workflow_kubelet.py`); the build is a stand-in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.gitops import Gitops
from cluster.shop import Shop
from cluster.workflow_plane import WorkflowPlane, open_workflow_plane
from manifests import Result

COMMIT = "5f2c9ab15f2c9ab15f2c9ab15f2c9ab15f2c9ab1"
PROD = (
    "  - {name: prod, overlay: overlays/prod, accepts: [main], deploy: manual, "
    "change: pull-request, after: [dev], database: real, wait: {soak: 0s}}\n"
)


@pytest.fixture
def plane(shop: Shop, tmp_path: Path) -> Iterator[WorkflowPlane]:
    """A controller for a namespace of the test, with BuildKit as a stand-in."""
    stand_ins = tmp_path / "stand-ins"
    stand_ins.mkdir()
    build = stand_ins / "buildctl-daemonless.sh"
    build.write_text('#!/bin/sh\necho "built $REGISTRY:$TAG from $SOURCE#$COMMIT"\n')
    build.chmod(0o755)
    with open_workflow_plane(shop.cluster, tmp_path, stand_ins) as opened:
        yield opened


class Team:
    """A team with its workflows in the cluster."""

    def __init__(self, shop: Shop, plane: WorkflowPlane, folder: Path) -> None:
        self.gitops = Gitops(shop)
        self.gitops.environ["GITOPS_WORKFLOWS_NAMESPACE"] = plane.namespace
        self.plane = plane
        made = self.gitops(
            *("workflow", "init", str(folder), "--image", "gitops:1", "--repo-url", shop.url)
        )
        assert 0 == made.code, made.err
        for path in sorted(folder.glob("*.yaml")):
            plane.apply([one for one in yaml.safe_load_all(path.read_bytes()) if one])
        author = {"GITOPS_AUTHOR": "Workflow <workflow@example.com>"}
        secret = {"kind": "Secret", "metadata": {"name": "gitops", "namespace": plane.namespace}}
        plane.apply([{"apiVersion": "v1", **secret, "stringData": author}])

    def __call__(self, *words: str) -> Result:
        """Run `gitops workflow …`."""
        return self.gitops("workflow", *words)

    def phase(self, name: str) -> str:
        """Return the phase of a workflow."""
        found = json.loads(self("list", "-o", "json").out)["workflows"]
        return str(next(one["phase"] for one in found if one["name"] == name))


def configure(shop: Shop) -> None:
    """Let prod follow dev, by approval."""
    text = shop.manifests.file("gitops.yaml")
    before, _, rest = text.partition("  - name: prod\n")
    _, _, after = rest.partition("    # branch: production")
    after = after.partition("\n")[2]
    shop.manifests.commit("Approve prod after dev", {"gitops.yaml": before + PROD + after})


def test_a_commit_goes_to_prod(shop: Shop, plane: WorkflowPlane, tmp_path: Path) -> None:
    """A commit is built, tested, deployed and Healthy in dev; promoted to prod it waits for its
    approval, refuses to go on before that, and is Healthy there afterwards."""
    configure(shop)
    team = Team(shop, plane, tmp_path / "workflows")
    for environment in ("dev", "test", "prod"):
        shop.follow(environment)
    source = {
        "source": "https://git.example.com/shop/api.git",
        "ref": "main",
        "commit": COMMIT,
        "image": "shop/api",
        "registry": "registry.example.com/shop/api",
        "test": 'test -n "$TEST" && echo "tests passed"',
    }
    words = [word for name, value in source.items() for word in ("-p", f"{name}={value}")]

    released = team("run", "gitops-release", *words, "--wait", "--logs", "--timeout", "90s")
    assert 0 == released.code, released.out + released.err
    dev = shop.live_image("dev")
    promoted = team("run", "gitops-promote", "-p", "environment=prod", "-o", "json")
    name = json.loads(promoted.out)["workflow"]["name"]
    waiting = _until(team, name, "approval")
    early = team("resume", name)
    approved = team.gitops("approve", "prod", "--yes", env={"GITOPS_AUTHOR": "Ana <a@example.com>"})
    resumed = team("resume", name)
    followed = team("watch", name, "--timeout", "90s")

    tag = f"main-{COMMIT[:7]}"
    assert f"  | built registry.example.com/shop/api:{tag} from" in released.out
    assert "  | tests passed" in released.out
    assert dev == f"shop/api:{tag}"
    assert waiting, promoted.out + promoted.err
    assert 1 == early.code, early.out
    assert "its proposal waits" in early.err
    assert "gitops approve prod" in early.err
    assert 0 == approved.code, approved.err
    assert 0 == resumed.code, resumed.err
    assert 0 == followed.code, followed.out + followed.err
    assert f"shop/api:{tag}" == shop.live_image("prod")
    assert "Succeeded" == team.phase(name)


def _until(team: Team, name: str, step: str) -> bool:
    """Wait until a step of a workflow waits for somebody."""

    def waits() -> bool:
        found = json.loads(team("list", "-o", "json").out)["workflows"]
        run = next(one for one in found if one["name"] == name)
        assert run["phase"] not in ("Failed", "Error"), run
        return step in run["waiting"]

    team.plane.cluster.wait_for(waits)
    return True


TEMPLATE: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "WorkflowTemplate",
    "metadata": {"name": "chain"},
    "spec": {
        "entrypoint": "main",
        "serviceAccountName": "gitops",
        "arguments": {"parameters": [{"name": "flag", "value": ""}]},
        "templates": [
            {
                "name": "main",
                "steps": [
                    [{"name": "first", "template": "say"}],
                    [{"name": "gate", "template": "gate"}],
                    [{"name": "second", "template": "try"}],
                ],
            },
            {
                "name": "gate",
                "suspend": {},
                "outputs": {
                    "parameters": [
                        {"name": "who", "valueFrom": {"supplied": {}, "default": "nobody"}}
                    ]
                },
            },
            {
                "name": "say",
                "container": {"image": "x:1", "command": ["sh", "-c"], "args": ["echo hello"]},
            },
            {
                "name": "try",
                "container": {
                    "image": "x:1",
                    "command": ["sh", "-ec"],
                    "args": ['echo looking; test -e "$FLAG"'],
                    "env": [{"name": "FLAG", "value": "{{workflow.parameters.flag}}"}],
                },
            },
        ],
    },
}


def test_stop_refuse_retry(shop: Shop, plane: WorkflowPlane, tmp_path: Path) -> None:
    """A failed step shows its log and ends 1; retried it runs again alone; refused and stopped
    workflows fail; a suspended step gets the outputs that it asks for, defaults too."""
    team = Team(shop, plane, tmp_path / "workflows")
    TEMPLATE["metadata"]["namespace"] = plane.namespace
    plane.apply([TEMPLATE])
    flag = tmp_path / "flag"

    def begin() -> str:
        ran = team("run", "chain", "-p", f"flag={flag}", "-o", "json")
        assert 0 == ran.code, ran.err
        name = str(json.loads(ran.out)["workflow"]["name"])
        assert _until(team, name, "gate")
        return name

    name = begin()
    assert 0 == team("resume", name).code
    failed = team("watch", name, "--timeout", "30s")
    flag.touch()
    retried = team("retry", name)
    again = team("watch", name, "--timeout", "30s")
    refused = begin()
    assert 0 == team("resume", refused, "--refuse", "not tonight").code
    end = team("watch", refused, "--timeout", "30s")
    stopped = begin()
    asked = team("stop", stopped)
    after = team("watch", stopped, "--timeout", "30s", "-o", "json")

    assert 1 == failed.code, failed.out
    assert "  | looking" in failed.out
    assert "✗ second failed" in failed.out
    assert "  | hello" not in failed.out
    assert 0 == retried.code, retried.err
    assert "second" in retried.out
    assert 0 == again.code, again.out + again.err
    assert 1 == end.code
    assert "not tonight" in end.out + end.err
    assert f"{stopped} stopping" in asked.out
    assert (1, "unhealthy") == (after.code, after.json["error"]["code"])
