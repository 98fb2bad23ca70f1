"""The first files of the story: a shop of six apps, each with an overlay in every environment."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from gitops.server.demo.people import ANA

APPS: Mapping[str, str] = {
    "api": "1.3.4",
    "mail": "2.0.1",
    "payments": "3.9.0",
    "search": "0.18.2",
    "web": "5.1.0",
    "worker": "1.3.4",
}
"""App -> the tag that it begins with."""

ENVIRONMENTS = ("dev", "test", "stage", "prod")

CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/overlays/dev", accepts: [main], deploy: auto}
  - {name: test, overlay: "apps/{app}/overlays/test", accepts: [main], deploy: auto}
  - name: stage
    overlay: apps/{app}/overlays/stage
    accepts: ["release/{version}"]
    deploy: auto
    database: real
  - name: prod
    overlay: apps/{app}/overlays/prod
    accepts: ["release/{version}"]
    change: pull-request
    rollback: commit
    after: [stage]
    requires: [qa-passed]
    database: real
"""


def first_files() -> dict[str, str]:
    """Return path -> content of the first commit."""
    files = {"gitops.yaml": CONFIG}
    for app, tag in APPS.items():
        base = f"apps/{app}/base"
        files[f"{base}/kustomization.yaml"] = "resources:\n  - deployment.yaml\n"
        files[f"{base}/deployment.yaml"] = _deployment(app)
        for environment in ENVIRONMENTS:
            files[f"apps/{app}/overlays/{environment}/kustomization.yaml"] = (
                f"namespace: shop-{environment}\n"
                "resources:\n  - ../../base\n"
                f"images:\n  - name: shop/{app}\n    newTag: {tag}\n"
            )
    return files


def make_repository(folder: Path, when: datetime) -> Path:
    """Make a bare repository with the first commit, of `when`, and return its path."""
    path = folder / "shop.git"
    _git("init", "-q", "--bare", "-b", "main", str(path))
    message = "Start with what runs\n"
    who = f"{ANA.name} <{ANA.email}> {int(when.timestamp())} +0000"
    stream = [f"commit refs/heads/main\nauthor {who}\ncommitter {who}\n"]
    stream.append(f"data {len(message)}\n{message}\n")
    for name, content in first_files().items():
        stream.append(f"M 100644 inline {name}\ndata {len(content.encode())}\n{content}\n")
    _git(f"--git-dir={path}", "fast-import", "--quiet", feed="".join(stream))
    return path


def _deployment(app: str) -> str:
    return (
        "apiVersion: apps/v1\nkind: Deployment\n"
        f"metadata: {{name: {app}}}\n"
        "spec:\n"
        f"  selector: {{matchLabels: {{app: {app}}}}}\n"
        "  template:\n"
        f"    metadata: {{labels: {{app: {app}}}}}\n"
        f"    spec: {{containers: [{{name: {app}, image: shop/{app}}}]}}\n"
    )


def _git(*arguments: str, feed: str | None = None) -> None:
    subprocess.run(["git", *arguments], input=feed, text=True, check=True, capture_output=True)
