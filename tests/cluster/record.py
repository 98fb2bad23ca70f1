"""Records Applications of the real Argo CD, state by state, for the unit tests of health.

    PYTHONPATH=tests .venv/bin/python -m cluster.record FOLDER

Each file of FOLDER/applications is one Application as the API server showed it at one moment,
without `managedFields`, and with addresses and names of the run replaced; in FOLDER/workloads are
the Deployment, Pod and Rollout of such moments. Run it again after raising Argo CD's version.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from urllib3.exceptions import HTTPError

from cluster.handle import APPLICATION, ClusterHandle
from cluster.kube import Document
from cluster.plane import plane_handle, plane_options
from cluster.shop import Shop, has_health, is_live, open_shop
from manifests import make_template
from servers.sharing import await_ready, end, launch

ROLLOUT = ("argoproj.io/v1alpha1", "Rollout")

Question = Callable[[Document], Any]


class Watcher:
    """Keeps every version of every Application, in the order in which they came."""

    def __init__(self, cluster: ClusterHandle) -> None:
        self.seen: list[Document] = []
        self._cluster = cluster
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        path = f"/apis/{APPLICATION[0]}/namespaces/{self._cluster.namespace}/applications"
        answer = self._cluster.kube.stream(f"{path}?watch=true")
        rest = b""
        with suppress(HTTPError):  # the API server goes first
            for chunk in answer.stream(None):
                *lines, rest = (rest + chunk).split(b"\n")
                self.seen += [json.loads(line)["object"] for line in lines if line]

    def first(self, name: str, question: Question) -> Document:
        """Return the first version of an Application of which `question` is true."""
        found = (one for one in self.seen if one["metadata"]["name"] == name and question(one))
        answer = next(found, None)
        if answer is None:
            raise LookupError(f"no such state of {name} was seen")
        return answer


def main(folder: Path) -> None:
    """Play every story and write what was seen."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-record-")))
        place = work / "plane"
        place.mkdir()
        launch(place, os.getpid(), "cluster.plane", plane_options())
        stack.callback(end, place)
        cluster = plane_handle(await_ready(place), place)
        (work / "template").mkdir()
        template = make_template(work / "template")
        watcher = Watcher(cluster)
        for story in (deployments, failures, rollouts, families):
            (work / story.__name__).mkdir()
            with open_shop(
                cluster, template, work / story.__name__, rollout=story is rollouts
            ) as shop:
                for name, application in story(shop, watcher).items():
                    text = json.dumps(scrub(application, shop), indent=2, ensure_ascii=False)
                    of = "applications" if application["kind"] == "Application" else "workloads"
                    path = folder / of / f"{name}.json"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(f"{text}\n", encoding="utf-8")
                    print(path)


def deployments(shop: Shop, watcher: Watcher) -> dict[str, Document]:
    """From a new Application over a good release to a crash loop and back."""
    kept: dict[str, Document] = {}
    name = shop.follow("dev")
    head = shop.manifests.git("rev-parse", "main").strip()
    kept["healthy"] = shop.wait("dev", is_live(head))
    kept["new-without-status"] = watcher.first(name, lambda one: "status" not in one)
    kept["new-sync-unset"] = watcher.first(
        name, lambda one: "status" in one and not status(one, "sync", "status")
    )
    kept["first-sync-running"] = watcher.first(name, lambda one: phase(one) == "Running")
    good = shop.set_tag("dev", "1.5.0")
    shop.refresh("dev")
    kept["refresh-requested"] = watcher_or_live(
        shop, watcher, name, lambda one: "argocd.argoproj.io/refresh" in annotations(one)
    )
    kept["healthy-again"] = shop.wait("dev", is_live(good))
    kept["out-of-sync-at-new-revision"] = watcher_or_live(
        shop,
        watcher,
        name,
        lambda one: revision(one) == good and status(one, "sync", "status") == "OutOfSync",
    )
    # A rollout may be over before Argo CD looks, but never the very first one.
    kept["progressing"] = watcher_or_live(
        shop,
        watcher,
        name,
        lambda one: (
            status(one, "sync", "status") == "Synced"
            and status(one, "health", "status") == "Progressing"
        ),
    )
    bad = shop.set_tag("dev", "1.6.0-broken")
    shop.refresh("dev")
    kept["degraded-crash-loop"] = shop.wait("dev", has_health(bad, "Degraded"))
    kept["deployment-degraded"] = workload(shop, "apps/v1", "Deployment")
    (broken,) = (
        pod
        for pod in shop.cluster.kube.list("v1", "Pod", name)
        if "broken" in pod["spec"]["containers"][0]["image"]
    )
    kept["pod-crash-loop"] = {"apiVersion": "v1", "kind": "Pod", **broken}
    kept["progressing-crash-loop"] = watcher.first(name, has_health(bad, "Progressing"))
    back = shop.set_tag("dev", "1.5.0")
    shop.refresh("dev")
    shop.wait("dev", is_live(back))
    kept["degraded-inherited"] = watcher_or_live(
        shop,
        watcher,
        name,
        lambda one: revision(one) == back and status(one, "health", "status") == "Degraded",
    )
    kept["healthy-after-degraded"] = shop.application("dev")
    other = shop.set_tag("test", "9.9.9")
    shop.refresh("dev")
    kept["healthy-at-foreign-commit"] = shop.wait("dev", lambda one: revision(one) == other)
    shop.cluster.kube.patch(
        {"spec": {"replicas": 3}}, "apps/v1", "Deployment", "web", namespace=name
    )
    kept["self-healing"] = shop.wait("dev", lambda one: "web" in configured(one))
    return kept


