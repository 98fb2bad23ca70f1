"""`gitops images prune`: take away images of builds that nobody needs any more, by `cleanup:`.

A plan is made on fresh data each time; only `--yes` acts on it, at once. What cannot be seen (a
branch, a cluster, a registry) may use anything, so it ends the call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, views_of
from gitops.actions.images.removing import Act, Removing
from gitops.actions.images.states import add_details, at_once, read_states
from gitops.actions.images.uses import (
    Used,
    read_branches,
    read_clusters,
    read_releases,
    require_pinned,
)
from gitops.core.environments.image_rules import may_ask
from gitops.core.environments.rows import CleanupRow
from gitops.core.images.cleanup import (
    Branches,
    Fate,
    RepositoryState,
    TagState,
    Uses,
    fates,
)
from gitops.core.images.convention import read_tag, slug_of
from gitops.core.images.name import ImageName, image_name
from gitops.core.text.wildcards import glob
from gitops.errors import Conflict, GitopsError, NotFound, UsageError

_TRUNKS = ("main", "master")


class PruneRequest(Struct, frozen=True):
    """What `gitops images prune` was asked for.

    Attributes:
        images: names of images, as overlays have them; empty means all that `cleanup:` is about.
        act: delete; else only the plan is shown.
        most: so many tags at once.
        clusters: ask the clusters that are set up.
    """

    images: tuple[str, ...] = ()
    act: bool = False
    most: int = 50
    clusters: bool = True


class PruneReport(Struct, frozen=True):
    """What would go, what stays, and what went.

    Attributes:
        fates: of every tag that `cleanup:` is about.
        later: of these, so many more than `--max` would go.
        acts: what was done, in this order; () for a plan.
        error: what ended it before its time; None when nothing did.
    """

    fates: tuple[Fate, ...]
    later: int = 0
    acts: tuple[Act, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: GitopsError | None = None


class _Seen(Struct):
    """One repository with the rows of `cleanup:` that are about it, as it was looked at.

    Attributes:
        source: URL of the source repository; None where nobody says it.
    """

    name: ImageName
    source: str | None
    rows: list[CleanupRow]
    tags: dict[str, TagState] = {}


def prune(
    session: Session, request: PruneRequest, told: Callable[[Act], None] = lambda _: None
) -> PruneReport:
    """Plan what may go and, with `act`, delete it; `told` gets each act as soon as it is done.

    Raises UsageError (no `cleanup:`), NotFound (no such image), and what cannot be seen: Denied,
    Unavailable, TimedOut, Conflict (branches moved while it was looked).
    """
    tip = open_tip(session)
    rows = tip.config.cleanup
    if not rows:
        raise UsageError(
            "gitops.yaml has no `cleanup:`, so nothing may be deleted",
            hint='cleanup: [{images: ["shop/*"], tags: "feature-*", branches: ["feature/**"], '
            "olderThan: 14d}]",
        )
    views = views_of(session, tip)
    warnings: list[str] = []
    repositories = _repositories(tip, views, request, warnings)
    for one in repositories:
        session.say(f"reading the tags of {one.name}")
        one.tags = read_states(
            session.registry, one.name, dict.fromkeys(session.registry.tags(one.name)), session.say
        )
    used = Used({tag for one in repositories for tag in one.tags})
    heads = read_branches(session, used)
    read_releases(views, used, max(row.releases for row in rows))
    notes = _ask_clusters(session, tip, used, request)
    judged = [
        judged_one
        for one in repositories
        for judged_one in _judge(session, one, used.uses(), session.clock.now())
    ]
    report = _planned(judged, request, warnings, notes)
    if not request.act or all(fate.action == "keep" for fate in report.fates):
        return report
    _check_heads(session, heads)
    return _carry_out(session, judged, report, request, told)


def _ask_clusters(session: Session, tip: Tip, used: Used, request: PruneRequest) -> tuple[str, ...]:
    if not request.clusters:
        return ("clusters were not asked: what runs there is known from Git alone",)
    asked = read_clusters(session, tip, used)
    if asked:
        return (f"asked what runs in {', '.join(asked)}",)
    return ("no cluster is set up here: what runs is known from Git alone",)


def _repositories(
    tip: Tip, views: Sequence[OverlayView], request: PruneRequest, warnings: list[str]
) -> list[_Seen]:
    """Return the repositories of the images that `cleanup:` is about, as overlays name them."""
    pinned: dict[str, dict[str, None]] = {}
    for view in views:
        for image, value in view.images.items():
            pinned.setdefault(image, {})[value.name or image] = None
    for image in request.images:
        require_pinned(image, pinned)
    found: dict[ImageName, _Seen] = {}
    for image, names in pinned.items():
        rows = [row for row in tip.config.cleanup if any(glob(one, image) for one in row.images)]
        if not rows or (request.images and image not in request.images):
            continue
        for text in names:
            name = image_name(text)
            if name is None:
                warnings.append(f"{image} names no registry ({text}): nothing of it is looked at")
                continue
            if not may_ask(tip.config.registries, name.host):
                warnings.append(f"{name.host} is none of `registries.hosts`: {name} is left alone")
                continue
            seen = found.setdefault(name, _Seen(name, tip.config.sources.get(image), []))
            seen.rows += [row for row in rows if row not in seen.rows]
    return list(found.values())


def _judge(
    session: Session, seen: _Seen, uses: Uses, now: datetime
) -> list[tuple[RepositoryState, list[Fate]]]:
    """Ask the rule of each row; a tag that fits two rows is judged by the first."""
    uses = _with_children(session, seen, uses)
    made: list[tuple[RepositoryState, list[Fate]]] = []
    taken: set[str] = set()
    for row in seen.rows:
        branches = _branches(session, seen, row)
        repository = RepositoryState(seen.name, seen.tags, uses, branches, now)
        # Asked for its age is only what nothing else keeps: a question each,
        # two for an index.
        loose = replace(row, older_than=None, keep=0)
        asked = [fate.tag for fate in fates(loose, repository) if fate.action != "keep"]
        add_details(session.registry, seen.name, seen.tags, asked)
        found = [fate for fate in fates(row, repository) if fate.tag not in taken]
        taken |= {fate.tag for fate in found}
        made.append((repository, found))
    return made


def _with_children(session: Session, seen: _Seen, uses: Uses) -> Uses:
    """Add what an image in use by its digest is made of, where no tag tells it."""
    told = {state.digest for state in seen.tags.values()}
    told |= {child for state in seen.tags.values() for child in state.children}
    asked = [digest for digest in uses.digests if digest not in told]

    def children(digest: str) -> tuple[str, ...]:
        try:
            manifest = session.registry.manifest(seen.name, digest)
        except NotFound:
            return ()  # of another repository, or of no image at all
        return tuple(child.digest for child in manifest.children)

    digests = dict(uses.digests)
    for digest, found in zip(asked, at_once(children, asked), strict=True):
        for child in found:
            digests.setdefault(child, uses.digests[digest])
    return Uses(digests, uses.tags)


def _branches(session: Session, seen: _Seen, row: CleanupRow) -> Branches | None:
    """Return which branches of the source repository are there, and which of them are merged."""
    if not row.branches or seen.source is None or session.sources is None:
        return None
    heads = session.sources.heads(seen.source)
    if not heads:
        raise Conflict(
            f"{seen.source} shows no branch at all: nothing is taken for merged",
            hint="may you read it?",
        )
    wanted = {told.slug for tag in seen.tags if (told := read_tag(tag)) is not None}
    trunk = next((name for name in _TRUNKS if name in heads), None)
    live: dict[str, str] = {}
    merged: dict[str, str] = {}
    for branch, commit in heads.items():
        slug = slug_of(branch)
        is_merged = (
            slug in wanted
            and trunk not in (None, branch)
            and session.sources.find(seen.source, trunk or "", commit) is not None
        )
        (merged if is_merged else live)[slug] = branch
    return Branches(live, {slug: one for slug, one in merged.items() if slug not in live})


def _planned(
    judged: Sequence[tuple[RepositoryState, list[Fate]]],
    request: PruneRequest,
    warnings: Sequence[str],
    notes: tuple[str, ...],
) -> PruneReport:
    found = [fate for _, some in judged for fate in some]
    going = [fate for fate in found if fate.action != "keep"]
    return PruneReport(
        tuple(found),
        later=max(len(going) - request.most, 0),
        warnings=tuple(warnings),
        notes=notes,
    )


def _check_heads(session: Session, heads: Mapping[str, str]) -> None:
    """Refuse to act on branches that moved while they were read. Raises Conflict."""
    now = session.archive().branches(anew=True) if session.archive is not None else {}
    moved = sorted(name for name in {*heads, *now} if heads.get(name) != now.get(name))
    if moved:
        raise Conflict(
            f"{', '.join(moved[:3])} moved while its files were read: nothing is deleted",
            hint="run it again",
        )


def _carry_out(
    session: Session,
    judged: Sequence[tuple[RepositoryState, list[Fate]]],
    report: PruneReport,
    request: PruneRequest,
    told: Callable[[Act], None],
) -> PruneReport:
    """Act on what the plan says; the first failure ends it, and what was done is reported."""
    acts: list[Act] = []

    def note(act: Act) -> None:
        acts.append(act)
        told(act)

    error: GitopsError | None = None
    left = request.most
    try:
        for repository, some in judged:
            going = [fate for fate in some if fate.action != "keep"][:left]
            left -= len(going)
            leaving = [fate.tag for fate in going if fate.action != "restore"]
            removing = Removing(session.registry, repository, leaving)
            for fate in going:
                removing.carry_out(fate, note)
    except GitopsError as trouble:
        error = trouble
    return replace(report, acts=tuple(acts), error=error)
