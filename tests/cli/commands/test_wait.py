"""`gitops wait`, `--wait`, `watch` and `status` as subprocesses, before a loopback API server."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from applications import an_application
from fake_cluster import Plane
from gitops.core.argocd.application import NOTICE
from gitops.core.kustomization import image_values
from manifests import Manifests, Result
from servers.kube_api import TOKEN, ArgoStub, KubeStub, kubeconfig

LEDGER = "gitops/ledger"


def ago(seconds: float) -> str:
    """Return a time so many seconds ago."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Cluster:
    """A control plane that follows the bare repository, an API server before it, and gitops.

    A refresh brings an Application to the newest commit at once; a tag with `broken` in it is
    Degraded there, any other is Healthy. Both have been so for some seconds, so that no test waits.
    """

    manifests: Manifests
    plane: Plane
    stub: KubeStub
    environ: dict[str, str]
    folders: dict[str, str] = field(default_factory=dict)

    def gitops(self, *arguments: str, env: Mapping[str, str] | None = None) -> Result:
        """Run gitops with the kubeconfig."""
        return self.manifests.gitops(*arguments, env={**self.environ, **(env or {})})

    def sync(self, name: str, folder: str = "") -> None:
        """Bring an Application, which may be a new one for `folder`, to the newest commit."""
        if folder:
            self.folders[name] = folder
        folder = self.folders.get(name) or f"overlays/{name.removeprefix('shop-')}"
        path = f"{folder}/kustomization.yaml"
        values = image_values(self.manifests.file(path).encode(), path)
        images = tuple(f"{image}:{value.tag}" for image, value in values.items())
        head = self.manifests.git("rev-parse", "main").strip()
        broken = any("broken" in image for image in images)
        told = an_application(
            name,
            url=f"file://{self.manifests.path}",
            path=folder,
            revision=head,
            images=images,
            health="Degraded" if broken else "Healthy",
            annotations=self.plane.annotations(name) if self.has(name) else {},
            operation={
                "phase": "Succeeded",
                "startedAt": ago(12),
                "finishedAt": ago(11),
                "syncResult": {"revision": head},
            },
            status={"reconciledAt": ago(0), "resources": [DEPLOYMENT]},
        )
        told["status"]["health"]["lastTransitionTime"] = ago(10)
        self.plane.put(told)

    def has(self, name: str) -> bool:
        """Is there an Application of this name?"""
        return ("argocd", name) in self.plane.applications

    def ledger(self, environment: str = "dev") -> list[dict[str, Any]]:
        """Return the lines of the ledger."""
        text = self.manifests.file(f"{environment}.jsonl", LEDGER)
        return [json.loads(line) for line in text.splitlines()]


DEPLOYMENT = {
    "group": "apps",
    "version": "v1",
    "kind": "Deployment",
    "namespace": "shop-dev",
    "name": "api",
}


@pytest.fixture
def cluster(manifests: Manifests, tmp_path: Path) -> Iterator[Cluster]:
    """dev, test and stage follow the repository, and run what it asks for."""
    plane = Plane()
    with KubeStub(plane) as stub:
        config = tmp_path / "kubeconfig"
        config.write_text(kubeconfig(stub.url))
        made = Cluster(manifests, plane, stub, {"KUBECONFIG": str(config)})
        plane.on_refresh = made.sync
        for name in ("dev", "test", "stage"):
            made.sync(f"shop-{name}")
        yield made


def test_deploy_and_wait(cluster: Cluster) -> None:
    """`deploy --wait` ends when the release is live, with both answers in one document."""
    result = cluster.gitops("deploy", "shop/api:1.5.0", "--to", "dev", "--wait", "-o", "json")

    assert 0 == result.code, result.err
    document = result.json
    assert ("deploy", "committed") == (document["action"], document["outcome"])
    (waited,) = document["wait"]
    assert ("dev", "healthy", document["commit"], "stable") == tuple(
        waited[key] for key in ("environment", "verdict", "commit", "recorded")
    )
    (application,) = waited["applications"]
    assert ("shop-dev", "Synced", "Healthy", document["commit"]) == tuple(
        application[key] for key in ("name", "sync", "health", "revision")
    )
    (line,) = cluster.ledger()
    assert (document["commit"], "stable", True) == (
        line["commit"],
        line["verdict"],
        line["machine"],
    )