def failures(shop: Shop, watcher: Watcher) -> dict[str, Document]:
    """What goes wrong before any pod is asked."""
    kept: dict[str, Document] = {}
    head = shop.manifests.git("rev-parse", "main").strip()
    shop.follow("dev")
    shop.wait("dev", is_live(head))
    shop.set_tag("dev", "1")
    shop.refresh("dev")
    kept["comparison-error"] = shop.wait("dev", has_condition("ComparisonError"))
    good = shop.set_tag("dev", "1.5.1")
    shop.refresh("dev")
    shop.wait("dev", is_live(good))

    with_namespace = {"syncOptions": ["CreateNamespace=true"]}
    shop.follow("dev", spec=shop.spec("dev", syncPolicy=with_namespace))
    manual = shop.set_tag("dev", "1.5.2")
    shop.refresh("dev")
    kept["out-of-sync-automation-off"] = shop.wait("dev", lambda one: revision(one) == manual)

    retry = {"limit": 2, "backoff": {"duration": "1s", "maxDuration": "3s"}}
    automated = {"automated": {"prune": True, "selfHeal": True}, "retry": retry}
    staging = shop.follow("stage", spec=shop.spec("stage", syncPolicy=automated))
    kept["sync-failed-no-namespace"] = shop.wait("stage", lambda one: phase(one) == "Failed")
    kept["sync-retrying"] = watcher.first(
        staging,
        lambda one: (
            one.get("status", {}).get("operationState", {}).get("retryCount", 0) > 0
            and phase(one) == "Running"
        ),
    )

    shop.follow("test", spec=shop.spec("test", syncPolicy={**with_namespace, **automated}))
    shop.wait("test", is_live(manual))
    text = shop.manifests.file("base/web.yaml").replace("replicas: 1", "replicas: some")
    path = {"base/web.yaml": text}
    shop.manifests.commit("A manifest that no API server takes", path)
    shop.refresh("test")
    kept["sync-failed-invalid-manifest"] = shop.wait(
        "test", lambda one: phase(one) in ("Failed", "Error") or has_condition("SyncError")(one)
    )

    source = shop.spec("prod")["source"] | {"path": "overlays/nowhere"}
    shop.follow("prod", spec=shop.spec("prod", source=source))
    kept["no-such-path"] = shop.wait("prod", has_condition("ComparisonError"))
    source = shop.spec("prod")["source"] | {"repoURL": shop.url.replace("manifests", "nothing")}
    shop.follow("prod", spec=shop.spec("prod", source=source))
    kept["no-such-repository"] = shop.wait(
        "prod", lambda one: "repository not found" in json.dumps(status(one, "conditions"))
    )
    return kept


def rollouts(shop: Shop, watcher: Watcher) -> dict[str, Document]:
    """A canary that waits at its step, is aborted, and is taken back."""
    kept: dict[str, Document] = {}
    head = shop.manifests.git("rev-parse", "main").strip()
    shop.follow("dev")
    kept["rollout-healthy"] = shop.wait("dev", is_live(head))
    kept["rollout-stable"] = workload(shop, *ROLLOUT)
    canary = shop.set_tag("dev", "1.7.0")
    shop.refresh("dev")
    kept["rollout-suspended"] = shop.wait("dev", has_health(canary, "Suspended"))
    kept["rollout-paused"] = workload(shop, *ROLLOUT)
    shop.abort_rollout("dev")
    kept["rollout-aborted"] = shop.wait("dev", has_health(canary, "Degraded"))
    kept["rollout-taken-back"] = workload(shop, *ROLLOUT)
    back = shop.set_tag("dev", "1.4.1")
    shop.refresh("dev")
    kept["rollout-healthy-after-abort"] = shop.wait("dev", is_live(back))
    return kept


