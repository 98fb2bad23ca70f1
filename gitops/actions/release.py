"""`gitops release cut` and `gitops release list`: release branches of the source repositories."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from gitops.actions.context.overlays import overlays_of
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.releases.history import gather_releases, releases_of
from gitops.actions.releases.ledger import words_on
from gitops.core.environments.environment import Config
from gitops.core.git.revision import parse_revision
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.branches import parse_version, release_branches
from gitops.core.releases.provenance import origins
from gitops.core.report import CutBranch, CutReport, LiveBranch, ReleaseListReport, RunningImage
from gitops.errors import ConfigError, ManifestError, NotFound, Refused, UsageError
from gitops.ports import Sources

_DEFAULT = "release/{version}"


class CutRequest(Struct, frozen=True):
    """What `gitops release cut` was asked for.

    Attributes:
        start: the branch that the release branch is cut from.
        commit: a commit on `start` (hex, at least 7 digits); None: its head.
        source: URL, or name of an image, of the one repository that is meant; None: all of them.
    """

    version: str
    start: str = "main"
    commit: str | None = None
    source: str | None = None


def cut(session: Session, request: CutRequest) -> CutReport:
    """Make `release/VERSION` in the source repositories.

    All of them are checked before the first branch is made. Raises UsageError (the version does
    not parse), Refused (a branch exists, a commit is not on `start`), NotFound, ConfigError, and
    what `ports.Sources` raises.
    """
    parse_version(request.version)
    tip = open_tip(session)
    sources = _sources(session)
    urls = _chosen(tip.config, request.source)
    if request.commit is not None and len(urls) > 1:
        raise UsageError(
            "--commit is a commit of one source repository: say which with --source",
            hint=", ".join(urls),
        )
    branch = _pattern(tip.config).replace("{version}", request.version)
    planned: list[CutBranch] = []
    for url in urls:
        heads = sources.heads(url)
        if branch in heads:
            raise Refused(f"{branch} exists in {url}, at {heads[branch][:7]}")
        if request.start not in heads:
            raise NotFound(f"no branch {request.start} in {url}", hint="--from names another one")
        commit: str | None = heads[request.start]
        if request.commit is not None:
            commit = sources.find(url, request.start, request.commit.lower())
        if commit is None:
            raise Refused(f"{request.commit} is not on {request.start} of {url}")
        planned.append(CutBranch(url, _images(tip.config, url), branch, commit))
    if session.dry_run:
        return CutReport("planned", request.version, tuple(planned))
    done: list[str] = []
    for entry in planned:
        if not sources.create_branch(entry.url, entry.branch, entry.commit, request.start):
            made = f" (made already in {', '.join(done)})" if done else ""
            raise Refused(f"{entry.branch} was made in {entry.url} by somebody else{made}")
        done.append(entry.url)
    return CutReport("created", request.version, tuple(planned))


def list_releases(session: Session) -> ReleaseListReport:
    """Return the release branches of every source repository, newest first, and what runs where.

    What was said of it stands beside it: a word on the whole set of images that an overlay pins.
    """
    tip = open_tip(session)
    sources = _sources(session)
    running, warnings = _running(session, tip)
    found: list[LiveBranch] = []
    for url in _chosen(tip.config, None):
        heads = sources.heads(url)
        images = _images(tip.config, url)
        for entry in reversed(release_branches(heads, (_pattern(tip.config),))):
            found.append(
                LiveBranch(
                    url=url,
                    images=images,
                    branch=entry.branch,
                    head=heads[entry.branch],
                    running=tuple(
                        one for one in running if one.branch == entry.branch and one.image in images
                    ),
                )
            )
    return ReleaseListReport(tuple(found), warnings)


def _sources(session: Session) -> Sources:
    if session.sources is None:
        raise NotFound("no source repository can be asked here")
    return session.sources


def _chosen(config: Config, source: str | None) -> tuple[str, ...]:
    """Return the URLs that are meant: all, or the one that `source` names."""
    urls = tuple(dict.fromkeys(config.sources.values()))
    if not urls:
        raise ConfigError(
            "gitops.yaml names no source repository",
            hint="images: [{name: shop/api, source: https://git.example.com/shop/api.git}]",
        )
    if source is None:
        return urls
    url = config.sources.get(source, source)
    if url not in urls:
        raise NotFound(f"no source repository {source!r}; there are {', '.join(urls)}")
    return (url,)


def _pattern(config: Config) -> str:
    """Return what release branches are called: the first pattern that captures a version."""
    patterns = (text for row in config.environments for text in row.accepts)
    found = (text for text in patterns if "{version}" in text and "*" not in text)
    return next(found, _DEFAULT)


def _images(config: Config, url: str) -> tuple[str, ...]:
    return tuple(image for image, source in config.sources.items() if source == url)


def _running(session: Session, tip: Tip) -> tuple[tuple[RunningImage, ...], tuple[str, ...]]:
    """Return what runs of known sources, and which lines of the ledger do not count."""
    found: list[RunningImage] = []
    warnings: list[str] = []
    for row in tip.config.environments:
        if row.change == "work-tree":
            continue
        try:
            overlays = overlays_of(tip.of(row), row)
        except NotFound as error:
            warnings.append(error.message)
            continue
        views = [view_of(session, tip, overlay) for overlay in overlays]
        gather_releases([view for view in views if _known_values(view)])
        for view in views:
            revisions = {
                image: revision
                for image, text in _origins(view).items()
                if (revision := parse_revision(text)) is not None
            }
            newest = next(releases_of(view), None) if revisions else None
            if newest is None:
                continue
            words, unheard = words_on(view, newest)
            warnings += unheard
            found += [
                RunningImage(view.overlay, image, revision.branch, revision.commit, words)
                for image, revision in revisions.items()
            ]
    return tuple(found), tuple(dict.fromkeys(warnings))


def _origins(view: OverlayView) -> Mapping[str, str | None]:
    """Return image -> source of what an overlay pins, {} when it cannot be read."""
    known = _known_values(view)
    return origins(releases_of(view), known) if known else {}


def _known_values(view: OverlayView) -> dict[str, ImageValue]:
    """Return what an overlay pins of images with a known source, {} when it cannot be read."""
    try:
        values = view.images
    except (NotFound, ManifestError):
        return {}
    return {image: value for image, value in values.items() if image in view.tip.config.sources}
