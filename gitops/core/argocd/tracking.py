"""Which Applications follow an overlay of this repository, and by which of their sources.

Matching is our own, over every source of every Application: Argo CD's `repo=` filter compares
strings exactly and looks at the first source only (argo-cd, util/argo/argo.go). One repository has
many spellings, so the host and the path decide; user, scheme, `.git` and the case do not, as in
Argo CD's own webhook (util/webhook). Only what matches here may ever be patched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from msgspec import Struct

from gitops.core.argocd.application import Application, ApplicationSource
from gitops.core.git.remote_url import normalised_repository
from gitops.errors import UsageError

_PORT = re.compile(r":[0-9]+$")
_DEFAULT_PORTS = {"http": 80, "https": 443, "ssh": 22}


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
    key = repository_key(one)
    if key is None or key != repository_key(other):
        return False
    ports = _port(one), _port(other)
    # Two ports of one scheme are two servers; HTTPS, SSH and a port inside the cluster may be one.
    return (
        ports[0] is None or ports[1] is None or ports[0][0] != ports[1][0] or ports[0] == ports[1]
    )


def repository_key(url: str) -> str | None:
    """Return `host/path` in lower case, without user, scheme and port; None for no repository."""
    try:
        name = normalised_repository(url)
    except UsageError:
        return None
    if name.startswith("file:/"):
        return name.lower()
    host, _, path = name.partition("/")
    host = _PORT.sub("", host).lower()
    for prefix in ("ssh.", "altssh."):  # ssh.github.com:443, altssh.bitbucket.org:443
        host = host.removeprefix(prefix)
    return f"{host}/{path.lower()}"


def _port(url: str) -> tuple[str, int] | None:
    if "://" not in url:
        return None
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    known = _DEFAULT_PORTS.get(parts.scheme)
    if known is None:
        return None
    return parts.scheme, port if port is not None else known


def _case(feed: TrackingMatch, place: TrackedPath) -> list[str]:
    """Warn of a match by lower case alone: a server may have both repositories."""
    theirs = _path(feed.source.repository)
    if theirs in [_path(one) for one in place.repositories]:
        return []
    return [
        f"{feed.application.ref.name} reads {feed.source.repository}, which differs from this "
        "repository in upper and lower case only: taken for the same"
    ]


def _path(url: str) -> str:
    name = normalised_repository(url)
    return name.partition("/")[2]