def test_a_bad_release_and_back(cluster: Cluster) -> None:
    """A bad release is exit 1 with what is wrong; `rollback --wait` leads back to Healthy."""
    cluster.gitops("wait", "dev")
    condition = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": "timed out",
    }
    cluster.plane.add(
        "Deployment",
        {
            "metadata": {"name": "api", "namespace": "shop-dev"},
            "spec": {"selector": {"matchLabels": {"app": "api"}}},
            "status": {"conditions": [condition]},
        },
    )

    bad = cluster.gitops("deploy", "shop/api:1.5.0-broken", "--to", "dev", "--wait")
    back = cluster.gitops("rollback", "dev", "--reason", "INC-42", "--wait", "-o", "json")
    again = cluster.gitops("deploy", "shop/api:1.6.0", "--ref", "main", "-o", "json")
    resumed = cluster.gitops("resume", "dev")

    assert 1 == bad.code
    assert "Deployment api: ProgressDeadlineExceeded, timed out" in bad.err
    assert "gitops rollback dev" in bad.err
    assert (0, "healthy") == (back.code, back.json["wait"][0]["verdict"])
    assert ["stable", "degraded", "stable"] == [line["verdict"] for line in cluster.ledger()]
    assert "dev" in [entry["environment"] for entry in again.json["skipped"]]
    assert 0 == resumed.code, resumed.err
    assert NOTICE not in cluster.plane.annotations("shop-dev")


def test_unhealthy_json(cluster: Cluster) -> None:
    """With JSON the document has the verdict and the error."""
    cluster.gitops("deploy", "shop/api:1.5.0-broken", "--to", "dev")

    result = cluster.gitops("wait", "dev", "-o", "json")

    assert (1, "degraded", "degraded", "unhealthy") == (
        result.code,
        result.json["verdict"],
        result.json["recorded"],
        result.json["error"]["code"],
    )


def test_all_apps(cluster: Cluster) -> None:
    """Where each app has overlays of its own, one document has all of them, and the worst error."""
    manifests = cluster.manifests
    config = manifests.file("gitops.yaml").replace(
        "overlay: overlays/test,", 'overlay: "apps/{app}/test",'
    )
    text = manifests.file("overlays/test/kustomization.yaml")
    files: dict[str, str | None] = {"gitops.yaml": config, "apps/a/test/kustomization.yaml": text}
    files["apps/b/test/kustomization.yaml"] = text.replace("newTag: ", "newTag: broken-")
    manifests.commit("Split into apps", files)
    for app in ("a", "b"):
        cluster.sync(f"shop-{app}", f"apps/{app}/test")

    every = cluster.gitops("wait", "test", "--no-record", "-o", "json")
    words = cluster.gitops("wait", "test", "--no-record")
    one = cluster.gitops("wait", "test", "--app", "a", "--no-record", "-o", "json")

    assert 1 == every.code, every.err
    assert [("a", "healthy"), ("b", "degraded")] == [
        (entry["app"], entry["verdict"]) for entry in every.json["wait"]
    ]
    assert "unhealthy" == every.json["error"]["code"]
    assert (1, True) == (words.code, words.out.startswith("a/test at "))
    assert (0, "healthy") == (one.code, one.json["verdict"])


def test_lines_for_each_change(cluster: Cluster) -> None:
    """Where no terminal is, each change is a line on standard error; the answer is on the other."""
    result = cluster.gitops("wait", "dev")

    assert 0 == result.code, result.err
    head, recorded = result.out.splitlines()
    assert head.startswith("dev at ")
    assert "the ledger says stable" == recorded
    assert [line for line in result.err.splitlines() if "shop-dev: Synced/Healthy" in line]


def test_on_a_terminal(cluster: Cluster) -> None:
    """On a terminal the lines are written over, and taken away at the end."""
    read, write = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "gitops", "wait", "dev", "--no-record"],
        cwd=cluster.manifests.elsewhere,
        env={
            **os.environ,
            **cluster.environ,
            "TERM": "xterm",
            "GITOPS_REPO": str(cluster.manifests.path),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=write,
        check=False,
    )
    os.close(write)
    shown = os.read(read, 1 << 16).decode()

    assert 0 == done.returncode
    assert "shop-dev: Synced/Healthy" in shown
    assert "\x1b[1A\x1b[J" in shown
    assert shown.rstrip().endswith("\x1b[J")


