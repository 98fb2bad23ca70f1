"""Which release branch an environment follows, and what that keeps out.

Whoever may push to a source repository names its branches: a `release/9999` there becomes the
newest one, and builds of all others stay out. So it is said, and `followBelow` bounds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gitops.core.environments.environment import Environment, match_branch
from gitops.core.git.revision import parse_revision
from gitops.core.releases.branches import ReleaseBranch, parse_version, release_branches
from gitops.errors import UsageError


def follows_newest(row: Environment) -> bool:
    """Say whether the environment takes builds by itself, and of the newest release branch only."""
    versions = any("{version}" in pattern for pattern in row.accepts)
    return row.deploy == "auto" and row.follow == "newest" and versions


def followed_branches(branches: Iterable[str], row: Environment) -> tuple[ReleaseBranch, ...]:
    """Return the live release branches that `row` may follow, oldest version first."""
    found = release_branches(branches, row.accepts)
    if row.follow_below is None:
        return found
    bound = parse_version(row.follow_below)
    return tuple(entry for entry in found if entry.version < bound)


def is_out_of_bounds(branch: str, row: Environment) -> bool:
    """Say whether a branch is accepted, and its version is not below `followBelow`."""
    match = match_branch(row.accepts, branch)
    if row.follow_below is None or match is None or match.version is None:
        return False
    try:
        return not parse_version(match.version) < parse_version(row.follow_below)
    except UsageError:
        return False


def kept_out(
    row: Environment,
    running: Mapping[str, str | None],
    sources: Mapping[str, str],
    heads: Mapping[str, Iterable[str]],
) -> Iterator[str]:
    """Say for which images builds of the branch that runs do not go in any more.

    Args:
        running: image -> source revision of what runs (`release/1.4@sha1:…`), where it is known.
        sources: image -> URL of its source repository.
        heads: URL -> its branches.
    """
    followed: dict[str, tuple[ReleaseBranch, ...]] = {}
    said: set[tuple[str, str, str]] = set()
    for image, text in running.items():
        revision, url = parse_revision(text), sources.get(image)
        if revision is None or url is None or url not in heads:
            continue
        if url not in followed:
            followed[url] = followed_branches(heads[url], row)
        live = followed[url]
        ours = next((entry for entry in live if entry.branch == revision.branch), None)
        if ours is None or not ours.version < live[-1].version:
            continue
        newest = live[-1].branch
        if (revision.branch, newest, url) in said:
            continue
        said.add((revision.branch, newest, url))
        yield (
            f"builds of {revision.branch}, which {image} comes from, do not go in any more: "
            f"{newest} of {url} is the newest release branch; where it should not be, delete it, "
            "or bound it by `followBelow` in gitops.yaml"
        )
