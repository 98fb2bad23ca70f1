"""Which tag of a registry an environment takes by itself, and whether it may replace what runs.

Only ever forwards: what is not known to be newer than what runs stays out. A registry is somebody
else's, so everything that it says may be missing, or a lie.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from gitops.core.environments.environment import Environment, match_branch
from gitops.core.environments.tag_rules import FittingTag, TagRule
from gitops.core.kustomization.image import ImageValue, describe_value
from gitops.core.releases.branches import Version, parse_version
from gitops.core.releases.followed import followed_branches, follows_newest
from gitops.core.text.plain import some_of, timestamp
from gitops.errors import UsageError

_AHEAD = timedelta(minutes=10)  # that the clock of a builder may be before ours
_NAMED = 3  # tags in a sentence


class SeenTag(Struct, frozen=True):
    """A tag that fits, and what its registry says of the image.

    Attributes:
        created: when the image was made, as it says; None: it does not.
    """

    fits: FittingTag
    digest: str
    created: datetime | None = None

    @property
    def tag(self) -> str:
        """The tag."""
        return self.fits.tag


class TagChoice(Struct, frozen=True):
    """The newest tag, if that can be told.

    Attributes:
        why: why there is none; else what should be known of the others, "" for nothing.
    """

    tag: SeenTag | None
    why: str = ""


class RunningTag(Struct, frozen=True):
    """What an overlay pins now.

    Attributes:
        fits: its tag as the rule reads it; None: it fits no row, or has none.
        digest, created: what the registry says of it; None: it does not.
        since: when it came there, None where that is not known, or was not asked for.
    """

    value: ImageValue
    fits: FittingTag | None = None
    digest: str | None = None
    created: datetime | None = None
    since: datetime | None = None


Standing = Literal["current", "newer", "older", "unknown"]


class Compared(Struct, frozen=True):
    """How a tag stands to what runs: current is the same, and only newer goes there.

    Attributes:
        why: the reason for older and unknown.
    """

    standing: Standing
    why: str = ""


def follows(row: Environment, rule: TagRule) -> bool:
    """Say whether an environment may take anything of it by itself."""
    return row.deploy == "auto" and any(_may_follow(row, one.branch) for one in rule.rows)


def _may_follow(row: Environment, branch: str) -> bool:
    """Say whether a branch is accepted; with `{version}` in it, whether one like it can be."""
    begin, versioned, _ = branch.partition("{version}")
    if not versioned:
        return match_branch(row.accepts, branch) is not None
    heads = (re.split(r"[*{]", pattern, maxsplit=1)[0] for pattern in row.accepts)
    return any(head.startswith(begin) or begin.startswith(head) for head in heads)


def taken_by(row: Environment, tags: Iterable[FittingTag]) -> tuple[FittingTag, ...]:
    """Return the tags that an environment takes by itself: of branches that it accepts.

    Of several release branches those of the newest alone, where it follows that.
    """
    if row.deploy != "auto":
        return ()
    found = [tag for tag in tags if match_branch(row.accepts, tag.branch) is not None]
    if not follows_newest(row):
        return tuple(found)
    versioned = {tag.branch for tag in found if _version(row, tag.branch) is not None}
    live = followed_branches(versioned, row)
    newest = live[-1].branch if live else None
    return tuple(tag for tag in found if tag.branch not in versioned or tag.branch == newest)


def leading(rule: TagRule, tags: Sequence[FittingTag]) -> tuple[FittingTag, ...]:
    """Return those of `tags` that may be the newest: all of them, where only images tell.

    By numbers rows do not compare: the first row with any tags counts.
    """
    if rule.order == "created" or not tags:
        return tuple(tags)
    row = min(tag.row for tag in tags)
    numbers = max(tag.numbers for tag in tags if tag.row == row)
    return tuple(tag for tag in tags if tag.row == row and tag.numbers == numbers)


def choose_tag(rule: TagRule, tags: Sequence[SeenTag], now: datetime) -> TagChoice:
    """Return the newest of `tags`, which `leading` returned."""
    if rule.order == "version" and len({tag.digest for tag in tags}) == 1:
        return TagChoice(max(tags, key=lambda one: one.tag))
    late = [tag for tag in tags if tag.created is not None and tag.created > now + _AHEAD]
    silent = [tag for tag in tags if tag.created is None]
    told = [tag for tag in tags if tag.created is not None and tag not in late]
    notes = [
        f"{_listed(some)} {what}"
        for some, what in (
            (late, "said to be made in the future"),
            (silent, "not said when made: {number} in the tag and `order: version` can tell"),
        )
        if some
    ]
    if not told:
        return TagChoice(None, "; ".join(notes) or "there is no such tag")
    last = max(tag.created for tag in told if tag.created is not None)
    newest = [tag for tag in told if tag.created == last]
    if len({tag.digest for tag in newest}) > 1:
        return TagChoice(None, f"{_listed(newest)} made at the very same moment")
    return TagChoice(max(newest, key=lambda one: one.tag), "; ".join(notes))


def compare(rule: TagRule, row: Environment, new: SeenTag, running: RunningTag) -> Compared:
    """Say whether `new` is newer than what an overlay of `row` pins now."""
    value = running.value
    if value.tag is None and value.digest is None:
        return Compared("newer")
    if value.tag == new.tag and value.digest in (None, new.digest):
        return Compared("current")
    if value.tag is None and value.digest == new.digest:
        return Compared("current")
    what = f"{describe_value(value.nameless)} runs"
    ahead = _branch_ahead(row, new, running)
    if ahead is not None:
        return Compared("older", f"{what}, of {ahead}: a newer release branch")
    by_number = _by_number(rule, new.fits, running.fits)
    if by_number is not None:
        return by_number if by_number.standing == "newer" else Compared("older", f"{what}, newer")
    if running.digest is not None and running.digest == new.digest:
        return Compared("current")
    return _by_time(new, running, what)


def _by_number(rule: TagRule, new: FittingTag, old: FittingTag | None) -> Compared | None:
    """Compare by what stands in the tags; None: they do not tell."""
    if rule.order != "version" or old is None or old.row != new.row or old.numbers == new.numbers:
        return None
    return Compared("newer" if new.numbers > old.numbers else "older")


def _by_time(new: SeenTag, running: RunningTag, what: str) -> Compared:
    """Compare by when the images were made, else by when the running one came."""
    if new.created is not None and running.created is not None:
        if new.created > running.created:
            return Compared("newer")
        if new.created == running.created:
            return Compared("unknown", f"{what}, made at the very same moment")
        return Compared("older", f"{what}, newer: made {timestamp(running.created)}")
    if new.created is not None and running.since is not None and new.created > running.since:
        return Compared("newer")  # what was there before it was made is older
    if new.created is None:
        return Compared("unknown", f"{what}, and {new.tag} does not say when it was made")
    return Compared("unknown", f"{what}, and nobody can tell whether {new.tag} is newer")


def _branch_ahead(row: Environment, new: SeenTag, running: RunningTag) -> str | None:
    """Return the branch of what runs, where that is a newer release branch than that of `new`."""
    if not follows_newest(row) or running.fits is None:
        return None
    ours, theirs = _version(row, running.fits.branch), _version(row, new.fits.branch)
    if ours is None or theirs is None or not theirs < ours:
        return None
    return running.fits.branch


def _version(row: Environment, branch: str) -> Version | None:
    match = match_branch(row.accepts, branch)
    if match is None or match.version is None:
        return None
    try:
        return parse_version(match.version)
    except UsageError:
        return None


def _listed(tags: Collection[SeenTag]) -> str:
    """Return the names of some tags, and how many more there are, with their verb."""
    names = sorted((one.tag for one in tags), reverse=True)
    return f"{some_of(names, _NAMED)} {'is' if len(names) == 1 else 'are'}"
