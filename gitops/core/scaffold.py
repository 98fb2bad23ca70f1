"""The first files of a manifest repository that the sample does not hold: Argo CD Applications."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitops.core.yamltext import quote
from gitops.errors import UsageError

PLACEHOLDER_URL = "https://git.example.com/shop/manifests.git"

# The environments of the sample that a cluster runs; `local` is a developer's own machine.
CLUSTER_ENVIRONMENTS = ("dev", "test", "stage", "prod")

_APPLICATION = """\
# kubectl apply -n argocd -f argocd/{environment}.yaml
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: shop-{environment}
  namespace: argocd
  annotations:
    # Argo CD looks at commits that touch these, from the path below; a hold (.gitops/) does not.
    # Register the repository (`argocd repo add`), public or not: else every commit counts as none.
    argocd.argoproj.io/manifest-generate-paths: .;../../base
spec:
  project: default
  source:
    repoURL: {url}
    targetRevision: main
    path: overlays/{environment}
  destination:
    server: https://kubernetes.default.svc
    namespace: shop-{environment}
  syncPolicy:
    automated:
      prune: true
      selfHeal: true
    retry:
      limit: 5
      refresh: true # retries take the newest commit, so a rollback need not wait (Argo CD 3.2)
    syncOptions:
      - CreateNamespace=true
"""


def scaffold_files(sample: Mapping[str, bytes], repo_url: str | None = None) -> dict[str, bytes]:
    """Return what `gitops init` writes, path -> bytes: `sample` and one Application per cluster.

    Args:
        sample: `gitops.yaml`, `base/` and `overlays/`, path -> bytes.
        repo_url: what the Applications read; None puts `PLACEHOLDER_URL` there.

    Raises UsageError when `repo_url` is no URL, or holds a password.
    """
    url = PLACEHOLDER_URL if repo_url is None else check_repo_url(repo_url)
    applications = {
        f"argocd/{name}.yaml": _APPLICATION.format(environment=name, url=quote(url)).encode()
        for name in CLUSTER_ENVIRONMENTS
    }
    return {**sample, **applications}


def check_repo_url(url: str) -> str:
    """Return `url`; UsageError when it is none, or holds what must not get into Git."""
    if not url or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise UsageError("the repository URL must be one word")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/@]*:[^/@]*@", url) or (
        re.match(r"https?://[^/@]*@", url, re.IGNORECASE)
    ):
        raise UsageError(
            "the repository URL holds a user or a password, and the files go to Git",
            hint="leave it out: Argo CD keeps credentials in its own repository settings",
        )
    return url