def test_no_record(cluster: Cluster) -> None:
    """`--no-record` writes nothing."""
    result = cluster.gitops("wait", "dev", "--no-record", "-o", "json")

    assert (0, None) == (result.code, result.json["recorded"])
    assert LEDGER not in cluster.manifests.git("branch", "--list", LEDGER)


def test_for_a_tag(cluster: Cluster) -> None:
    """`--for ENV=TAG` waits for a tag, and gives up when nobody asks for it."""
    tag = image_values(cluster.manifests.file("overlays/dev/kustomization.yaml").encode(), "dev")[
        "shop/api"
    ].tag

    there = cluster.gitops("wait", "--for", f"dev={tag}", "--no-record")
    named = cluster.gitops("wait", "--for", f"dev=shop/api:{tag}", "--no-record")
    never = cluster.gitops("wait", "--for", "dev=9.9", "--timeout", "1s", "-o", "json")

    assert (0, 0) == (there.code, named.code)
    assert (75, "timed-out") == (never.code, never.json["error"]["code"])


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--for", "dev"),
        ("--for", "=1"),
        ("--for", "dev="),
        ("--for", "dev=:1"),
        ("dev", "--for", "dev=1"),
        ("dev", "--soak", "x"),
    ],
)
def test_usage(cluster: Cluster, arguments: tuple[str, ...]) -> None:
    """What makes no sense is exit 2, before anybody is asked."""
    assert 2 == cluster.gitops("wait", *arguments).code
    assert [] == cluster.stub.requests


def test_soak_needs_wait(cluster: Cluster) -> None:
    """`--soak` and `--timeout` of a write go with `--wait`."""
    result = cluster.gitops("deploy", "shop/api:1", "--to", "dev", "--soak", "5m")

    assert (2, "--wait" in result.err) == (result.code, True)


def test_unchanged_is_waited_for(cluster: Cluster) -> None:
    """A job that is run again waits for what it wrote the first time."""
    first = cluster.gitops("deploy", "shop/api:1.5.0", "--to", "dev", "-o", "json")
    again = cluster.gitops(
        "deploy", "shop/api:1.5.0", "--to", "dev", "--wait", "--no-record", "-o", "json"
    )

    assert "unchanged" == again.json["outcome"]
    assert first.json["commit"] == again.json["wait"][0]["commit"]


def test_proposals_are_not_waited_for(cluster: Cluster) -> None:
    """What waits for approval is not live, so nobody waits for it."""
    result = cluster.gitops(
        *("deploy", "shop/api:1.5.0", "--to", "prod", "--override", "test"),
        *("--wait", "-o", "json"),
    )

    assert (0, "proposed", []) == (result.code, result.json["outcome"], result.json["wait"])


def test_missing_rights(cluster: Cluster) -> None:
    """A credential that is refused is exit 3, and shows no token."""
    cluster.stub.behaviour.token = "another"

    result = cluster.gitops("wait", "dev", "-o", "json")

    assert (3, "denied") == (result.code, result.json["error"]["code"])
    assert TOKEN not in result.out + result.err


@pytest.mark.parametrize(
    ("broken", "code", "word"),
    [
        ("unavailable", 75, "unavailable"),
        ("rights", 3, "denied"),
        ("context", 3, "not-found"),
        ("application", 3, "not-found"),
    ],
)
@pytest.mark.parametrize(
    "verb",
    [
        ("deploy", "shop/api:1.5.0", "--to", "dev"),
        ("promote", "--to", "test", "--from", "dev", "--override", "x"),
        ("rollback", "dev", "--yes", "--to", "previous"),
    ],
    ids=lambda verb: verb[0],
)
def test_what_cannot_be_waited_for_is_not_written(
    cluster: Cluster, verb: tuple[str, ...], broken: str, code: int, word: str
) -> None:
    """No cluster, no rights, no context, no Application: the branch stays, and it is said."""
    assert cluster.gitops("deploy", "shop/api:1.4.9", "--to", "dev").code == 0
    env: dict[str, str] = {}
    if broken == "unavailable":
        cluster.stub.behaviour.status = 503
    elif broken == "rights":
        cluster.stub.behaviour.token = "another"
    elif broken == "context":
        env["KUBECONFIG"] = "/nonexistent/config"
    else:
        for name in ("shop-dev", "shop-test"):
            cluster.plane.applications.pop(("argocd", name), None)
    before = cluster.manifests.git("rev-parse", "main")

    result = cluster.gitops(*verb, "--wait", "-o", "json", env=env)

    assert (code, word) == (result.code, result.json["error"]["code"]), result.err
    assert before == cluster.manifests.git("rev-parse", "main")
    assert "nothing was written" in result.json["error"]["message"]
    assert "leave out --wait" in result.json["error"]["hint"]


