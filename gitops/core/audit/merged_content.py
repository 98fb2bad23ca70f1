"""Is what landed what was approved? One path of a merge, looked at from its three sides."""

from __future__ import annotations

from collections.abc import Callable

from gitops.core.kustomization import edit_images, image_values
from gitops.core.kustomization.edit import only_images
from gitops.core.kustomization.image import ImageRequest
from gitops.errors import GitopsError

Merge = Callable[[bytes, bytes, bytes], bytes | None]


def settled(base: object, ours: object, theirs: object) -> tuple[bool, object]:
    """Say what a merge makes of one path where it need not look inside.

    The arguments are what lies there (equal values are equal contents, None is nothing): in the
    common ancestor, on the branch, and in what was approved. Returns (True, what lies there
    afterwards), or (False, None) when both sides changed it.
    """
    if ours == base:
        return True, theirs
    if theirs in (base, ours):
        return True, ours
    return False, None


def merges_to(
    base: bytes, ours: bytes, theirs: bytes, landed: bytes, path: str, merge: Merge
) -> bool:
    """Say whether `landed` is what a merge of both sides makes of the file at `path`.

    As text, or, for a proposal that changes image values only, as gitops does it: the values are
    put into the file as the branch has it.
    """
    return merge(base, ours, theirs) == landed or _images_onto(base, ours, theirs, path) == landed


def _images_onto(base: bytes, ours: bytes, theirs: bytes, path: str) -> bytes | None:
    if not only_images(base, theirs, path):
        return None
    try:
        old, new = image_values(base, path), image_values(theirs, path)
        requests = [
            ImageRequest.exactly(image, value)
            for image, value in new.items()
            if old.get(image) != value
        ]
        return edit_images(ours, path, requests, add=True).after
    except GitopsError:
        return None
