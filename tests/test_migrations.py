"""Coming from other tools: what docs/explanation/comparison.md tells to type works as it stands.

Each story begins with a repository laid out as the tool's own examples are: folders, and what the
tool leaves in them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitrepos import ENVIRON

PAGE = (Path(__file__).parents[1] / "docs/explanation/comparison.md").read_text()
IMAGE = "registry.example.com/shop/web"
FLUX = ' # {"$imagepolicy": "flux-system:web:tag"}'
BASE = {
    "kustomization.yaml": "resources: [deploy.yaml]\n",
    "deploy.yaml": f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "{IMAGE}:1.4.2"}}]}}
""",
}


def overlay(base: str, note: str = "") -> str:
    """A kustomization that pins the image."""
    return f"resources: [{base}]\nimages:\n  - name: {IMAGE}\n    newTag: 1.4.2{note}\n"


def based(folder: str) -> dict[str, str]:
    """The base in a folder."""
    return {f"{folder}/{name}": text for name, text in BASE.items()}


def applied(environment: str) -> str:
    """What tells Flux of a folder: a Kustomization that is none of kustomize's."""
    return (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata: {name: apps, namespace: flux-system}\n"
        f"spec: {{interval: 10m, path: ./apps/{environment}, prune: true}}\n"
    )


LAYOUTS: Mapping[str, Mapping[str, str]] = {
    "a script of clone, sed and push": based("base")
    | {f"overlays/{one}/kustomization.yaml": overlay("../../base") for one in ("dev", "prod")},
    "gitopscli": {
        f"web/{one}/{name}": text
        for one in ("test", "prod")
        for name, text in (
            ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
            ("values.yaml", f"image:\n  repository: {IMAGE}\n  tag: 1.4.2   # written by CI\n"),
        )
    },
    "Argo CD Image Updater": based("apps/web/base")
    | {
        f"apps/web/overlays/{one}/{name}": text
        for one in ("dev", "prod")
        for name, text in (
            ("kustomization.yaml", "resources:\n  - ../../base\n"),
            (f".argocd-source-web-{one}.yaml", f"kustomize:\n  images:\n  - {IMAGE}:1.4.2\n"),
        )
    },
    "Flux image automation": based("apps/base/web")
    | {
        f"apps/{one}/kustomization.yaml": overlay("../base/web", FLUX)
        for one in ("staging", "production")
    }
    | {f"clusters/{one}/apps.yaml": applied(one) for one in ("staging", "production")},
    "Kargo": based("base")
    | {
        f"stages/{one}/kustomization.yaml": overlay("../../base") for one in ("test", "uat", "prod")
    },
    "GitOps Promoter": based("base")
    | {
        f"environments/{one}/kustomization.yaml": overlay("../../base")
        for one in ("development", "staging", "production")
    },
}
EXPECTED: Mapping[str, tuple[str, str, str]] = {
    "a script of clone, sed and push": ("overlays/dev", "overlays/prod", ""),
    "gitopscli": ("web/test", "web/prod", ""),
    "Argo CD Image Updater": ("apps/web/overlays/dev", "apps/web/overlays/prod", ""),
    "Flux image automation": ("apps/staging", "apps/production", ""),
    "Kargo": ("stages/uat", "stages/prod", "gitops/prod"),
    "GitOps Promoter": ("environments/staging", "environments/production", "gitops/production"),
}
"""Tool -> an overlay that has the new tag, one that has the old one, the proposal that waits."""


def git(folder: Path, *words: str) -> str:
    """Run git there."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words], env=ENVIRON, check=True, capture_output=True, text=True
    )
    return done.stdout


def told(name: str) -> str:
    """Return the shell block of the section about a tool."""
    section = PAGE.split(f"### From {name}\n", 1)[1].split("\n#", 1)[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return str(block)


def test_every_tool_is_played() -> None:
    """Each section that tells to come from a tool has its story here."""
    assert set(re.findall(r"^### From (.+)$", PAGE, re.MULTILINE)) == {*LAYOUTS} == {*EXPECTED}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYOUTS)
def test_coming_from(name: str, tmp_path: Path) -> None:
    """The commands run; the new tag is in one place, the other keeps what it had, to the byte."""
    git(tmp_path, "init", "-q", "-b", "main")
    for path, text in LAYOUTS[name].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "As it was")
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=told(name),
        cwd=tmp_path,
        env={**ENVIRON, "PATH": programs, "GITOPS_AUTHOR": "Ana <ana@example.com>"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, git(tmp_path, "status", "--short")), done.stderr

    new, old, proposal = EXPECTED[name]
    assert "1.4.3" in git(tmp_path, "show", f"HEAD:{new}/kustomization.yaml")
    assert "1.4.2" in git(tmp_path, "show", f"HEAD:{old}/kustomization.yaml")
    branches = git(tmp_path, "branch", "--format=%(refname:short)").split()
    assert {"main", *([proposal] if proposal else [])} == {*branches}
    if name == "gitopscli":
        assert "tag: 1.4.3   # written by CI" in (tmp_path / new / "values.yaml").read_text()
    if name == "Flux image automation":
        assert f"newTag: 1.4.3{FLUX}" in (tmp_path / new / "kustomization.yaml").read_text()