def test_watch_once(cluster: Cluster) -> None:
    """`watch --once` writes what is due for each environment, and says 75 for what is missing."""
    result = cluster.gitops("watch", "dev", "test", "--once", "-o", "json")
    events = [json.loads(line) for line in result.out.splitlines()]
    missing = cluster.gitops("watch", "prod", "--once")

    assert 0 == result.code, result.err
    assert {("dev", "stable"), ("test", "stable")} == {
        (event["environment"], event["verdict"]) for event in events if event["verdict"]
    }
    assert ["stable"] == [line["verdict"] for line in cluster.ledger()]
    assert 75 == missing.code
    assert "prod: no Application follows it" in missing.out


def test_watch_is_stopped(cluster: Cluster) -> None:
    """A watcher that gets SIGTERM ends with the code of an interruption."""
    child = subprocess.Popen(
        [sys.executable, "-u", "-m", "gitops", "watch", "dev"],
        cwd=cluster.manifests.elsewhere,
        env={**os.environ, **cluster.environ, "GITOPS_REPO": str(cluster.manifests.path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert "dev" in child.stdout.readline()
    child.terminate()

    assert 130 == child.wait(30)
    child.communicate()


def test_status(cluster: Cluster) -> None:
    """`status` shows what is live, since when, and drift, for people and for programs."""
    cluster.gitops("wait", "dev")
    told = cluster.plane.get("shop-test")
    told["status"]["summary"]["images"].append("shop/api:hotfix")
    cluster.plane.put(told)
    cluster.gitops("deploy", "shop/api:1.5.0", "--to", "dev")

    document = cluster.gitops("status", "-o", "json").json
    text = cluster.gitops("status").out

    rows = {row["name"]: row for row in document["environments"]}
    assert ("shop-dev", "unseen", "Healthy") == tuple(
        rows["dev"]["application"][key] for key in ("name", "state", "health")
    )
    assert rows["dev"]["application"]["release"] != rows["dev"]["commit"]
    assert ["shop/api:hotfix"] == rows["test"]["applications"][0]["drift"]
    assert None is rows["prod"]["application"]
    assert "shop-dev: Synced, Healthy since" in text
    assert "live is" in text
    assert "runs what Git does not ask for: shop/api:hotfix" in text


def test_status_without_a_cluster(cluster: Cluster) -> None:
    """A cluster that is away is a line where it was named, and nothing where it was not."""
    cluster.stub.behaviour.status = 503
    plain = cluster.gitops("status")
    content = cluster.manifests.file("gitops.yaml")
    cluster.manifests.commit(
        "clusters",
        {"gitops.yaml": content + "clusters:\n  - {environments: [dev], context: stub}\n"},
    )
    named = cluster.gitops("status", "-o", "json")

    assert (0, 0) == (plain.code, named.code)
    assert "stub answers 503" in json.dumps(named.json)
    rows = {row["name"]: row for row in named.json["environments"]}
    assert "stub answers 503: status 503" == rows["dev"]["cluster"]["problem"]
    assert None is rows["test"]["cluster"]


def test_an_argo_cd_server_in_place_of_clusters(cluster: Cluster) -> None:
    """With ARGOCD_SERVER and a token Argo CD's own API is asked, and no kubeconfig is needed."""
    with ArgoStub(cluster.plane) as server:
        environ = {"ARGOCD_SERVER": server.url, "ARGOCD_AUTH_TOKEN": TOKEN, "KUBECONFIG": "/none"}
        result = cluster.gitops("wait", "dev", "-o", "json", env=environ)
        without = cluster.gitops("wait", "dev", env={**environ, "ARGOCD_AUTH_TOKEN": ""})

    assert (0, "healthy") == (result.code, result.json["verdict"]), result.err
    assert [] == cluster.stub.requests
    assert (3, True) == (without.code, "ARGOCD_AUTH_TOKEN" in without.err)


def test_another_name_of_the_repository(cluster: Cluster) -> None:
    """What Argo CD calls this repository can be said."""
    told = cluster.plane.get("shop-dev")
    told["spec"]["source"]["repoURL"] = "http://gitea.gitea.svc:3000/shop/manifests.git"
    cluster.plane.put(told)
    cluster.plane.on_refresh = lambda _: None

    lost = cluster.gitops("wait", "dev", "--no-record")
    found = cluster.gitops(
        *("wait", "dev", "--no-record"),
        env={"GITOPS_ARGOCD_REPO": "http://gitea.gitea.svc:3000/shop/manifests"},
    )

    assert (3, True) == (lost.code, "GITOPS_ARGOCD_REPO" in lost.err)
    assert 0 == found.code, found.err


def test_a_degraded_release_goes_back_by_itself(cluster: Cluster) -> None:
    """`deploy --wait --rollback` restores the stable release, holds, and exits with unhealthy."""
    good = cluster.gitops("deploy", "shop/api:1.5.0", "--to", "dev", "--wait", "-o", "json")
    bad = cluster.gitops(
        *("deploy", "shop/api:1.6.0-broken", "--to", "dev", "--wait", "--rollback", "-o", "json")
    )

    assert (0, 1, "unhealthy") == (good.code, bad.code, bad.json["error"]["code"]), bad.err
    (wait,) = bad.json["wait"]
    head = cluster.manifests.git("rev-parse", "main").strip()
    assert ("committed", head) == (wait["rollback"]["outcome"], wait["rollback"]["commit"])
    assert f"rolled back by {head[:7]}" in bad.json["error"]["message"]
    assert "newTag: 1.5.0" in cluster.manifests.file("overlays/dev/kustomization.yaml")
    assert "Degraded" in cluster.manifests.file(".gitops/holds/dev.yaml")
    assert "gitops undo dev" in bad.json["error"]["hint"]


@pytest.mark.parametrize(
    "case", ["no stable one", "timed out", "refused", "not asked for", "breaking"]
)
def test_it_does_not_go_back(cluster: Cluster, case: str) -> None:
    """Not without a stable release, not across a breaking change of the database's schema, and not
    for what is refused, too slow or not asked for."""
    words = ["deploy", "shop/api:1.6.0-broken", "--to", "dev", "--wait", "--rollback"]
    if case == "timed out":
        words = ["deploy", "shop/api:1.6.0", "--to", "dev", "--wait", "--rollback"]
        words += ["--timeout", "1"]
        cluster.plane.on_refresh = lambda _: None
    elif case == "refused":
        assert cluster.gitops("hold", "dev", "--reason", "x").code == 0
    elif case == "breaking":
        words += ["--schema", "breaking"]
    if case in ("refused", "not asked for", "breaking"):
        done = cluster.gitops("deploy", "shop/api:1.5.0", "--to", "dev", "--wait")
        assert done.code == (1 if case == "refused" else 0)
    if case == "not asked for":
        words.remove("--rollback")
    result = cluster.gitops(*words, "-o", "json")

    expected = {"timed out": (75, "timed-out"), "refused": (1, "refused")}
    told = (result.code, result.json["error"]["code"])
    assert expected.get(case, (1, "unhealthy")) == told, result.err
    subjects = cluster.manifests.git("log", "--format=%s", "main")
    assert "roll back" not in subjects
    if case == "no stable one":
        assert any("seen stable" in one for one in result.json["error"]["reasons"])
    if case == "breaking":
        assert any("crosses a breaking" in one for one in result.json["error"]["reasons"])


def test_rollback_goes_with_wait(cluster: Cluster) -> None:
    """What was not waited for is not taken back."""
    result = cluster.gitops("deploy", "shop/api:1", "--to", "dev", "--rollback")

    assert (2, "--rollback goes with --wait" in result.err) == (result.code, True)
