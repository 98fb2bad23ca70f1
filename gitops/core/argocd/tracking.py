"""Which Applications follow an overlay of this repository, and by which of their sources.

Matching is our own, over every source of every Application: Argo CD's `repo=` filter compares
strings exactly and looks at the first source only (argo-cd, util/argo/argo.go). One repository has
many spellings, so the host and the path decide; user, scheme, `.git` and the case do not, as in
Argo CD's own webhook (util/webhook). Only what matches here may ever be patched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from gitops.core.argocd.application import Application, ApplicationSource
from gitops.core.git.remote_url import RemoteUrl, find_remote_url


class TrackedPath(Struct, frozen=True):
    """What Applications must follow to be ours.

    Attributes:
        repositories: how this repository is spelled here: its URL or path, and other names of it.
        branch: the branch that the overlay lives on.
        default: True when that is the default branch of the remote; None when nobody asked yet.
        directory: the overlay, from the root.
    """

    repositories: tuple[str, ...]
    branch: str
    default: bool | None
    directory: str


class TrackingMatch(Struct, frozen=True):
    """One Application that renders the overlay, by one of its sources."""

    application: Application
    source: ApplicationSource


class TrackingMatches(Struct, frozen=True):
    """What was found for one overlay.

    Attributes:
        feeds: in the order of the Applications.
        pinned: Applications of this overlay that follow something else than its branch, in words:
            a commit on the branch never reaches them.
        warnings: spellings that only differ in case, which some servers tell apart.
    """

    feeds: tuple[TrackingMatch, ...] = ()
    pinned: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def find_feeds(
    applications: Iterable[Application],
    place: TrackedPath,
    *,
    includes: Callable[[str], bool] = lambda _: False,
) -> TrackingMatches:
    """Return the Applications that follow the overlay at `place`.

    `includes` says whether the kustomization in another directory (of the same branch) brings the
    overlay in through `resources:` or `components:`.

    Several sources of one Application may match; the last one wins, as it does when they render
    the same object.
    """
    feeds: list[TrackingMatch] = []
    pinned: list[str] = []
    warnings: list[str] = []
    for application in applications:
        found: TrackingMatch | None = None
        other: str | None = None
        for source in application.sources:
            if source.path is None or not is_same_repository(source.repository, place.repositories):
                continue
            if source.path != place.directory and not includes(source.path):
                continue
            if follows_branch(source.target, place):
                found = TrackingMatch(application, source)
            else:
                other = f"{application.ref.name} follows {source.target}, not {place.branch}"
        if found is not None:
            feeds.append(found)
            warnings += _case(found, place)
        elif other is not None:
            pinned.append(other)
    return TrackingMatches(tuple(feeds), tuple(pinned), tuple(warnings))


def asks_for_default(applications: Iterable[Application], place: TrackedPath) -> bool:
    """Say whether it matters which branch is the default one: some source follows HEAD."""
    return any(
        source.target in ("", "HEAD") and is_same_repository(source.repository, place.repositories)
        for application in applications
        for source in application.sources
    )


def follows_branch(target: str, place: TrackedPath) -> bool:
    """Say whether `targetRevision` follows the branch; a commit, a tag or a range does not."""
    if target in ("", "HEAD"):
        return place.default is True
    return target.removeprefix("refs/heads/") == place.branch


def is_same_repository(url: str, ours: Iterable[str]) -> bool:
    """Say whether `url` is one of the repositories `ours`, however they are spelled."""
    return any(_is_same(url, one) for one in ours)


def _is_same(one: str, other: str) -> bool:
    left, right = find_remote_url(one), find_remote_url(other)
    if left is None or right is None or _key(left) != _key(right):
        return False
    ports = _port(left), _port(right)
    # Two ports of one scheme are two servers; HTTPS, SSH and a port inside the cluster may be one.
    return (
        ports[0] is None or ports[1] is None or ports[0][0] != ports[1][0] or ports[0] == ports[1]
    )


def _key(remote: RemoteUrl) -> str:
    if remote.scheme == "file":
        return f"file:/{remote.path.lower()}"
    host = remote.host
    for prefix in ("ssh.", "altssh."):  # ssh.github.com:443, altssh.bitbucket.org:443
        host = host.removeprefix(prefix)
    return f"{host}/{remote.path.lower()}"


def _port(remote: RemoteUrl) -> tuple[str, int] | None:
    if remote.scheme not in ("http", "https", "ssh") or remote.port is None:
        return None
    return remote.scheme, remote.port


def _case(feed: TrackingMatch, place: TrackedPath) -> list[str]:
    """Warn of a match by lower case alone: a server may have both repositories."""
    theirs = _path(feed.source.repository)
    if theirs in [_path(one) for one in place.repositories]:
        return []
    return [
        f"{feed.application.ref.name} reads {feed.source.repository}, which differs from this "
        "repository in upper and lower case only: taken for the same"
    ]


def _path(url: str) -> str | None:
    remote = find_remote_url(url)
    return None if remote is None else remote.path
