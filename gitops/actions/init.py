"""`gitops init`: the first files of a manifest repository, or `gitops.yaml` for one that is there.

Where kustomizations lie already, only `gitops.yaml` is written, and nothing of theirs is touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.manifests.files import EmptyPlace, ManifestFolder
from gitops.actions.manifests.missing_images import AddedImages, missing_images
from gitops.core.audit.application_files import names_by_folder
from gitops.core.environments.environment import CONFIG_PATH, Config
from gitops.core.environments.layout import (
    FoundEnvironment,
    KustomizedFolder,
    Layout,
    find_layout,
    overlays_among,
    render_config,
    word_of,
)
from gitops.core.kustomization import FILE_NAMES, image_values
from gitops.core.kustomization.references import join, read_references
from gitops.core.text.plain import some_of
from gitops.core.yamltext import quote
from gitops.errors import ManifestError, Refused, UsageError
from gitops.ports import Renderer


class AdoptReport(Struct, frozen=True):
    """What `gitops init` found in a repository, and wrote or would write.

    Attributes:
        outcome: `written`, `planned` for a dry run, `unchanged` where the person said no.
        content: the text of `gitops.yaml`; "" where that was there already.
        layout: what was found.
        added: the kustomizations that get entries of `images:`.
        warnings: what it does not understand, or what stands in the way of the first deploy.
    """

    outcome: Literal["written", "planned", "unchanged"]
    directory: str
    content: str
    layout: Layout
    warnings: tuple[str, ...] = ()
    added: tuple[AddedImages, ...] = ()


class ScaffoldReport(Struct, frozen=True):
    """What `gitops init` wrote, or would write.

    Attributes:
        outcome: `written`, or `planned` for a dry run.
        directory: as the user gave it.
        files: paths below `directory`, sorted.
        warnings: what is left to be done by hand.
    """

    outcome: Literal["written", "planned"]
    directory: str
    files: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def init(
    place: ManifestFolder,
    sample: Mapping[str, bytes],
    request: InitRequest,
    *,
    load_config: Callable[[bytes], Config],
    confirm: Callable[[AdoptReport], bool] | None = None,
    renderer: Renderer | None = None,
) -> ScaffoldReport | AdoptReport:
    """Adopt the manifests that lie in `place`, or write the sample where there are none.

    `renderer` builds what entries of `images:` are made from, where they are asked for. `confirm`
    shows what was found and asks; None writes at once. Raises what `scaffold` raises, and Refused
    where there are manifests that tell of no environment.
    """
    if request.sample:
        return scaffold(place, sample, request.repo_url, dry_run=request.dry_run)
    folders: dict[str, KustomizedFolder] = {}
    applications: dict[str, str] = {}
    others = 0
    known: Config | None = None
    for path, content in place.manifests():
        folder, _, name = path.rpartition("/")
        if path in (CONFIG_PATH, *_MISSPELT):
            if path != CONFIG_PATH or not request.add_images:
                raise _is_there(place, path)
            known = load_config(content)
        if name in FILE_NAMES:
            folders[folder] = _read_folder(folder, content, path)
        else:
            others += 1
            applications |= names_by_folder(content, path)
    if not folders:
        if others:
            raise Refused(
                f"{place.describe()} holds manifests but no kustomization; nothing was written",
                hint="`gitops init --sample` puts the sample beside them; or name an empty folder",
            )
        return scaffold(place, sample, request.repo_url, dry_run=request.dry_run)
    if known is not None:
        rows = known.environments
        folders = {path: one for path, one in folders.items() if not rows[0].ignores(path)}
        report = AdoptReport("planned", place.describe(), "", _layout_of(known))
    else:
        report = _adopt(place, tuple(folders.values()), applications, load_config)
    if request.add_images and renderer is not None:
        report = _with_images(place, report, folders, renderer)
    return _write(place, report, request, confirm)


class InitRequest(Struct, frozen=True):
    """What `gitops init` was asked.

    Attributes:
        repo_url: what the Applications of the sample read; None: the remote `origin`.
        sample: write the sample, whatever lies there.
        add_images: write entries of `images:` that are missing, also where gitops.yaml is there.
    """

    repo_url: str | None = None
    sample: bool = False
    dry_run: bool = False
    add_images: bool = False


_MISSPELT = ("gitops.yml", ".gitops.yaml", ".gitops.yml")
_SHOWN = 5  # folders that a warning names


def _is_there(place: EmptyPlace, path: str) -> Refused:
    if path == CONFIG_PATH:
        hint = "`gitops validate` looks at it; move it away to have another proposal"
    else:
        hint = f"gitops reads {CONFIG_PATH} alone: rename it"
    return Refused(
        f"{path} is in the way in {place.describe()}; nothing was written",
        reasons=(path,),
        hint=hint,
    )


def _read_folder(folder: str, content: bytes, path: str) -> KustomizedFolder:
    try:
        images = tuple(image_values(content, path))
        named = read_references(content, path).found
    except ManifestError:
        return KustomizedFolder(folder, None)
    fields = ("resources", "bases", "components")
    bases = (join(folder, one.target) for one in named if one.field in fields)
    return KustomizedFolder(folder, images, tuple(one for one in bases if one is not None))


def _adopt(
    place: ManifestFolder,
    folders: tuple[KustomizedFolder, ...],
    applications: Mapping[str, str],
    load_config: Callable[[bytes], Config],
) -> AdoptReport:
    known = {folder: word for folder, name in applications.items() if (word := word_of(name))}
    layout = find_layout(folders, known)
    if not layout.environments:
        there = ", ".join(one.path or "." for one in folders[:_SHOWN])
        raise Refused(
            f"no folder in {place.describe()} is named like an environment; nothing was written",
            reasons=tuple(f"{one.path or '.'}: a kustomization" for one in folders[:_SHOWN]),
            hint=f"write {CONFIG_PATH} by hand (docs/how-to/bring-your-repository.md); there are "
            f"{there}",
        )
    content = render_config(layout)
    load_config(content.encode())
    return AdoptReport("planned", place.describe(), content, layout, tuple(_doubts(layout)))


def _layout_of(config: Config) -> Layout:
    """Return what a `gitops.yaml` that is there says of the folders."""
    rows = [
        FoundEnvironment(row.name, "local" if row.change == "work-tree" else "dev", pattern)
        for row in config.environments
        for pattern in row.patterns
    ]
    return Layout(tuple(rows))


def _with_images(
    place: ManifestFolder,
    report: AdoptReport,
    folders: Mapping[str, KustomizedFolder],
    renderer: Renderer,
) -> AdoptReport:
    """Return the report with entries for the images that the overlays build."""
    mine = overlays_among(report.layout, folders)
    found = [missing_images(place, renderer, folder) for folder in mine]
    added = tuple(one for one in found if one.after is not None)
    pinned = {one.path.rpartition("/")[0] for one in added}
    unpinned = tuple(one for one in report.layout.unpinned if one not in pinned)
    layout = replace(report.layout, unpinned=unpinned)
    left = tuple(text for one in found for text in one.left)
    told = tuple(_doubts(layout)) if report.content else ()
    return replace(report, layout=layout, added=added, warnings=(*told, *left))


def _write(
    place: ManifestFolder,
    report: AdoptReport,
    request: InitRequest,
    confirm: Callable[[AdoptReport], bool] | None,
) -> AdoptReport:
    if not report.content and not report.added:
        return replace(report, outcome="unchanged")
    if request.dry_run:
        return report
    if confirm is not None and not confirm(report):
        return replace(report, outcome="unchanged")
    if report.content:
        place.write_new({CONFIG_PATH: report.content.encode()})
    for one in report.added:
        if one.after is not None:
            place.replace(one.path, one.after)
    return replace(report, outcome="written")


def _doubts(layout: Layout) -> Iterator[str]:
    if layout.unpinned:
        yield (
            f"{some_of(layout.unpinned, _SHOWN)} pin no image, so there is nothing to change: "
            "`gitops init --add-images` names those that are built"
        )
    if layout.unknown:
        yield f"{some_of(layout.unknown, _SHOWN)} pin images and belong to no environment here"
    if layout.ignored:
        yield (
            f"left out: {some_of(layout.ignored, _SHOWN)}: branches are named after apps, and none "
            "can be named so beside the others; rename the folder to have the app in"
        )
    if not any(row.kind == "prod" for row in layout.environments):
        yield "no environment looks like prod: none asks for an approval"


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
