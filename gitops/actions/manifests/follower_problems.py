"""What is wrong with values that follow images: they do not, or they are nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gitops.actions.context.overlays import read_overlay
from gitops.actions.manifests.overlay_problems import problem_of
from gitops.core.environments.environment import CONFIG_PATH, Config, Overlay
from gitops.core.environments.follower import Also, Follower
from gitops.core.kustomization.following import followed, stragglers
from gitops.core.kustomization.read import Lists
from gitops.core.report import Problem
from gitops.core.yamltext import parse_first
from gitops.errors import ManifestError, NotFound
from gitops.ports import Snapshot


class FollowerCheck:
    """Looks at what follows the images of overlays, one after the other."""

    def __init__(self, config: Config) -> None:
        self._also: Also = config.also
        self._seen: set[tuple[str, Follower]] = set()

    def problems(self, home: Snapshot, overlay: Overlay) -> Iterator[Problem]:
        """Yield what is wrong in the folder of one overlay."""
        if not self._also:
            return
        try:
            file = read_overlay(home, overlay)
            images = file.read_images()
        except (ManifestError, NotFound):
            return  # told already
        for image, follower in _each(self._also):
            path = overlay.path_of(follower.file)
            content = home.read(path) if image in images else None
            if content is None:
                continue
            try:
                lists = Lists(parse_first(content, path))
                if list(followed(lists, [(image, images[image])], {image: (follower,)})):
                    self._seen.add((image, follower))
            except ManifestError as error:
                self._seen.add((image, follower))
                yield problem_of(error)
        for one in stragglers(home.read, file.path, images, self._also):
            yield Problem(one.path, one.line, one.column, "warning", one.problem)

    def unused(self) -> Iterator[Problem]:
        """Yield what was found in no overlay."""
        for image, follower in _each(self._also):
            if (image, follower) not in self._seen:
                text = (
                    f"no overlay with {image} has {follower.key} in {follower.file}: nothing "
                    "follows there"
                )
                yield Problem(CONFIG_PATH, 1, 1, "warning", text)


def _each(also: Also) -> Iterable[tuple[str, Follower]]:
    return [(image, one) for image, followers in also.items() for one in followers]
