"""Which images may go: the rule of `cleanup:`, over what one repository holds and who uses it.

Everything that is not known counts as in use. docs/explanation/deleting-images.md
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from gitops.core.environments.environment import match_branch
from gitops.core.environments.rows import CleanupRow
from gitops.core.images.convention import read_tag, slug_of
from gitops.core.images.name import ImageName
from gitops.core.text.plain import exact_duration
from gitops.core.text.wildcards import glob

_ATTACHED = re.compile(r"(sha256|sha512)-([0-9a-f]{64,128})(?:\.[a-z]+)?")

Action = Literal["keep", "untag", "delete", "finish", "restore"]


class TagState(Struct, frozen=True):
    """What one tag names.

    Attributes:
        children: digests in its index; () for a single image; of what it named, if `unfinished`.
        created: None where nobody says it.
        branch: the source branch that its image says it was built from; None: it says nothing.
        unfinished: the digest that it named before an earlier call began to take it away.
        config: of a single image, the digest of its configuration.
        first: of an index, the digest of its first image.
    """

    digest: str
    children: tuple[str, ...] = ()
    created: datetime | None = None
    branch: str | None = None
    unfinished: str | None = None
    config: str | None = None
    first: str | None = None


class Branches(Struct, frozen=True):
    """The branches of a source repository, as far as `cleanup:` asks.

    Attributes:
        live: slug -> branch, of those that are there and not merged.
        merged: slug -> branch, of those that are there and merged.
    """

    live: Mapping[str, str]
    merged: Mapping[str, str]


class Uses(Struct, frozen=True):
    """Who uses what of one repository.

    Attributes:
        digests: digest -> why it is in use.
        tags: tag -> why it is in use.
    """

    digests: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}


class Fate(Struct, frozen=True):
    """What becomes of one tag, and why.

    Attributes:
        action: keep; untag (the image stays, others name it); delete (the tag and its image);
            finish (an earlier call began it); restore (one began it, and it is in use by now).
        digest: what it names; for `finish` and `restore` what it named before.
    """

    name: ImageName
    tag: str
    digest: str
    action: Action
    reason: str
    created: datetime | None = None


class RepositoryState(Struct, frozen=True):
    """All that the rule is asked with."""

    name: ImageName
    tags: Mapping[str, TagState]
    uses: Uses
    branches: Branches | None
    now: datetime


def attached_to(tag: str) -> str | None:
    """Return the digest that a tag is about: `sha256-…` and `sha256-….sig` hold signatures."""
    found = _ATTACHED.fullmatch(tag)
    return f"{found[1]}:{found[2]}" if found is not None else None


def fates(row: CleanupRow, repository: RepositoryState) -> list[Fate]:
    """Return what becomes of every tag that fits the pattern, in the order of the tags.

    Other tags are kept, and never told; what they name is in use.
    """
    fitting = [tag for tag in repository.tags if glob(row.tags, tag) and attached_to(tag) is None]
    reasons: dict[str, str] = {}
    for tag in fitting:
        why = _kept(row, repository, tag)
        if why is not None:
            reasons[tag] = why
    reasons |= _newest(row, repository, fitting, reasons)
    return _decide(repository, fitting, reasons)


def _decide(
    repository: RepositoryState, fitting: Sequence[str], reasons: Mapping[str, str]
) -> list[Fate]:
    """Tell deletions from mere untagging: what is kept keeps what it names."""
    going = [tag for tag in fitting if tag not in reasons]
    held = holders(repository, going)
    found: list[Fate] = []
    for tag in fitting:
        state = repository.tags[tag]
        digest = state.unfinished or state.digest
        action: Action
        if tag in reasons:
            action, reason = "keep" if state.unfinished is None else "restore", reasons[tag]
        elif state.unfinished is not None:
            action, reason = "finish", "an earlier call began to delete it"
        elif digest in held:
            action, reason = "untag", f"the image stays: {held[digest]}"
        else:
            action, reason = "delete", _why(repository, tag)
        found.append(Fate(repository.name, tag, digest, action, reason, state.created))
    return found


def holders(repository: RepositoryState, going: Collection[str]) -> dict[str, str]:
    """Return digest -> who else names it, of all that anything names which does not go."""
    leaving = set(going)
    held = dict(repository.uses.digests)
    for tag, state in repository.tags.items():
        if tag in leaving or attached_to(tag) is not None:
            continue
        for digest in (state.digest, *state.children):
            held.setdefault(digest, f"{tag} names it")
    for state in repository.tags.values():
        # An index in use by its digest keeps its children, whatever happens to its tag.
        if state.digest in repository.uses.digests:
            for child in state.children:
                held.setdefault(child, repository.uses.digests[state.digest])
    return held


def _kept(row: CleanupRow, repository: RepositoryState, tag: str) -> str | None:
    """Return why a tag stays, None when nothing keeps it so far."""
    state = repository.tags[tag]
    used = _used(repository.uses, tag, state)
    if used is not None:
        return used
    if state.unfinished is not None:
        return None
    by_branch = _branch_keeps(row, repository, tag, state)
    if by_branch is not None:
        return by_branch
    if row.older_than is None:
        return None
    if state.created is None:
        return "nobody says how old it is"
    age = repository.now - state.created
    if age < row.older_than:
        return f"younger than {exact_duration(row.older_than)}"
    return None


def _used(uses: Uses, tag: str, state: TagState) -> str | None:
    if tag in uses.tags:
        return uses.tags[tag]
    for digest in filter(None, (state.digest, state.unfinished, *state.children)):
        if digest in uses.digests:
            return uses.digests[digest]
    return None


def _branch_keeps(
    row: CleanupRow, repository: RepositoryState, tag: str, state: TagState
) -> str | None:
    """Return why the source branch keeps a tag, None when it is merged or gone, or not asked."""
    if not row.branches:
        return None
    if repository.branches is None:
        return "nobody says which source repository it is built from (`images:` in gitops.yaml)"
    told = read_tag(tag)
    if told is None:
        return "its tag does not say which branch it was built from"
    if state.branch is not None and slug_of(state.branch) != told.slug:
        return f"its label says {state.branch}, and its tag another branch"
    if not _is_of(row, repository.branches, told.slug, state.branch):
        return f"not built from {', '.join(row.branches)}"
    if told.slug in repository.branches.live:
        return f"{repository.branches.live[told.slug]} is not merged"
    return None


def _is_of(row: CleanupRow, branches: Branches, slug: str, label: str | None) -> bool:
    """Say whether a build is of one of the branches that the row is about."""
    branch = label or branches.live.get(slug) or branches.merged.get(slug)
    if branch is not None:
        return match_branch(row.branches, branch) is not None
    # Of a branch that is gone only the slug is left.
    patterns = (re.sub(r"[^A-Za-z0-9._*]+", "-", one.replace("**", "*")) for one in row.branches)
    return any(glob(pattern, slug) for pattern in patterns)


def _newest(
    row: CleanupRow, repository: RepositoryState, fitting: Sequence[str], reasons: Mapping[str, str]
) -> dict[str, str]:
    """Return the newest that fit and would go: so many of them stay, with those that stay anyway.

    What nobody knows the age of counts as oldest, and does not take the place of another.
    """
    if not row.keep:
        return {}
    begin = datetime.min.replace(tzinfo=repository.now.tzinfo)
    ready = [tag for tag in fitting if repository.tags[tag].unfinished is None]
    order = sorted(ready, key=lambda tag: (repository.tags[tag].created or begin, tag))
    newest = order[-row.keep :]
    return {tag: f"of the newest {row.keep}" for tag in newest if tag not in reasons}


def _why(repository: RepositoryState, tag: str) -> str:
    told, branches = read_tag(tag), repository.branches
    if told is None or branches is None:
        return "nothing uses it"
    if told.slug in branches.merged:
        return f"{branches.merged[told.slug]} is merged, and nothing uses it"
    return "its branch is gone, and nothing uses it"