def families(shop: Shop, watcher: Watcher) -> dict[str, Document]:
    """Applications with several sources, of an ApplicationSet, and two that share an object."""
    kept: dict[str, Document] = {}
    head = shop.manifests.git("rev-parse", "main").strip()
    spec = shop.spec("dev")
    source = spec.pop("source")
    values = {"repoURL": source["repoURL"], "targetRevision": "main", "ref": "values"}
    shop.follow("dev", spec={**spec, "sources": [source, values]})
    kept["multi-source"] = shop.wait("dev", is_live(head))

    made = shop.namespace("test")
    shop.cluster.kube.apply(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "ApplicationSet",
            "metadata": {"name": made, "namespace": shop.cluster.namespace},
            "spec": {
                "generators": [{"list": {"elements": [{"environment": "test"}]}}],
                "template": {"metadata": {"name": made}, "spec": shop.spec("test")},
            },
        }
    )
    kept["of-an-application-set"] = shop.wait("test", is_live(head))
    shop.cluster.kube.delete("argoproj.io/v1alpha1", "ApplicationSet", made, shop.cluster.namespace)

    shop.follow("stage")
    shop.wait("stage", is_live(head))
    twin = shop.follow("stage", name=f"{shop.namespace('stage')}-twin")
    kept["shared-resource"] = shop.wait("stage", has_condition("SharedResourceWarning"), name=twin)
    return kept


def workload(shop: Shop, api: str, kind: str) -> Document:
    """Return the workload `api` of dev as it is now."""
    found = shop.cluster.kube.get(api, kind, "api", shop.namespace("dev"))
    assert found is not None
    return found


def watcher_or_live(shop: Shop, watcher: Watcher, name: str, question: Question) -> Document:
    """Return a state that passes too fast to be asked for, once the watch has brought it."""

    def look() -> Document | None:
        try:
            return watcher.first(name, question)
        except LookupError:
            return None

    found = shop.cluster.wait_for(look)
    assert found is not None
    return found


def status(application: Document, *path: str) -> Any:
    """Return a value below `status`, None where there is none."""
    found: Any = application.get("status", {})
    for name in path:
        found = found.get(name, {})
    return found or None


def revision(application: Document) -> Any:
    """Return what the Application was compared with."""
    return status(application, "sync", "revision")


def phase(application: Document) -> Any:
    """Return the phase of the last operation."""
    return status(application, "operationState", "phase")


def configured(application: Document) -> list[str]:
    """Return the names of what the last operation changed."""
    found = status(application, "operationState", "syncResult", "resources") or ()
    return [one["name"] for one in found if one.get("message", "").endswith(" configured")]


def annotations(application: Document) -> Document:
    """Return the annotations."""
    return application["metadata"].get("annotations", {})


def has_condition(kind: str) -> Question:
    """Ask an Application for a condition of this type."""
    return lambda one: any(
        condition["type"] == kind for condition in one.get("status", {}).get("conditions", ())
    )


def scrub(application: Document, shop: Shop) -> Document:
    """Return an Application without what belongs to this run alone."""
    kept = json.loads(json.dumps(application))
    kept["metadata"].pop("managedFields", None)
    text = json.dumps(kept, ensure_ascii=False)
    text = text.replace(shop.url, "https://git.example.com/shop/manifests.git")
    text = text.replace(shop.url.replace("manifests", "nothing"), "https://git.example.com/nothing")
    text = text.replace(shop.namespace("x").removesuffix("-x"), "shop")
    text = re.sub(r"/tmp/[\w./-]*?(?=/overlays|/base|\b[\"' ])", "/tmp/checkout", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "argocd.example.com", text)
    numbers: dict[str, str] = {}

    def uid(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"00000000-0000-4000-8000-{len(numbers):012d}")

    text = re.sub(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", uid, text)
    scrubbed: Document = json.loads(text)
    return scrubbed


if __name__ == "__main__":
    main(Path(sys.argv[1]))
