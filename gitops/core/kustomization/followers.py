"""An image edited with all that follows it, and a change looked at for being no more than that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from gitops.core.environments.follower import Also
from gitops.core.kustomization.edit import Edit, FileEdit, edit_images, only_images
from gitops.core.kustomization.following import Read, Values, files_of, follow, followers_in
from gitops.core.kustomization.image import ImageRequest
from gitops.core.kustomization.read import image_values
from gitops.errors import GitopsError, ManifestError


def edit_with_followers(
    read: Read,
    path: str,
    content: bytes,
    requests: Sequence[ImageRequest],
    also: Also,
    *,
    add: bool = False,
) -> Edit:
    """Return the edit of a kustomization, with all that follows its images.

    `read` gives the file at a path, None where there is none. Raises what `edit_images` raises, and
    ManifestError where a value cannot follow.
    """
    if not any(request.image in also for request in requests):
        return edit_images(content, path, requests, add=add)
    folder, _, name = path.rpartition("/")
    before = f"{folder}/" if folder else ""
    edit = edit_images(content, path, requests, add=add, also=followers_in(also, name))
    changed = [(one.image, one.after) for one in edit.changes if one.image in also]
    beside: list[FileEdit] = []
    for file in files_of(also, changed):
        present = read(before + file) if file != name else None
        if present is not None:
            after = follow(present, before + file, changed, followers_in(also, file))
            if after != present:
                beside.append(FileEdit(before + file, present, after))
    return replace(edit, beside=tuple(beside)) if beside else edit


def image_paths(
    before: Read, after: Read, path: str, changed: Iterable[str], also: Also
) -> frozenset[str]:
    """Return those of the `changed` paths that differ in image values, and in what follows them,
    and in nothing else.

    `path` is the kustomization; `before` and `after` give the files of two trees.
    """
    old, new = before(path), after(path)
    if old is None or new is None:
        return frozenset()
    folder, _, name = path.rpartition("/")
    prefix = f"{folder}/" if folder else ""
    try:
        known = image_values(old, path)
        values = [
            (image, value)
            for image, value in image_values(new, path).items()
            if known.get(image) != value
        ]
    except ManifestError:
        return frozenset()
    found = [path] if only_images(old, new, path, followers_in(also, name)) else []
    for file in files_of(also, values):
        if file != name and _follows(
            before, after, prefix + file, values, followers_in(also, file)
        ):
            found.append(prefix + file)
    return frozenset(found).intersection(changed)


def _follows(before: Read, after: Read, path: str, values: Values, also: Also) -> bool:
    old, new = before(path), after(path)
    if old is None or new is None:
        return False
    try:
        return follow(old, path, values, also) == new
    except GitopsError:
        return False
