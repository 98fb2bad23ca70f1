"""What a build says of an overlay: whether it builds, and which of its entries change anything.

An entry changes nothing where another tag in it leaves no trace. So each entry gets a tag of its
own, the overlay is built once, and the tags are looked for: patches, field specs, Components and
regular expressions as names are then kustomize's matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gitops.actions.manifests.files import FolderFiles
from gitops.actions.manifests.render import MOST_BYTES, MOST_FILES, refusal
from gitops.core.kustomization import ImageEntry, edit_images
from gitops.core.kustomization.graph import BuildGraph
from gitops.core.kustomization.image import ImageRequest, split_reference
from gitops.core.text.counting import Count, nobody_counts
from gitops.core.text.plain import one_line
from gitops.errors import ManifestError
from gitops.ports import BuildFile, Renderer, Snapshot

_MARK = "gitops-trial-{}-end"


class TrialBuild(Struct, frozen=True):
    """What came of it.

    Attributes:
        idle: the names of entries that change nothing; None where nothing was built.
        problem: why the overlay does not build.
        isolated: the build saw its files alone.
        text: the manifests; the images in them have tags of the trial.
        skipped: why nothing was built.
    """

    idle: frozenset[str] | None = None
    problem: str | None = None
    isolated: bool = True
    text: str | None = None
    skipped: str | None = None


class TrialBuilds(Struct):
    """The trial builds of one call.

    Attributes:
        renderer: None where there is no kustomize, or nobody wants builds.
        most: how many overlays are built; None: all.
        left_out: how many were not, for that.
        isolated: False once a build saw more than its files.
        count: tells how many overlays are behind.
    """

    renderer: Renderer | None = None
    most: int | None = None
    built: int = 0
    left_out: int = 0
    isolated: bool = True
    count: Count = nobody_counts

    @property
    def rests(self) -> bool:
        """Nothing more is built."""
        return self.renderer is None or (self.most is not None and self.built >= self.most)

    def pass_over(self) -> None:
        """Take note of an overlay that would not be built."""
        self.left_out += self.renderer is not None

    def build(
        self,
        snapshot: Snapshot,
        graph: BuildGraph,
        path: str,
        entries: Sequence[ImageEntry],
        directory: str | None = None,
    ) -> TrialBuild:
        """Build the overlay whose kustomization is at `path`, with a tag of its own in each entry.

        With `directory` that is built, which uses the overlay; `graph` is what it reads.

        Nothing is built where a build would fetch or run something, or look outside.
        """
        if self.renderer is None:
            return TrialBuild(skipped="nothing was built")
        if self.rests:
            self.left_out += 1
            return TrialBuild(skipped="it was not built: --build builds all")
        if directory is None:
            directory = path.rpartition("/")[0]
        done = _try_build(snapshot, self.renderer, graph, path, entries, directory)
        self.built += done.text is not None or done.problem is not None
        self.isolated = self.isolated and done.isolated
        return done

    def notes(self) -> tuple[str, ...]:
        """Return what a person should know of the builds as a whole."""
        found = []
        if self.left_out:
            found.append(f"{self.left_out} overlays were not built: --build builds all")
        if not self.isolated:
            found.append("builds were not kept from the files and the network of this machine")
        return tuple(found)


def _try_build(
    snapshot: Snapshot,
    renderer: Renderer,
    graph: BuildGraph,
    path: str,
    entries: Sequence[ImageEntry],
    directory: str,
) -> TrialBuild:
    names = list(dict.fromkeys(entry.image for entry in entries))
    requests = [
        ImageRequest(name, tag=_MARK.format(index), digest=None) for index, name in enumerate(names)
    ]
    files = build_files(snapshot, graph)
    if isinstance(files, str):
        return TrialBuild(skipped=files)
    try:
        content = files[path].content
        files[path] = BuildFile(edit_images(content, path, requests).after)
    except (ManifestError, KeyError):
        return TrialBuild(skipped=f"{path} cannot be edited")
    build = renderer.build(files, directory)
    if build.text is None:
        return TrialBuild(problem=build.problem or "it does not build", isolated=build.isolated)
    idle = {name for index, name in enumerate(names) if _MARK.format(index) not in build.text}
    for entry in entries:
        if entry.image in idle and _meets_another(entry, entries):
            try:
                files[path] = BuildFile(edit_images(content, path, [_alone(entry)]).after)
                again = renderer.build(files, directory).text
            except ManifestError:
                again = None
            if again is None or _MARK.format("alone") in again:
                idle.discard(entry.image)
    return TrialBuild(frozenset(idle), isolated=build.isolated, text=build.text)


def _meets_another(entry: ImageEntry, entries: Sequence[ImageEntry]) -> bool:
    """Say whether an entry may be found by what another one makes of an image, or the other way."""
    plain = split_reference(entry.image)[0]
    return any(
        other is not entry
        and (there == plain or other.value.name == plain or entry.value.name == there)
        for other in entries
        if (there := split_reference(other.image)[0])
    )


def _alone(entry: ImageEntry) -> ImageRequest:
    """Ask for another value of one entry alone, so that all others are as they are."""
    mark = _MARK.format("alone")
    if entry.value.name is not None:
        return ImageRequest(entry.image, name=mark)
    return ImageRequest(entry.image, tag=mark, digest=None)


def plain_build(
    snapshot: Snapshot, renderer: Renderer, graph: BuildGraph, directory: str
) -> TrialBuild:
    """Build `directory` as it stands; nothing where a build would fetch, run or see too much."""
    return build_of(build_files(snapshot, graph), renderer, directory)


def build_of(files: dict[str, BuildFile] | str, renderer: Renderer, directory: str) -> TrialBuild:
    """Build `directory` from `files`; a text says why nothing can be built."""
    if isinstance(files, str):
        return TrialBuild(skipped=files)
    build = renderer.build(files, directory)
    problem = None if build.text is not None else build.problem or "it does not build"
    return TrialBuild(problem=problem, isolated=build.isolated, text=build.text)


def build_files(snapshot: FolderFiles, graph: BuildGraph) -> dict[str, BuildFile] | str:
    """Return what a build reads, or why nothing can be built."""
    reason = refusal(graph)
    if reason is not None:
        return reason
    if graph.missing:
        one = graph.missing[0]
        return f"{one_line(one.target, 120)} is not there ({one.path}:{one.line})"
    try:
        found = _files(snapshot, graph)
    except ManifestError as error:
        return error.message
    if found is None:
        return f"it is built from more than {MOST_FILES} files, or {MOST_BYTES >> 20} MB of them"
    return found


def _files(snapshot: FolderFiles, graph: BuildGraph) -> dict[str, BuildFile] | None:
    """Return what a build reads; None for too much. Raises ManifestError for a link."""
    found: dict[str, BuildFile] = {}
    size = 0
    todo = [*graph.paths, *graph.folders]
    seen: set[str] = set()
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        names = snapshot.entries(path)
        if names:
            todo += [f"{path}/{one.rstrip('/')}" if path else one.rstrip("/") for one in names]
            continue
        content = snapshot.read(path)
        if content is None:
            continue
        found[path] = BuildFile(content)
        size += len(content)
        if len(found) > MOST_FILES or size > MOST_BYTES:
            return None
    return found
