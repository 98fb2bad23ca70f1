"""Which changes a check looks at: the commits of a range, as they came to a branch.

On the branch, each commit of its first-parent line is one change, a merge with all that it brought
in. A change that has not landed is one as a whole, whatever it is made of: so it would land.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.git.commit import CommitInfo
from gitops.core.releases.history import OverlayVersion
from gitops.errors import UsageError
from gitops.ports import Archive

_NOWHERE = frozenset("0")


class BranchStep(Struct, frozen=True):
    """One change: `info` says what it is, `parent` is the state before it, None for a root."""

    info: CommitInfo
    parent: str | None

    @property
    def commit(self) -> str:
        """The state after it."""
        return self.info.commit

    @property
    def strays(self) -> bool:
        """True when the state before it is not its first parent: history would go another way."""
        return bool(self.info.parents) and self.parent != self.info.parents[0]


class Changeset(Struct, frozen=True):
    """What is to be looked at.

    Attributes:
        base: the state before all of it, None when it begins with a root commit.
        tip: the state after all of it.
        landed: the branch has it.
        steps: oldest first.
        dropped: commits that the branch had and `tip` has not; a branch never loses any.
        inside: how many commits merges brought in; they are no steps of their own.
    """

    base: str | None
    tip: str
    landed: bool
    steps: tuple[BranchStep, ...]
    dropped: tuple[CommitInfo, ...] = ()
    inside: int = 0

    @property
    def strayed(self) -> tuple[BranchStep, ...]:
        """The steps after which first parents leave the line that the branch has had."""
        return tuple(step for step in self.steps if self.landed and step.strays)

    def history(self, archive: Archive, commit: str, directory: str) -> Iterator[OverlayVersion]:
        """Yield the versions of `directory` on the branch's own line, newest first.

        `commit` is the state before one of the steps. What a strayed step brought in was never the
        newest commit of the branch: it is passed over, and what lies before it is read.
        """
        at, steps = commit, {step.commit: step for step in self.steps}
        while self.strayed:
            # Back to the next step that strays; older ones are on its other side.
            segment: list[str] = []
            walked: str | None = at
            while walked in steps and (not segment or not steps[segment[-1]].strays):
                segment.append(walked)
                walked = steps[walked].parent
            if not segment or not steps[segment[-1]].strays or walked is None:
                break
            for version in archive.history(at, directory):
                if version.commit.commit not in segment:
                    break
                yield version
            at = walked
        yield from archive.history(at, directory)


def parse_range(text: str | None) -> tuple[str | None, str | None]:
    """Return (base, tip) of `A..B`, or (None, COMMIT); None for a side that is left open.

    Raises UsageError for a range without any end.
    """
    if text is None or ".." not in text:
        return None, text
    base, _, tip = text.replace("...", "..").partition("..")
    if not base and not tip:
        raise UsageError("the range names no commit", hint="for example origin/main..HEAD")
    # A CI system writes only zeros for a branch that is new, and for one that is gone.
    if tip and _NOWHERE.issuperset(tip):
        raise UsageError(f"{text}: the branch is gone, there is nothing to check")
    if base and _NOWHERE.issuperset(base):
        base = ""
    return base or "", tip or None


def read_changeset(archive: Archive, text: str | None, branch_tip: str) -> Changeset:
    """Return the changes of the range `text` beside a branch whose newest commit is `branch_tip`.

    Raises NotFound when commits are missing, UsageError for what is no range.
    """
    named_base, named_tip = parse_range(text)
    tip = archive.find(named_tip)
    landed = tip == branch_tip or not archive.over(tip, branch_tip)
    if named_base is None:
        return _of_commit(archive, tip, branch_tip, landed=landed, named=named_tip is not None)
    base = archive.find(named_base) if named_base else branch_tip
    if not landed:
        return _proposed(archive, tip, base)
    if not named_base:
        # The range of a new branch that is on this one already: its newest commit.
        return _of_commit(archive, tip, branch_tip, landed=True, named=True)
    return _landed(archive, tip, base, branch_tip)


def _of_commit(
    archive: Archive, tip: str, branch_tip: str, *, landed: bool, named: bool
) -> Changeset:
    info = archive.info(tip)
    parent = info.parents[0] if info.parents else None
    if not landed and not named:
        return _proposed(archive, tip, branch_tip)
    return Changeset(parent, tip, landed, (BranchStep(info, parent),))


def _proposed(archive: Archive, tip: str, base: str) -> Changeset:
    """All that `tip` has over `base` is one change, from where they parted."""
    new = archive.over(tip, base)
    if not new:
        return Changeset(base, tip, False, ())
    info = archive.info(tip)
    messages = tuple(one.message for one in new if one.commit != tip)
    whole = replace(info, merged=tuple(dict.fromkeys((*info.merged, *messages))))
    start = archive.fork(tip, base)
    return Changeset(start, tip, False, (BranchStep(whole, start),), inside=len(new) - 1)


def _landed(archive: Archive, tip: str, base: str, branch_tip: str) -> Changeset:
    new = archive.over(tip, base)
    dropped = archive.over(base, tip)
    if dropped and not archive.over(base, branch_tip):
        dropped = ()  # both are on the branch: a range that goes back, or across
    if dropped:
        step = BranchStep(archive.info(tip), base)
        return Changeset(base, tip, True, (step,), dropped, inside=max(len(new) - 1, 0))
    steps = _line(new, tip, base)
    told = tuple(
        BranchStep(
            archive.info(step.commit) if len(step.info.parents) > 1 else step.info, step.parent
        )
        for step in steps
    )
    return Changeset(base, tip, True, told, inside=len(new) - len(steps))


def _line(new: tuple[CommitInfo, ...], tip: str, base: str) -> tuple[BranchStep, ...]:
    """Return the way from `base` to `tip`, along first parents where they lead there.

    Somebody may have merged the branch into their own and pushed that: then the way goes along
    the parent that was the branch.
    """
    known = {info.commit: info for info in new}
    leads: set[str] = set()
    for info in reversed(new):  # parents first
        if any(parent == base or parent in leads for parent in info.parents):
            leads.add(info.commit)
    steps: list[BranchStep] = []
    at: str | None = tip
    while at is not None and at in known:
        info = known[at]
        at = _mainline(info, known, leads, base)
        steps.append(BranchStep(info, at))
    return tuple(reversed(steps))


def _mainline(
    info: CommitInfo, known: Mapping[str, CommitInfo], leads: set[str], base: str
) -> str | None:
    for parent in info.parents:
        if parent == base or parent in leads:
            return parent
    return info.parents[0] if info.parents else None
