"""What Argo CD's page gets to see, and what it may do: one overlay, by the extension's rights."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gitops.server.app import create_app
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings, parse_settings
from manifests import ROOT, Manifests

ROLLBACK, HOLD = "r" * 40, "h" * 40
ACCESS = """\
access:
  - {may: [rollback], environments: [test, prod], who: ["group:argocd:gitops-rollback"]}
  - {may: [hold, resume], environments: [test], who: ["group:argocd:gitops-hold"]}
"""
SCRIPT = ROOT / "deploy" / "argocd-extension" / "extension-gitops.js"


@pytest.fixture
def client(manifests: Manifests, tmp_path: Path) -> Iterator[TestClient]:
    """A server that Argo CD hands requests on to, after the first look."""
    (tmp_path / "rollback").write_text(ROLLBACK)
    (tmp_path / "hold").write_text(HOLD)
    settings = (
        "hosts: [gitops.gitops.svc]\nargocd:\n  applications: ['shop-{environment}']\n"
        f"  extensions:\n    - {{name: gitops-rollback, secretFile: {tmp_path}/rollback}}\n"
        f"    - {{name: gitops-hold, secretFile: {tmp_path}/hold}}\n"
    )
    manifests.commit("rights", {"gitops.yaml": manifests.file("gitops.yaml") + ACCESS})
    file = parse_settings(settings.encode(), "settings.yaml")
    service = Service(ServerSettings(str(manifests.path), Listen("0.0.0.0", 8080), file=file))
    with TestClient(create_app(service), "http://gitops.gitops.svc:8080") as made:
        end = time.monotonic() + 20
        while service.board.current() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        yield made


def argo(secret: str, application: str = "shop-test") -> dict[str, str]:
    """Return what Argo CD's server sends along, with what a browser said to it."""
    return {
        "X-Gitops-Proof": secret,
        "Argocd-Username": "ana",
        "Argocd-Application-Name": f"argocd:{application}",
        "Argocd-User-Groups": "argocd:gitops-hold",
        "Sec-Fetch-Site": "same-origin",
        "Origin": "https://argocd.example.com",
    }


def test_the_application_is_one_overlay(client: TestClient) -> None:
    """Which one, what runs there, and what the extension that asks may do."""
    told = client.get("/v1/application", headers=argo(ROLLBACK)).json()
    assert ("test", None, "test") == (told["environment"], told["app"], told["word"])
    assert 40 == len(told["release"])
    assert told["url"].endswith("/e/test")
    assert {"rollback": True, "undo": False, "hold": False, "resume": False} == {
        act: one["allowed"] for act, one in told["may"].items()
    }
    assert "only group:argocd:gitops-hold may hold test" in told["may"]["hold"]["why"]
    held = client.get("/v1/application", headers=argo(HOLD)).json()["may"]
    assert (True, False) == (held["hold"]["allowed"], held["rollback"]["allowed"])


def test_nobody_else_is_told(client: TestClient) -> None:
    """No secret, a wrong one, an Application that is nobody's: 401, with words for programs."""
    for headers in ({}, argo("guess"), argo(ROLLBACK, "other"), argo(ROLLBACK, "shop-none")):
        answer = client.get("/v1/application", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "denied"


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_the_script_is_read_and_registers(tmp_path: Path) -> None:
    """Argo CD evaluates it as it is: it registers one action, and needs nothing but React."""
    stub = (
        "const registered = [];\n"
        "globalThis.window = {React: {createElement: () => null}, document: {},\n"
        "  extensionsAPI: {registerTopBarActionMenuExt: (...all) => registered.push(all)}};\n"
        f"{SCRIPT.read_text()}\n"
        "console.log(registered.length, registered[0][1], registered[0][4]());\n"
    )
    (tmp_path / "run.js").write_text(stub)
    done = subprocess.run(
        ["node", tmp_path / "run.js"], capture_output=True, text=True, check=True, timeout=20
    )
    assert "1 Roll back (Git) true\n" == done.stdout


def test_the_script_asks_only_what_there_is() -> None:
    """Its extensions are those of the how-to, and nothing is evaluated or loaded from elsewhere."""
    text = SCRIPT.read_text()
    assert {"gitops-rollback", "gitops-hold"} == set(re.findall(r'"(gitops-[a-z]+)"', text))
    assert not re.search(r"eval\(|innerHTML|dangerouslySet|import\(|https?://[a-z]", text)
