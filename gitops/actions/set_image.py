"""`gitops set-image`: edit one kustomization of a local folder, without Git and without policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gitops.core.kustomization import FILE_NAMES, choose_file, edit_images
from gitops.core.kustomization.image import parse_image
from gitops.core.report import FileDiff, OverlayChange, WriteReport
from gitops.errors import NotFound


class Folder(Protocol):
    """A folder on disk."""

    def names(self) -> tuple[str, ...]:
        """Return the names in it, sorted; () when it is not there."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file in it, None when there is none."""
        ...

    def replace(self, path: str, content: bytes) -> None:
        """Replace a file atomically, keeping its mode."""
        ...


def set_image(
    folder: Folder, directory: str, images: Sequence[str], *, add: bool, dry_run: bool
) -> WriteReport:
    """Put `images` (IMAGE arguments) into the kustomization of `folder`.

    Raises UsageError, NotFound (no kustomization, no such image), ManifestError, Denied.
    """
    requests = [parse_image(text) for text in images]
    name = choose_file(folder.names(), directory)
    content = folder.read(name) if name is not None else None
    if name is None or content is None:
        raise NotFound(
            f"no kustomization in {directory}", hint=f"one of {', '.join(FILE_NAMES)} must be there"
        )
    path = f"{directory.rstrip('/')}/{name}" if directory not in ("", ".") else name
    edit = edit_images(content, path, requests, add=add)
    if edit.changes and not dry_run:
        folder.replace(name, edit.after)
    return WriteReport(
        action="set-image",
        outcome=("planned" if dry_run else "edited") if edit.changes else "unchanged",
        branch="",
        repository=directory,
        changes=tuple(OverlayChange(None, path, change) for change in edit.changes),
        warnings=edit.warnings,
        diffs=(FileDiff(path, edit.before, edit.after),) if edit.changes else (),
    )
