"""`gitops init`: the first files of a manifest repository, written only where nothing is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from gitops.core.kustomization import FILE_NAMES
from gitops.core.yamltext import quote
from gitops.errors import Refused, UsageError


class EmptyPlace(Protocol):
    """A folder on disk that gets new files."""

    def describe(self) -> str:
        """Return what messages call it: its path as the user gave it."""
        ...

    def taken(self, paths: Sequence[str]) -> tuple[str, ...]:
        """Return those of `paths`, or of the folders on the way, where something else stands."""
        ...

    def write_new(self, files: Mapping[str, bytes]) -> None:
        """Write all files and the folders that they need, or none; never overwrites."""
        ...

    def origin(self) -> str | None:
        """Return the URL of the Git remote `origin`, without credentials, None when unknown."""
        ...


class ScaffoldReport(Struct, frozen=True):
    """What `gitops init` wrote, or would write.

    Attributes:
        outcome: `written`, or `planned` for a dry run.
        directory: as the user gave it.
        files: paths below `directory`, sorted.
        repo_url: what the Applications read.
        warnings: what is left to be done by hand.
    """

    outcome: Literal["written", "planned"]
    directory: str
    files: tuple[str, ...]
    repo_url: str
    warnings: tuple[str, ...] = ()


def scaffold(
    place: EmptyPlace, sample: Mapping[str, bytes], repo_url: str | None, *, dry_run: bool
) -> ScaffoldReport:
    """Write the sample and one Argo CD Application per cluster environment into `place`.

    `repo_url` None: the remote `origin` of `place`, else a placeholder, with a warning.
    Raises Refused with the files in the way (nothing is written then), UsageError, Denied.
    """
    url = repo_url if repo_url is not None else place.origin()
    files = scaffold_files(sample, url)
    # A second kustomization file under another name would break the overlay just as well.
    names = {path: path.rsplit("/", 1) for path in files if path.endswith("/kustomization.yaml")}
    rivals = [f"{folder}/{name}" for folder, _ in names.values() for name in FILE_NAMES]
    taken = place.taken(sorted({*files, *rivals}))
    if taken:
        count = "1 file is" if len(taken) == 1 else f"{len(taken)} files are"
        raise Refused(
            f"{count} in the way in {place.describe()}; nothing was written",
            reasons=taken,
            hint="name an empty folder, or move them away",
        )
    if not dry_run:
        place.write_new(files)
    return ScaffoldReport(
        outcome="planned" if dry_run else "written",
        directory=place.describe(),
        files=tuple(sorted(files)),
        repo_url=url or PLACEHOLDER_URL,
        warnings=()
        if url
        else (f"argocd/*.yaml read {PLACEHOLDER_URL}: put the URL of your repository there",),
    )


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
