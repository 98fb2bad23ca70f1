"""Our server behind a real Argo CD server's proxy extension: who arrives there, and as whom."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from cluster.shop import Shop
from gitops.server.app import create_app
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings, parse_settings
from servers.processes import free_port

SECRET = "r" * 40
ACCESS = """\
access:
  - {may: [rollback], environments: [dev], who: ["group:argocd:gitops-rollback"]}
  - {may: [hold], environments: [dev], who: ["group:argocd:admins"]}
"""
POLICY = """\
p, role:viewer, applications, get, */*, allow
p, role:gitops, extensions, invoke, gitops-rollback, allow
"""


@pytest.fixture
def extension(shop: Shop, tmp_path: Path) -> Iterator[str]:
    """The path of the extension on Argo CD's server; our server is behind it."""
    shop.cluster.needs("argocd-api", "any-image")
    prefix = shop.follow("dev").removesuffix("dev")
    (tmp_path / "secret").write_text(SECRET)
    settings = (
        f"argocd:\n  applications: ['{prefix}{{environment}}']\n"
        f"  extensions: [{{name: gitops-rollback, secretFile: {tmp_path}/secret}}]\n"
    )
    text = shop.manifests.file("gitops.yaml") + ACCESS
    shop.manifests.commit("rights", {"gitops.yaml": text})
    shop.set_tag("dev", "1.5.0")
    file = parse_settings(settings.encode(), "settings.yaml")
    port = free_port(set())
    service = Service(ServerSettings(shop.url, Listen("127.0.0.1", port), file=file))
    config = uvicorn.Config(create_app(service), port=port, log_config=None, proxy_headers=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with Configured(shop, f"http://127.0.0.1:{port}"):
            yield "/extensions/gitops-rollback"
    finally:
        server.should_exit = True
        thread.join(20)


class Configured:
    """Tell Argo CD of the extension, and take it back."""

    def __init__(self, shop: Shop, url: str) -> None:
        self._shop = shop
        header = "{name: X-Gitops-Proof, value: '$gitops.rollback'}"
        config = f"services: [{{url: '{url}', headers: [{header}]}}]"
        self._data = {
            ("ConfigMap", "argocd-cm"): {"extension.config.gitops-rollback": config},
            ("ConfigMap", "argocd-rbac-cm"): {"policy.gitops.csv": POLICY},
            ("Secret", "argocd-secret"): {"gitops.rollback": b64encode(SECRET.encode()).decode()},
        }

    def __enter__(self) -> None:
        self._patch(self._data)

    def __exit__(self, *_: object) -> None:
        self._patch({key: dict.fromkeys(data) for key, data in self._data.items()})

    def _patch(self, changes: Any) -> None:
        for (kind, name), data in reversed(changes.items()):
            where = self._shop.cluster.namespace
            self._shop.cluster.kube.patch({"data": data}, "v1", kind, name, namespace=where)


def test_who_arrives_through_argo_cd(shop: Shop, extension: str) -> None:
    """Whom Argo CD lets invoke it, under their own name, for their Application, without groups.

    What a client sends in Argo CD's own headers, or in ours, counts for nothing.
    """
    cluster = shop.cluster
    token, viewer = cluster.argocd_token("gitops"), cluster.argocd_token("viewer")
    dev = {
        "Argocd-Application-Name": f"{cluster.namespace}:{shop.namespace('dev')}",
        "Argocd-Project-Name": "default",
        "Sec-Fetch-Site": "same-origin",
    }

    def ask(path: str, body: Any = None, token: str = token, **headers: str) -> tuple[int, Any]:
        told = dev | {name.replace("_", "-"): text for name, text in headers.items()}
        told["Cookie"] = f"argocd.token={token}"  # it asks for a browser's
        method = "GET" if body is None else "POST"
        return cluster.ask_argocd(method, extension + path, body, headers=told)

    def there() -> Any:
        status, told = ask("/v1/application")
        return told if status == 200 else None

    told = cluster.wait_for(there, seconds=30)
    assert ("dev", True, False) == (
        *(told["environment"], told["may"]["rollback"]["allowed"]),
        told["may"]["hold"]["allowed"],
    )
    forged = {
        "Argocd_Username": "boss",
        "Argocd_User_Groups": "argocd:admins,admins",
        "X_Gitops_Proof": "guess",
    }
    status, who = ask("/v1/whoami", **forged)
    assert (200, "user:argocd:gitops") == (status, who["id"])
    assert ["argocd:gitops-rollback"] == who["groups"]

    assert ask("/v1/application", token=viewer)[0] in (401, 403)
    assert ask("/v1/application", token="")[0] in (401, 403)
    other = shop.namespace("prod")
    assert ask("/v1/application", Argocd_Application_Name=f"argocd:{other}")[0] in (401, 403, 404)
    before = shop.manifests.git("rev-parse", "main")
    for path, body in (
        ("/v1/environments/test/rollback", {}),
        ("/v1/environments/prod/rollback", {}),
        ("/v1/environments/dev/hold", {"reason": "x"}),
    ):
        assert ask(path, body, **forged)[0] == 403
    status, said = ask("/v1/environments/dev/rollback", {}, Sec_Fetch_Site="cross-site")
    assert (403, before) == (status, shop.manifests.git("rev-parse", "main")), said

    status, done = ask("/v1/environments/dev/rollback", {"bad": told["release"]}, **forged)
    assert (200, "committed") == (status, done.get("outcome")), done
    commit = shop.manifests.git("log", "-1", "--format=%an %(trailers:key=Gitops-Actor)", "main")
    assert "gitops Gitops-Actor: user:argocd:gitops" == commit.strip()
