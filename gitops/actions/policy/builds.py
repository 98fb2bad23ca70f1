"""What source repositories say of a build: is it on its branch, is it newer than what runs?

Only images with a `source` in `gitops.yaml` are asked for; of the others the caller is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView
from gitops.actions.releases.history import releases_of
from gitops.core.environments.environment import Config, Environment, Overlay
from gitops.core.git.revision import parse_revision
from gitops.core.kustomization.image import ImageChange, ImageValue
from gitops.core.policy.reasons import Reason
from gitops.core.releases.followed import (
    followed_branches,
    follows_newest,
    is_out_of_bounds,
    kept_out,
)
from gitops.core.releases.provenance import origins
from gitops.core.releases.release import Release
from gitops.errors import GitopsError, Refused

_SHORT = 7


class SourceBuild(Struct, frozen=True):
    """A build whose source repositories were asked.

    Attributes:
        branch: the source branch that the caller named.
        commit: all digits of the commit where a repository knows it, else as the caller said it.
        found: URL -> all digits of the commit, for the repositories that have it on `branch`.
        heads: URL -> branch -> commit, for every repository that was asked.
    """

    branch: str
    commit: str | None
    found: Mapping[str, str] = {}
    heads: Mapping[str, Mapping[str, str]] = {}


def source_heads(
    session: Session, tip: Tip, images: Iterable[str]
) -> dict[str, Mapping[str, str] | None]:
    """Return image -> (branch -> commit as it is now); None where its source is not known.

    Each repository is asked once, with one `ls-remote`. Raises what `ports.Sources` raises.
    """
    asked: dict[str, Mapping[str, str]] = {}
    found: dict[str, Mapping[str, str] | None] = {}
    for image in images:
        url = tip.config.sources.get(image)
        if url is None or session.sources is None:
            found[image] = None
            continue
        if url not in asked:
            asked[url] = session.sources.heads(url)
        found[image] = asked[url]
    return found


def ask_build(
    session: Session, tip: Tip, images: Iterable[str], branch: str, commit: str | None
) -> SourceBuild:
    """Ask the source repositories of `images` for a branch, and a commit on it.

    Raises Refused when none of them has the branch, or the commit on it.
    """
    urls = _urls(tip, images)
    if session.sources is None or not urls:
        return SourceBuild(branch, commit)
    heads = {url: session.sources.heads(url) for url in urls}
    having = [url for url in urls if branch in heads[url]]
    if not having:
        raise Refused(
            f"there is no branch {branch} in {', '.join(urls)}",
            hint="it was deleted, or --ref is wrong",
        )
    if commit is None:
        return SourceBuild(branch, None, {}, heads)
    asked = {url: session.sources.find(url, branch, commit.lower()) for url in having}
    found = {url: whole for url, whole in asked.items() if whole is not None}
    if not found:
        raise Refused(
            f"{commit[:_SHORT]} is not on {branch} of {', '.join(having)}",
            hint="the branch was rewritten, or --commit and --ref do not belong together",
        )
    return SourceBuild(branch, next(iter(found.values())), found, heads)


def superseded(
    view: OverlayView, changes: Sequence[ImageChange], build: SourceBuild
) -> dict[str, str]:
    """Return image -> why not, for changes that would put an older build over a newer one.

    The builds are compared by their commits, where both come from the same branch.
    """
    known, sources = view.tip.config.sources, view.session.sources
    told = {
        change.image: change.before for change in changes if known.get(change.image) in build.found
    }
    if not told or sources is None:
        return {}
    found: dict[str, str] = {}
    for image, text in origins(releases_of(view), told).items():
        running = parse_revision(text)
        if running is None or running.commit is None or running.branch != build.branch:
            continue
        url = known[image]
        if sources.is_older(url, build.branch, build.found[url], running.commit):
            new, old = running.commit[:_SHORT], build.found[url][:_SHORT]
            found[image] = f"superseded: {image} runs {new}, which is newer than {old}"
    return found


def judge_follow(overlay: Overlay, build: SourceBuild | None) -> tuple[Reason, ...]:
    """Does the environment follow this one of several live release branches?

    `follow: newest` binds environments that follow branches by themselves (`deploy: auto`).
    """
    row = overlay.environment
    if build is None or row.deploy != "auto" or row.follow == "any":
        return ()
    if build.heads and is_out_of_bounds(build.branch, row):
        text = f"follows release branches below {row.follow_below}, not {build.branch}"
        return (Reason("follow", overlay.label, text),)
    for heads in build.heads.values():
        live = followed_branches(heads, row)
        ours = next((entry for entry in live if entry.branch == build.branch), None)
        if ours is not None and ours.version < live[-1].version:
            text = f"follows {live[-1].branch}, the newest release branch, not {build.branch}"
            return (Reason("follow", overlay.label, text),)
    return ()


class FollowWatch:
    """Says where a newer release branch keeps builds of what runs out; asks each source once.

    Args:
        heads: asks a source repository for its branches; raises what `ports.Sources` raises.
    """

    def __init__(self, config: Config, heads: Callable[[str], Mapping[str, str]] | None) -> None:
        self._sources = config.sources
        self._ask = heads
        self._heads: dict[str, Mapping[str, str]] = {}
        self._silent: set[str] = set()

    def looks_at(self, row: Environment) -> bool:
        """Say whether there may be anything to say of its overlays."""
        return self._ask is not None and bool(self._sources) and follows_newest(row)

    def warnings(
        self,
        row: Environment,
        images: Mapping[str, ImageValue],
        releases: Callable[[], Iterable[Release]],
    ) -> Iterator[str]:
        """Yield what there is to say of an overlay with these images and releases."""
        asked = {image: value for image, value in images.items() if image in self._sources}
        if self._ask is None or not asked or not follows_newest(row):
            return
        for url in dict.fromkeys(self._sources[image] for image in asked):
            if url in self._heads or url in self._silent:
                continue
            try:
                self._heads[url] = self._ask(url)
            except GitopsError as error:
                self._silent.add(url)
                yield f"its release branches are not known: {error.message}"
        yield from kept_out(row, origins(releases(), asked), self._sources, self._heads)


def _urls(tip: Tip, images: Iterable[str]) -> tuple[str, ...]:
    known = (tip.config.sources.get(image) for image in images)
    return tuple(dict.fromkeys(url for url in known if url is not None))
