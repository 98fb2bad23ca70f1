"""Entries of `images:` that are missing, made from what is built: rendered, nothing changes."""

from __future__ import annotations

from msgspec import Struct

from gitops.actions.manifests.files import FolderFiles, SnapshotFiles
from gitops.actions.manifests.trial_build import build_files
from gitops.core.kustomization import choose_file, edit_images, image_values
from gitops.core.kustomization.graph import walk
from gitops.core.kustomization.image import ImageRequest, ImageValue
from gitops.core.kustomization.rendered import rendered_images
from gitops.errors import GitopsError
from gitops.ports import BuildFile, Renderer


class AddedImages(Struct, frozen=True):
    """What is written into one kustomization.

    Attributes:
        images: the new entries.
        left: images that get none, each with the reason.
    """

    path: str
    after: bytes | None
    images: tuple[tuple[str, ImageValue], ...] = ()
    left: tuple[str, ...] = ()


def missing_images(files: FolderFiles, renderer: Renderer, directory: str) -> AddedImages:
    """Return the kustomization in `directory` with an entry for each image that it builds.

    It is built before and after, and must render the same to the byte; else nothing is added. An
    image that stands there with several tags, or with none, gets no entry.
    """
    where = directory or "."
    try:
        name = choose_file(files.entries(directory), directory)
        path = f"{directory}/{name}" if directory else f"{name}"
        content = files.read(path) if name is not None else None
        if content is None:
            return AddedImages(where, None, left=(f"{where}: no kustomization to be read",))
        built = build_files(files, walk(SnapshotFiles(files), directory))
        if isinstance(built, str):
            return AddedImages(path, None, left=(f"{where} is not built: {built}",))
        return _add(renderer, directory, path, content, built)
    except GitopsError as error:
        return AddedImages(where, None, left=(f"{where}: {error.message}",))


def _add(
    renderer: Renderer, directory: str, path: str, content: bytes, files: dict[str, BuildFile]
) -> AddedImages:
    before = renderer.build(files, directory)
    if before.text is None:
        return AddedImages(path, None, left=(f"{path} does not build: {before.problem}",))
    known = image_values(content, path)
    taken = {*known, *(value.name for value in known.values())}
    left: list[str] = []
    wanted: list[tuple[str, ImageValue]] = []
    for image, values in rendered_images(before.text).items():
        if image in taken:
            continue
        if len(values) > 1:
            left.append(f"{path}: {image} stands there at {len(values)} tags: pin it by hand")
        elif values[0] == ImageValue():
            left.append(f"{path}: {image} has neither tag nor digest: pin it by hand")
        else:
            wanted.append((image, values[0]))
    while wanted:
        requests = [ImageRequest.exactly(image, value) for image, value in wanted]
        after = edit_images(content, path, requests, add=True).after
        build = renderer.build({**files, path: BuildFile(after)}, directory)
        if build.text == before.text:
            return AddedImages(path, after, tuple(wanted), tuple(left))
        # One of them is written in a way that an entry does not render: without the last, then.
        image, _ = wanted.pop()
        left.append(f"{path}: an entry for {image} would change what is rendered")
    return AddedImages(path, None, left=tuple(left))
