"""The sample's manifest repository on a Git server, with Argo CD following its overlays."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from cluster.handle import APPLICATION, ClusterHandle
from cluster.kube import Document
from manifests import Manifests, copy_template
from servers.git_http import GitServer

ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: api
spec:
  replicas: 2
  progressDeadlineSeconds: 5
  selector:
    matchLabels: {app.kubernetes.io/name: api}
  template:
    metadata:
      labels: {app.kubernetes.io/name: api}
    spec:
      containers:
        - name: api
          image: shop/api
          resources:  # without them the controller writes `resources: {}`: a drift for ever
            requests: {cpu: 10m}
  strategy:
    canary:
      steps:
        - setWeight: 50
        - pause: {}
"""

_PATIENCE = "  progressDeadlineSeconds: %d # a bad tag shows soon"


class Shop:
    """A repository of the test's own, and Applications in namespaces of its own.

    Attributes:
        manifests: the bare repository, a checkout, and gitops beside them.
        url: of the repository, for people and for Argo CD.
        server: the Git server, which can be told to misbehave.
        patience: seconds after which a workload that does not get ready is Degraded.
    """

    def __init__(self, cluster: ClusterHandle, manifests: Manifests, server: GitServer) -> None:
        self.cluster = cluster
        self.manifests = manifests
        self.server = server
        self.url = f"{server.url}/{manifests.path.name}"
        # Where kubelets are real, a good pod may need more than the five seconds of a played one.
        self.patience = 5 if "any-image" in cluster.capabilities else 60
        self._id = uuid.uuid4().hex[:8]
        self._names: set[str] = set()
        self._applications: set[str] = set()

    def namespace(self, environment: str) -> str:
        """Return the namespace of an environment, which is also its Application's name."""
        name = f"shop-{self._id}-{environment}"
        self._names.add(name)
        return name

    def prepare(self, *, rollout: bool = False) -> str:
        """Give the overlays namespaces of their own and Deployments a short patience; commit."""
        files: dict[str, str | None] = {}
        for path in self.manifests.checkout.glob("overlays/*/kustomization.yaml"):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            mine = f"namespace: {self.namespace(path.parent.name)}\n"
            changed = [mine if line.startswith("namespace:") else line for line in lines]
            files[str(path.relative_to(self.manifests.checkout))] = "".join(changed)
        for name in ("api", "web"):
            text = self.manifests.file(f"base/{name}.yaml")
            files[f"base/{name}.yaml"] = with_patience(text, self.patience)
        if rollout:
            patience = f"Seconds: {self.patience}\n"
            files["base/api.yaml"] = ROLLOUT.replace("Seconds: 5\n", patience)
        return self.manifests.commit("Shop of a test", files)

    def register(self) -> None:
        """Tell Argo CD that the URL is a Git repository, as `argocd repo add` does.

        One that it was not told of has no type, and for it Argo CD 3.4.2 answers "no changes"
        wherever `manifest-generate-paths` is asked (reposerver, UpdateRevisionForPaths): every sync
        then counts as self-heal, and comes later each time.
        """
        self.cluster.kube.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": self.namespace("repository"),
                    "namespace": self.cluster.namespace,
                    "labels": {"argocd.argoproj.io/secret-type": "repository"},
                },
                "stringData": {"type": "git", "url": self.url},
            }
        )

    def spec(self, environment: str, **changes: Any) -> Document:
        """Return the spec of the Application that `gitops init` would write."""
        return {
            "project": "default",
            "source": {
                "repoURL": self.url,
                "targetRevision": "main",
                "path": f"overlays/{environment}",
            },
            "destination": {
                "server": "https://kubernetes.default.svc",
                "namespace": self.namespace(environment),
            },
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "retry": {"limit": 5, "refresh": True},
                "syncOptions": ["CreateNamespace=true"],
            },
            **changes,
        }

    def follow(
        self, environment: str, *, name: str | None = None, spec: Document | None = None
    ) -> str:
        """Make an Application for an overlay; return its name."""
        called = name or self.namespace(environment)
        self._applications.add(called)
        if "any-image" not in self.cluster.capabilities:
            self._feed_kubelets(environment)
        self.cluster.kube.apply(
            {
                "apiVersion": APPLICATION[0],
                "kind": APPLICATION[1],
                "metadata": {
                    "name": called,
                    "namespace": self.cluster.namespace,
                    "annotations": {"argocd.argoproj.io/manifest-generate-paths": ".;../../base"},
                },
                "spec": spec or self.spec(environment),
            }
        )
        return called

    def _feed_kubelets(self, environment: str) -> None:
        """Give real kubelets the images of an overlay, and the Secret that is not in Git."""
        text = self.manifests.file(f"overlays/{environment}/kustomization.yaml")
        for image in yaml.safe_load(text)["images"]:
            self.cluster.load_image(f"{image['name']}:{image['newTag']}")
        namespace = self.namespace(environment)
        secret = "shop-database" if environment in ("stage", "prod") else "dummy-database"
        data = {"DATABASE_USER": "shop", "DATABASE_PASSWORD": uuid.uuid4().hex}
        for document in (
            {"kind": "Namespace", "metadata": {"name": namespace}},
            {
                "kind": "Secret",
                "metadata": {"name": secret, "namespace": namespace},
                "stringData": data,
            },
        ):
            self.cluster.kube.apply({"apiVersion": "v1", **document})

    def set_tag(self, environment: str, tag: str, *, image: str = "shop/api") -> str:
        """Commit a new tag for an overlay, as CI would, and push; return the commit."""
        path = f"overlays/{environment}/kustomization.yaml"
        self.cluster.load_image(f"{image}:{tag}")
        text = self.manifests.file(path).splitlines(keepends=True)
        at = next(index for index, line in enumerate(text) if f"name: {image}" in line)
        indent = text[at].index("name:")
        text[at + 1] = " " * indent + f"newTag: {tag}\n"
        return self.manifests.commit(f"{environment}: {image} {tag}", {path: "".join(text)})

    def refresh(self, environment: str) -> None:
        """Make Argo CD look at Git now for an environment."""
        self.cluster.refresh(self.namespace(environment))

    def application(self, environment: str) -> Document:
        """Return the Application of an environment."""
        found = self.cluster.application(self.namespace(environment))
        assert found is not None
        return found

    def wait(
        self,
        environment: str,
        question: Callable[[Document], Any],
        *,
        name: str | None = None,
        seconds: float = 60,
    ) -> Document:
        """Return the Application as soon as `question` of it has a true answer."""
        called = name or self.namespace(environment)
        last: Document | None = None

        def look() -> Document | None:
            nonlocal last
            last = self.cluster.application(called)
            return last if last is not None and question(last) else None

        try:
            answer = self.cluster.wait_for(look, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{called}: {_told(last)}") from None
        assert answer is not None
        return answer

    def live_image(self, environment: str, *, name: str = "api") -> str:
        """Return the image that the Deployment in the cluster asks for."""
        found = self.cluster.kube.get("apps/v1", "Deployment", name, self.namespace(environment))
        assert found is not None
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    def abort_rollout(self, environment: str) -> None:
        """Abort the Rollout `api` of an environment, and see that the controller has noticed.

        A patch in the moment after the controller's own write is kept by the API server and never
        seen by the controller (Rollouts 1.9.1: its own answer goes into its cache, over ours), so
        it is given again.
        """
        target = ("argoproj.io/v1alpha1", "Rollout", "api")
        namespace = self.namespace(environment)

        def aborted() -> bool:
            found = self.cluster.kube.get(*target, namespace)
            return found is not None and bool(found["status"].get("abortedAt"))

        for _ in range(5):
            for value in (False, True):
                change = {"status": {"abort": value}}
                self.cluster.kube.patch(change, *target, namespace=namespace, subresource="status")
            with suppress(AssertionError):
                self.cluster.wait_for(aborted, seconds=2)
                return
        raise AssertionError("the Rollout was not aborted")

    def clear(self) -> None:
        """Delete the Applications, and the namespaces with all that is in them."""
        kube = self.cluster.kube
        for name in self._applications:
            kube.delete(*APPLICATION, name, self.cluster.namespace)
        for name in self._names:
            kube.delete("v1", "Namespace", name)
        kube.delete("v1", "Secret", self.namespace("repository"), self.cluster.namespace)


@contextmanager
def open_shop(
    cluster: ClusterHandle, template: Path, folder: Path, *, rollout: bool = False
) -> Iterator[Shop]:
    """Serve a copy of the sample in `folder` for a while."""
    manifests = copy_template(template, folder)
    with GitServer(manifests.path.parent, host=cluster.git_host) as server:
        shop = Shop(cluster, manifests, server)
        shop.prepare(rollout=rollout)
        shop.register()
        try:
            yield shop
        finally:
            shop.clear()


def with_patience(text: str, seconds: int) -> str:
    """Return the text of a Deployment of the sample that gives up after other seconds."""
    changed, count = re.subn(r"(?m)^  progressDeadlineSeconds:.*$", _PATIENCE % seconds, text)
    assert count == 1, "the sample says how long each Deployment is waited for"
    return changed


def _told(application: Document | None) -> str:
    """Return the parts of an Application's status that say how it is."""
    status = (application or {}).get("status", {})
    kept = ("sync", "health", "conditions", "operationState")
    return json.dumps({name: status.get(name) for name in kept}, indent=1)


def is_live(commit: str) -> Callable[[Document], bool]:
    """Ask an Application: Synced and Healthy at this commit, and its operation done?"""

    def ask(application: Document) -> bool:
        status = application.get("status", {})
        sync = status.get("sync", {})
        return (
            sync.get("status") == "Synced"
            and commit in (sync.get("revision"), *sync.get("revisions", ()))
            and status.get("health", {}).get("status") == "Healthy"
            and "operation" not in application
        )

    return ask


def has_health(commit: str, health: str) -> Callable[[Document], bool]:
    """Ask an Application: compared with this commit, and of this health?"""

    def ask(application: Document) -> bool:
        status = application.get("status", {})
        return (
            status.get("sync", {}).get("revision") == commit
            and status.get("health", {}).get("status") == health
        )

    return ask
