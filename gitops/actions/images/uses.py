"""Who uses images: files of every branch, releases to go back to, and what runs.

A tag or a digest counts as used where its word stands in any file of any branch, whatever that file
is: values of charts, patches and Applications name images, too. Branches of proposals are branches.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

from msgspec import Struct

from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView
from gitops.actions.releases.history import gather_releases, releases_of
from gitops.actions.releases.rollback_target import choose_release
from gitops.core.images.cleanup import Uses
from gitops.core.kustomization.image import ImageValue, split_reference
from gitops.core.releases.release import Release
from gitops.core.text.plain import nearest_word
from gitops.errors import GitopsError, ManifestError, NotFound, Unavailable
from gitops.ports import Tree

_TOKEN = re.compile(rb"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DEEPEST = 40  # folders in folders
_MOST_RELEASES = 500  # that are read for what a hold names
_CLUSTER_SECONDS = 15.0


class Used(Struct):
    """What is in use, as it is found out: word -> the first reason for it.

    Attributes:
        wanted: the tags that matter; None: any word may be one.
    """

    wanted: Collection[str] | None = None
    digests: dict[str, str] = {}
    tags: dict[str, str] = {}

    def value(self, value: ImageValue, reason: str) -> None:
        """Add what an entry pins."""
        if value.tag is not None:
            self.tags.setdefault(value.tag, reason)
        if value.digest is not None:
            self.digests.setdefault(value.digest, reason)

    def text(self, content: bytes, reason: str) -> None:
        """Add every word of a file that may be a digest, or one of the tags."""
        for token in set(_TOKEN.findall(content)):
            word = token.decode("ascii")
            if ":" in word:
                self.digests.setdefault(word, reason)
            elif self.wanted is None or word in self.wanted:
                self.tags.setdefault(word, reason)

    def uses(self) -> Uses:
        """Return it as the rule reads it."""
        return Uses(dict(self.digests), dict(self.tags))


def read_branches(session: Session, used: Used) -> Mapping[str, str]:
    """Add what stands in the files of every branch; return branch -> the commit that was read.

    Raises what `Archive` raises: a branch that cannot be read may use anything.
    """
    if session.archive is None:
        raise Unavailable("the branches of this repository cannot be read")
    archive = session.archive()
    heads = dict(archive.branches())
    seen: set[str] = set()
    for branch, commit in heads.items():
        for path, content in _files(archive.tree(commit), seen):
            used.text(content, f"{path} on {branch}")
    return heads


def _files(
    tree: Tree, seen: set[str], folder: str = "", depth: int = 0
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file that was not seen on another branch."""
    for name in tree.entries(folder) if depth < _DEEPEST else ():
        path = f"{folder}/{name.rstrip('/')}" if folder else name.rstrip("/")
        entry = tree.entry(path)
        if entry is None or entry.kind not in ("file", "folder") or entry.id in seen:
            continue
        seen.add(entry.id)
        if entry.kind == "folder":
            yield from _files(tree, seen, path, depth + 1)
        else:
            content = tree.read(path)
            if content is not None:
                yield path, content


def read_releases(views: Iterable[OverlayView], used: Used, most: int) -> None:
    """Add the newest `most` releases of each overlay, what a rollback would take, and what is held.

    Raises what reading history raises.
    """
    views = [view for view in views if view.row.change != "work-tree"]
    if views:
        gather_releases(views)
    for view in views:
        held = _held(view)
        stream = releases_of(view)
        number = -1
        for number, release in enumerate(islice(stream, _MOST_RELEASES)):
            if number >= most and not held:
                break
            if number < most or release.commit in held:
                held.discard(release.commit)
                _add(view, release, used, f"a rollback of {view.label} may take it")
        blind = stream.unseen()
        if blind is not None and number < most:
            raise Unavailable(blind, hint="a rollback may want what cannot be seen here")
        _add_target(view, used)


def _held(view: OverlayView) -> set[str]:
    hold = view.hold
    told = (hold.release, hold.restores, hold.rolled_back) if hold is not None else ()
    return {commit for commit in told if commit is not None}


def _add_target(view: OverlayView, used: Used) -> None:
    try:
        choice = choose_release(view, view.images)
    except (GitopsError, ManifestError):
        return  # nothing to go back to, or nothing that can be read: its files were
    if choice.release is not None:
        _add(view, choice.release, used, f"a rollback of {view.label} would take it")


def _add(view: OverlayView, release: Release, used: Used, reason: str) -> None:
    for value in (release.images or {}).values():
        used.value(value, f"{reason} ({release.commit[:7]})")


def read_clusters(session: Session, tip: Tip, used: Used) -> tuple[str, ...]:
    """Add what runs in every cluster that is set up; return what was asked, for a note.

    Raises the error of a cluster that cannot be seen: it may run anything.
    """
    asked: dict[str, None] = {}
    for row in tip.config.environments:
        for cluster in session.clusters.at_hand(tip.config, row, within=_CLUSTER_SECONDS):
            if cluster.name in asked:
                continue
            asked[cluster.name] = None
            for application in cluster.applications().applications:
                for image in application.images:
                    _, tag, digest = split_reference(image)
                    used.value(ImageValue(None, tag, digest), f"runs in {cluster.name}")
    return tuple(asked)


def require_pinned(image: str, pinned: Mapping[str, object]) -> None:
    """Raise NotFound, with what was meant, for an image that is none of `pinned`."""
    if image not in pinned:
        near = nearest_word(image, pinned)
        raise NotFound(
            f"no overlay has an image {image}",
            hint=f"did you mean {near}?" if near else f"there are {', '.join(sorted(pinned))}",
        )
