"""`gitops init --ci`: the file by which a repository calls a kit for its CI system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from gitops.actions.manifests.files import ManifestFolder
from gitops.core.environments.environment import CONFIG_PATH
from gitops.core.git.ci_files import PATHS, System, ci_file, read_kit
from gitops.core.kustomization import FILE_NAMES
from gitops.errors import Refused, UsageError

_NOWHERE = "https://git.example.com/shop/manifests.git"
_SYSTEMS: Mapping[str, System] = {"github": "github", "gitlab": "gitlab", "jenkins": "jenkins"}


class CallerReport(Struct, frozen=True):
    """What was written, or would be.

    Attributes:
        warnings: what is left to be filled in.
    """

    outcome: Literal["written", "planned"]
    directory: str
    path: str
    content: str
    warnings: tuple[str, ...] = ()


def write_caller(
    place: ManifestFolder, system: str, kit: str | None, repo_url: str | None, *, dry_run: bool
) -> CallerReport:
    """Write the file for a CI system: checks for the manifest repository, else a whole delivery.

    `kit` is URL@COMMIT of the copy of gitops that it calls; `repo_url` the manifest repository of
    a repository that images are built from.

    Raises Refused with the file in the way, UsageError for a system or an address that is none.
    """
    if system == "argo":
        raise UsageError(
            "Argo Workflows has templates of its own",
            hint="`gitops workflow init --image IMAGE --repo-url URL` writes them",
        )
    if system not in _SYSTEMS:
        raise UsageError(f"--ci {system} is no CI system", hint="github, gitlab, jenkins or argo")
    called, origin = read_kit(kit), place.origin()
    names = {path.rpartition("/")[2] for path, _ in place.manifests()}
    manifests = not names.isdisjoint((CONFIG_PATH, *FILE_NAMES))
    path = PATHS[_SYSTEMS[system], manifests]
    if place.taken([path]):
        raise Refused(
            f"{path} is in the way in {place.describe()}; nothing was written",
            reasons=(path,),
            hint="write it into an empty folder, and take over what you need",
        )
    warnings = []
    if kit is None:
        warnings.append(f"it calls {called.path}: put your copy of gitops there, or give --kit")
    if not manifests and repo_url is None:
        warnings.append(f"it writes to {_NOWHERE}: put the manifests there, or give --repo-url")
    repo = repo_url or _NOWHERE
    text = ci_file(_SYSTEMS[system], called, manifests=manifests, repo=repo, own=origin)
    if not dry_run:
        place.write_new({path: text.encode()})
    outcome: Literal["written", "planned"] = "planned" if dry_run else "written"
    return CallerReport(outcome, place.describe(), path, text, tuple(warnings))
