"""A cluster with Argo CD in it, as tests see it, whoever provides it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from cluster.kube import Document, Kube
from cluster.objects import ACCOUNTS, ARGOCD
from cluster.turns import MARK, is_alone
from servers.direct import ask
from servers.sharing import command

APPLICATION = ("argoproj.io/v1alpha1", "Application")

ALL_CAPABILITIES = frozenset(
    {
        "any-image",  # every image tag runs, and one with `broken` in it crash-loops
        "argocd-api",  # Argo CD's own API and its accounts are in reach
        "components",  # single components can be stopped and started
        "fast-polling",  # Argo CD looks at Git every 10 seconds
        "metrics",  # so are the figures of Argo CD's controller
        "rights",  # the accounts of objects.ACCOUNTS are there
        "rollouts",  # Argo Rollouts runs
        "webhook",  # Argo CD takes signed push events
    }
)

Found = TypeVar("Found")


@dataclass(frozen=True)
class ClusterHandle:
    """What a test may do with a cluster, and what it can count on.

    Attributes:
        provider: `kind`, `processes` or `existing`.
        capabilities: of `ALL_CAPABILITIES`; ask with `needs`.
        kubeconfig: of somebody who may do everything.
        context: of that kubeconfig; None for its current one.
        namespace: where Argo CD and its Applications are.
        git_host: the address of this machine by which the cluster reaches a Git server of a test.
        folder: where logs are, None when they are out of reach.
        argocd: URL of Argo CD's API.
        metrics: the port on this machine where its controller tells its figures; 0: none.
        load_image: makes an image known to the cluster where not every image is.
    """

    provider: str
    capabilities: frozenset[str]
    kubeconfig: Path
    context: str | None = None
    namespace: str = ARGOCD
    git_host: str = "127.0.0.1"
    folder: Path | None = None
    argocd: str = ""
    metrics: int = 0
    password: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    load_image: Callable[[str], None] = lambda _: None

    @cached_property
    def kube(self) -> Kube:
        """The Kubernetes API, as somebody who may do everything."""
        return Kube(self.kubeconfig, self.context)

    def needs(self, *capabilities: str) -> None:
        """Skip the test unless the cluster can do all of this."""
        assert ALL_CAPABILITIES.issuperset(capabilities)
        if lacking := [name for name in capabilities if name not in self.capabilities]:
            pytest.skip(f"lane cluster: {self.provider} has not: {', '.join(lacking)}")

    def wait_for(self, question: Callable[[], Found], *, seconds: float = 60) -> Found:
        """Return the first true answer; AssertionError after `seconds`."""
        give_up = monotonic() + seconds
        while not (answer := question()):
            assert monotonic() < give_up, f"not so after {seconds} s"
            sleep(0.1)
        return answer

    def application(self, name: str) -> Document | None:
        """Return an Application, None when there is none."""
        return self.kube.get(*APPLICATION, name, self.namespace)

    def refresh(self, name: str, kind: str = "normal") -> None:
        """Make Argo CD look at Git for this Application now."""
        note = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": kind}}}
        self.kube.patch(note, *APPLICATION, name, namespace=self.namespace)

    def token_of(self, account: str) -> str:
        """Return a Kubernetes token of the service account of this name (`rights`)."""
        self.needs("rights")
        assert account in ACCOUNTS
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(self.kube.call("POST", path, asked)["status"]["token"])

    def kubeconfig_of(self, account: str, folder: Path, *, token: str | None = None) -> Path:
        """Write a kubeconfig that signs in as a service account, or with `token`; return its path.

        Its one context has the account's name.
        """
        document = json.loads(json.dumps(self._admin_kubeconfig()))
        user = {"token": token or self.token_of(account)}
        document["users"] = [{"name": account, "user": user}]
        cluster = document["clusters"][0]["name"]
        document["contexts"] = [{"name": account, "context": {"cluster": cluster, "user": account}}]
        document["current-context"] = account
        path = folder / f"{account}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def _admin_kubeconfig(self) -> Document:
        import yaml

        document: Document = yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8"))
        wanted = self.context or document["current-context"]
        context = next(one["context"] for one in document["contexts"] if one["name"] == wanted)
        clusters = [one for one in document["clusters"] if one["name"] == context["cluster"]]
        return {"apiVersion": "v1", "kind": "Config", "clusters": clusters}

    def argocd_token(self, account: str, *, expires_in: int = 3600) -> str:
        """Return a token of one of `objects.ACCOUNTS` for Argo CD's API (`argocd-api`)."""
        self.needs("argocd-api")
        session = {"username": "admin", "password": self.password}
        admin = self.ask_argocd("POST", "/api/v1/session", session)[1]["token"]
        path = f"/api/v1/account/{account}/token"
        status, answer = self.ask_argocd("POST", path, {"expiresIn": expires_in}, token=admin)
        assert status == 200, answer
        return str(answer["token"])

    def ask_argocd(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Return status and document of a call of Argo CD's API."""
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        if token:
            all_headers["Authorization"] = f"Bearer {token}"
        return ask(method, f"{self.argocd}{path}", sent, all_headers)

    def tell_argocd(
        self, repo_url: str, before: str, after: str, files: list[str], branch: str = "main"
    ) -> int:
        """Send Argo CD the push event that GitHub would, signed; return the status (`webhook`)."""
        self.needs("webhook")
        page = repo_url.removesuffix(".git")
        body = json.dumps(
            {
                "ref": f"refs/heads/{branch}",
                "before": before,
                "after": after,
                "repository": {
                    "html_url": page,
                    "default_branch": branch,
                    "full_name": urlsplit(page).path.strip("/"),
                },
                "commits": [{"id": after, "added": [], "removed": [], "modified": files}],
                "head_commit": {"id": after, "added": [], "removed": [], "modified": files},
            }
        ).encode()
        signature = hmac.new(self.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signature}"}
        return self.ask_argocd("POST", "/api/webhook", body, headers=headers)[0]

    def stop(self, component: str, *, kill: bool = False) -> None:
        """Stop a component by its name, such as `kube-apiserver` (`components`).

        Only a test that is marked `alone` may: others run beside it.
        """
        self.needs("components")
        assert is_alone(), f"mark this test: @pytest.mark.{MARK}"
        assert self.folder is not None
        command(self.folder, do="stop", name=component, kill=kill)

    def start(self, component: str) -> None:
        """Start a stopped component again; the API server is ready on return (`components`)."""
        self.needs("components")
        assert self.folder is not None
        command(self.folder, do="start", name=component)
        if component == "kube-apiserver":
            self.wait_for(self._answers)

    def _answers(self) -> bool:
        try:
            return self.kube.ask("GET", "/readyz")[0] == 200
        except Exception:
            return False

    def logs(self) -> dict[str, Path]:
        """Return the log of each component, by name."""
        if self.folder is None:
            return {}
        return {path.stem: path for path in sorted((self.folder / "logs").glob("*.log"))}
