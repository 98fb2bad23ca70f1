"""Six layouts of real repositories: adopted, looked at, deployed, promoted, rolled back.

What is rendered before and after the adoption is the same to the byte.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from manifests import Result, run_gitops

KUBECTL = shutil.which("kubectl")
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="no kubectl to build with")

# Pattern of an overlay, apps ("": none), and whether an app has its own base beside it.
LAYOUTS = {
    "overlays": ("overlays/{env}", ("",)),
    "app-overlays": ("{app}/overlays/{env}", ("web", "api")),
    "apps": ("apps/{app}/overlays/{env}", ("web", "api")),
    "env-app": ("{env}/{app}", ("web", "api")),
    "clusters": ("clusters/{env}/apps/{app}", ("web", "api")),
    "environments": ("environments/{env}/{app}", ("web", "api")),
}
ENVIRONMENTS = ("dev", "prod")
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {app}}}
spec:
  selector: {{matchLabels: {{app: {app}}}}}
  template:
    metadata: {{labels: {{app: {app}}}}}
    spec:
      containers:
        - name: main
          image: shop/{app}:1.10 # what runs today
        - {{name: side, image: "reg.example.com:5000/side:0.9"}}
"""


def write(root: Path, layout: str) -> dict[str, Path]:
    """Write a repository whose overlays pin nothing; return label -> overlay."""
    pattern, apps = LAYOUTS[layout]
    overlays = {}
    for app in apps:
        base = root / "bases" / (app or "shop")
        base.mkdir(parents=True)
        (base / "deployment.yaml").write_text(MANIFEST.format(app=app or "shop"))
        (base / "kustomization.yaml").write_text("resources:\n  - deployment.yaml\n")
        for env in ENVIRONMENTS:
            folder = root / pattern.replace("{env}", env).replace("{app}", app)
            folder.mkdir(parents=True)
            up = os.path.relpath(base, folder)
            text = f"# {env} of the team\nresources: [{up}]\nnameSuffix: -{env}\n"
            (folder / "kustomization.yaml").write_text(text)
            overlays[f"{app}/{env}" if app else env] = folder
    return overlays


class Clone:
    """A clone of a bare repository, and gitops in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *words: str) -> str:
        """Run git here."""
        done = subprocess.run(
            ["git", *words], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout

    def __call__(self, *words: str, code: int = 0) -> Result:
        """Run gitops here."""
        done = run_gitops(words, self.root, dict(os.environ))
        assert code == done.code, (words, done.out, done.err)
        return done


def build(folder: Path) -> str:
    """Return what kubectl makes of an overlay."""
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(folder)], check=True, capture_output=True, text=True
    )
    return done.stdout


def adopt(clone: Clone) -> None:
    """Adopt, and let everything go in as a commit, so that no approval is waited for."""
    clone("init", "--add-images", "--yes")
    config = clone.root / "gitops.yaml"
    text = config.read_text().replace("    change: pull-request # a person approves\n", "")
    config.write_text(text)
    clone.git("add", "-A")
    clone.git("commit", "-qm", "Let gitops know the environments")


@needs_kubectl
@pytest.mark.parametrize("layout", LAYOUTS)
def test_there_and_back(layout: str, tmp_path: Path) -> None:
    """Adopted, valid, and each verb does what it does in the sample."""
    clone = Clone(tmp_path)
    clone.git("init", "-qb", "main")
    overlays = write(tmp_path, layout)
    before = {label: build(folder) for label, folder in overlays.items()}
    adopt(clone)

    assert before == {label: build(folder) for label, folder in overlays.items()}
    assert "nothing wrong" in clone("validate", "--no-build").out

    app = "web" if len(overlays) > len(ENVIRONMENTS) else ""
    image, extra = f"shop/{app or 'shop'}", (("--app", app) if app else ())
    clone("deploy", f"{image}:2.0", "--to", "dev", *extra)
    clone("promote", "--to", "prod", *extra)
    label = f"{app}/prod" if app else "prod"
    assert before[label].replace(f"{image}:1.10", f"{image}:2.0") == build(overlays[label])

    clone("rollback", "prod", *extra, "--yes", "--reason", "INC-42")
    assert before[label] == build(overlays[label])
    shown = json.loads(clone("status", "-o", "json").out)["environments"]
    tags = {(one["app"], one["name"]): one["images"][0]["tag"] for one in shown}
    assert {"dev": "2.0", "prod": "1.10"} == {env: tags[app or None, env] for env in ENVIRONMENTS}


@needs_kubectl
def test_what_cannot_be_pinned_is_told(tmp_path: Path) -> None:
    """No tag, or two of them: no entry, and a word; what has an entry keeps it."""
    clone = Clone(tmp_path)
    clone.git("init", "-qb", "main")
    for env in ("dev", "prod"):
        folder = tmp_path / "overlays" / env
        folder.mkdir(parents=True)
        (folder / "pods.yaml").write_text(
            "\n---\n".join(
                f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n"
                f"spec: {{containers: [{{name: c, image: '{image}'}}]}}"
                for name, image in (
                    *(("a", "shop/x:1"), ("b", "shop/x:2")),
                    *(("c", "busybox"), ("d", "shop/y:3")),
                )
            )
        )
        (folder / "kustomization.yaml").write_text(
            "resources: [pods.yaml]\nimages:\n  - {name: shop/y, newName: z, newTag: v1}\n"
        )
    done = clone("init", "--add-images", "--yes")

    assert "shop/x stands there at 2 tags" in done.err
    assert "busybox has neither tag nor digest" in done.err
    text = (tmp_path / "overlays/dev/kustomization.yaml").read_text()
    assert 1 == text.count("{name:")
    assert "gitops.yaml" == clone.git("ls-files", "-o", "--exclude=overlays").strip()
