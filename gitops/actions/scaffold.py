"""`gitops init`: the first files of a manifest repository, written only where nothing is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from gitops.core.kustomization import FILE_NAMES
from gitops.core.scaffold import PLACEHOLDER_URL, scaffold_files
from gitops.errors import Refused


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
