"""`gitops validate --forge`: do the forges ask of pull requests what `branches:` wants?

The rows are about the manifest repository and about those that images are built from: `main` and
release branches are there, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from gitops.actions.context.session import Session
from gitops.core.environments.environment import Config, asks_for_approval
from gitops.core.environments.rows import BranchRule
from gitops.core.forges.branch_rules import (
    PROPOSALS,
    Gap,
    Raise,
    Rules,
    branches_for,
    close_gaps,
    example_of,
    find_gaps,
    proposals_gap,
    reported_checks,
)
from gitops.core.ledger import LEDGER_BRANCH
from gitops.errors import Bug, Denied, GitopsError, NotFound, Refused
from gitops.ports import GatedForge, NoForge

OpenAt = Callable[[str, Config], GatedForge | NoForge]


class Raised(Struct, frozen=True):
    """A rule that was set, or (a dry run) would be."""

    repository: str
    change: Raise


class ProtectionReport(Struct, frozen=True):
    """What was compared, and what is missing.

    Attributes:
        repositories: what was looked at, in words.
        gaps: what is still missing; after `--fix` what could not be set.
        raised: what was set.
        planned: `raised` is a plan: nothing was set.
        warnings: repositories that nobody could ask, and gaps that were not closed.
    """

    repositories: tuple[str, ...]
    gaps: tuple[Gap, ...]
    raised: tuple[Raised, ...] = ()
    planned: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """True when something required is missing."""
        return any(gap.is_error for gap in self.gaps)


class GuardedBranch(Struct, frozen=True):
    name: str
    forge: GatedForge
    branches: Mapping[str, str]
    proposes: bool = False


def check_protection(
    session: Session, config: Config, open_at: OpenAt, *, fix: bool = False
) -> ProtectionReport:
    """Compare `branches:` of `config` with the protection that the forges have.

    `open_at` opens the forge of a source repository. With `fix` what is missing is set where the
    forge's API allows, and read again; with `session.dry_run` it is only planned.

    Raises NotFound when the manifest repository has no forge to ask, and what the ports raise.
    """
    warnings: list[str] = []
    repositories: list[str] = []
    gaps: list[Gap] = []
    raised: list[Raised] = []
    for place in _places(session, config, open_at, warnings):
        repositories.append(place.name)
        found = _gaps_of(place, config.branch_rules)
        if fix and found:
            changes, _ = close_gaps(found)
            done = [one for one in changes if session.dry_run or _set(place, one, warnings)]
            raised += [Raised(place.name, one) for one in done]
            if done and not session.dry_run:
                found = _gaps_of(place, config.branch_rules)
            warnings += _unnamed(place, found)
        gaps += found
    return ProtectionReport(
        repositories=tuple(repositories),
        gaps=tuple(gaps),
        raised=tuple(raised),
        planned=session.dry_run,
        warnings=tuple(warnings),
    )


def _places(
    session: Session, config: Config, open_at: OpenAt, warnings: list[str]
) -> Iterator[GuardedBranch]:
    """Yield the manifest repository, then each source repository that can be asked."""
    if session.archive is None:
        raise Bug("there is no archive to ask for branches")
    forge = session.forge(config)
    if isinstance(forge, NoForge):
        raise NotFound(
            f"{session.repository.describe()} has no forge to compare `branches:` with",
            hint=forge.hint or "it is a path, or gitops.yaml says `forge: {kind: none}`",
        )
    proposes = any(asks_for_approval(row) for row in config.environments)
    yield GuardedBranch(forge.describe(), forge, session.archive().branches(), proposes)
    for url in dict.fromkeys(config.sources.values()):
        try:
            source = open_at(url, config)
            if isinstance(source, NoForge):
                warnings.append(f"{url} was not looked at: {source.hint or 'it has no forge'}")
                continue
            branches = session.sources.heads(url) if session.sources is not None else {}
            yield GuardedBranch(source.describe(), source, branches)
        except (NotFound, Denied) as error:
            warnings.append(f"{url} was not looked at: {error.message}")


def _gaps_of(place: GuardedBranch, rules: tuple[BranchRule, ...]) -> list[Gap]:
    known: dict[str, Rules] = {}
    found: list[Gap] = []
    for rule in rules:
        for branch in branches_for(rule, place.branches):
            if branch not in known:
                asked = place.forge.protection(branch)
                known[branch] = Rules(asked.approvals, asked.checks, asked.last_push)
            found += find_gaps(rule, place.name, branch, known[branch])
    if place.proposes and place.forge.restricts:
        asked = place.forge.protection(example_of(BranchRule(PROPOSALS)))
        found += [proposals_gap(place.name)] if asked.pushers == ("*",) else []
    return found


def _set(place: GuardedBranch, change: Raise, warnings: list[str]) -> bool:
    """Set a rule; one that the forge does not take is told, and the others go on."""
    try:
        if change.restrict:
            who = place.forge.restrict(change.branch, [LEDGER_BRANCH])
            warnings.append(f"{change.branch} of {place.name}: pushed to by {who}")
        if change.approvals or change.checks or change.last_push:
            more = {"last_push": True} if change.last_push else {}
            place.forge.protect(change.branch, change.approvals, change.checks, **more)
    except (Denied, Refused, NotFound) as error:
        warnings.append(f"{change.branch} of {place.name} stays as it is: {error.message}")
        return False
    return True


def _unnamed(place: GuardedBranch, gaps: list[Gap]) -> Iterator[str]:
    """Say how tests are named that nobody named: what CI reported last is a good guess."""
    for gap in gaps:
        if gap.kind != "tests" or gap.rule.checks or not gap.known:
            continue
        commit = place.branches.get(gap.branch)
        reported = "none"
        if commit is not None:
            try:
                reported = reported_checks(place.forge.statuses(commit))
            except GitopsError:
                reported = "unknown"
        yield (
            f"{gap.branch} of {place.name}: which checks are its tests? Name them with `checks:` "
            f"in gitops.yaml (reported for its newest commit: {reported})"
        )
