"""Build an overlay before and after a change, from Git objects: nothing is run, nothing fetched."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from gitops.core.audit.affected import Belongings
from gitops.core.compare.comparison import Rendering
from gitops.core.compare.manifest_diff import diff_manifests
from gitops.core.kustomization.graph import BuildGraph, NamedTarget
from gitops.core.text.plain import one_line
from gitops.ports import Archive, BuildFile, Renderer, Tree

MOST_FILES = 3000
MOST_BYTES = 32 << 20
"""What one build may read."""


class RenderSide(Struct, frozen=True):
    """An overlay at one commit: where it lies, and what belongs to it. None: it is not there."""

    tree: Tree
    belongings: Belongings
    directory: str


def render(
    archive: Archive,
    renderer: Renderer,
    before: RenderSide | None,
    after: RenderSide | None,
    *,
    built: Callable[[RenderSide, str], None] = lambda _side, _text: None,
) -> Rendering:
    """Return the difference of two builds; `built` is shown each.

    What would be fetched or run is found before anything is built, and then nothing is.
    """
    reasons = [None if side is None else refusal(side.belongings.graph) for side in (before, after)]
    if reasons[1] is not None and reasons[0] != reasons[1] and _hides(after):
        return Rendering("failed", problem=reasons[1])
    reason = reasons[0] or reasons[1]
    if reason is not None:
        return Rendering("skipped", problem=reason)
    texts: list[str] = []
    isolated = True
    for side, when in ((before, "before the change"), (after, "after the change")):
        if side is None:
            texts.append("")
            continue
        files = files_of(archive, side)
        if isinstance(files, str):
            return Rendering("skipped", problem=files, isolated=isolated)
        build = renderer.build(files, side.directory)
        isolated = isolated and build.isolated
        if build.text is None:
            what = f"{when}: {build.problem or 'it does not build'}"
            # What was broken before may be what the change mends.
            broken = side is after
            return Rendering("failed" if broken else "skipped", problem=what, isolated=isolated)
        texts.append(build.text)
        built(side, build.text)
    objects = diff_manifests(*texts)
    return Rendering("changed" if objects else "same", objects, isolated=isolated)


def refusal(graph: BuildGraph) -> str | None:
    """Say why nobody builds it: it would look at this machine, fetch something, or run it."""
    for one in graph.outside:
        return f"{_placed(one)} leads out of the repository"
    for one in graph.remotes:
        return f"it is built from {_placed(one)}, and nothing is fetched here"
    for path, programs in graph.programs.items():
        return f"{path} needs {', '.join(programs)}, and nothing is run here"
    for path, problem in graph.broken.items():
        return f"{path} cannot be read: {problem}"
    return graph.limits[0] if graph.limits else None


def _hides(side: RenderSide | None) -> bool:
    """Say whether a build would read what nobody here can see; a URL or a chart is only told."""
    if side is None:
        return False
    graph = side.belongings.graph
    return bool(graph.outside or graph.broken or graph.limits)


def _placed(one: NamedTarget) -> str:
    return f"{one_line(one.target, 120)} ({one.path}:{one.line})"


def files_of(archive: Archive, side: RenderSide) -> dict[str, BuildFile] | str:
    """Return the files that a build reads, or why there are too many."""
    found: dict[str, str] = {}  # path -> kind
    ids: dict[str, str] = {}
    executable: set[str] = set()
    todo = [*side.belongings.paths, *side.belongings.folders]
    while todo:
        path = todo.pop()
        entry = side.tree.entry(path)
        if entry is None or path in found or entry.kind == "submodule":
            continue
        if entry.kind == "folder":
            if _is_whole(path, side.belongings):
                names = side.tree.entries(path)
                todo += [
                    f"{path}/{name.rstrip('/')}" if path else name.rstrip("/") for name in names
                ]
            continue
        found[path], ids[path] = entry.kind, entry.id
        if entry.executable:
            executable.add(path)
        if len(found) > MOST_FILES:
            return f"it is built from more than {MOST_FILES} files"
    archive.prepare(list(dict.fromkeys(ids.values())))
    files: dict[str, BuildFile] = {}
    size = 0
    for path, kind in found.items():
        if kind == "link":
            files[path] = BuildFile(side.tree.target(path).encode("utf-8", "surrogateescape"), True)
            continue
        content = side.tree.read(path) or b""
        size += len(content)
        if size > MOST_BYTES:
            return f"it is built from more than {MOST_BYTES >> 20} MB of files"
        files[path] = BuildFile(content, executable=path in executable)
    return files


def _is_whole(path: str, belongings: Belongings) -> bool:
    return any(
        path == folder or path.startswith(f"{folder}/") or not folder
        for folder in belongings.folders
    )
