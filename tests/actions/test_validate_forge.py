"""`gitops validate --forge`: every repository is compared, and set where that is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fake_archive import FakeArchive
from fake_forge import FakeForge
from fakes import FakeRepository, session_on
from gitops.actions.validate_forge import ProtectionReport, check_protection
from gitops.core.environments.environment import Config, Environment
from gitops.core.environments.rows import BranchRule
from gitops.errors import Denied, GitopsError, NotFound, Refused
from gitops.ports import GatedForge, NoForge, Protection

SOURCE = "https://git.example.com/shop/api.git"
RULES = (
    BranchRule("main", "required", ("ci/test",), 1, "required"),
    BranchRule("release/*", None, (), 2, "advised"),
)
CONFIG = Config(branch="main", sources={"shop/api": SOURCE, "shop/web": SOURCE}, branch_rules=RULES)


class Branches:
    """`ports.Sources` of one source repository."""

    def heads(self, url: str) -> dict[str, str]:
        """Return its branches."""
        return {"main": "1" * 40, "release/1.4": "2" * 40, "release/1.5": "3" * 40}


class World:
    """The manifest repository and one source repository, each with a forge."""

    def __init__(self) -> None:
        self.repository = FakeRepository({"a": b"1"})
        self.forge: GatedForge | NoForge = FakeForge(self.repository)
        self.source: GatedForge | NoForge = FakeForge(FakeRepository({"a": b"1"}))
        self.asked: list[str] = []

    def open_at(self, url: str, config: Config) -> GatedForge | NoForge:
        """Open the forge of a source repository."""
        self.asked.append(url)
        return self.source

    def check(
        self, *, fix: bool = False, dry_run: bool = False, config: Config = CONFIG
    ) -> ProtectionReport:
        """Compare."""
        session = session_on(
            self.repository,
            load_config=lambda _: config,
            intent="i",
            dry_run=dry_run,
            archive=lambda: FakeArchive(self.repository),
            sources=Branches(),
            forge=lambda _: self.forge,
        )
        return check_protection(session, config, self.open_at, fix=fix)


def shown(report: ProtectionReport) -> list[tuple[str, str, bool]]:
    """Return branch, kind and whether it is an error, of each gap."""
    return [(gap.branch, gap.kind, gap.is_error) for gap in report.gaps]


def test_gaps_of_every_repository() -> None:
    """The manifests and each source repository, once, are compared branch by branch."""
    world = World()
    report = world.check()

    manifests = [
        ("main", "approvals", True),
        ("main", "tests", True),
        ("release/example", "approvals", False),
    ]
    source = [
        ("main", "approvals", True),
        ("main", "tests", True),
        ("release/1.4", "approvals", False),
        ("release/1.5", "approvals", False),
    ]
    assert (manifests + source, [SOURCE], True) == (shown(report), world.asked, report.refused)


def test_fix_sets_and_looks_again() -> None:
    """What is missing is set for the whole pattern, and is no gap any more."""
    world = World()
    report = world.check(fix=True)

    assert isinstance(world.forge, FakeForge)
    assert ([], 4) == (shown(report), len(report.raised))
    assert [("main", 1, ("ci/test",)), ("release/*", 2, ())] == [
        (one.change.branch, one.change.approvals, one.change.checks) for one in report.raised[:2]
    ]
    assert Protection(True, 1, ("ci/test",), ()) == world.forge.protection("main")


def test_fix_only_raises() -> None:
    """More than is wanted stays as it is."""
    world = World()
    assert isinstance(world.forge, FakeForge)
    world.forge.rules["main"] = Protection(True, 3, ("lint",), ("ci",))
    world.check(fix=True)

    assert Protection(True, 3, ("lint", "ci/test"), ("ci",)) == world.forge.protection("main")


def test_dry_run_sets_nothing() -> None:
    """A dry run tells what would be set, and the gaps stay."""
    world = World()
    report = world.check(fix=True, dry_run=True)

    assert isinstance(world.forge, FakeForge)
    assert (4, 7, True) == (len(report.raised), len(report.gaps), report.planned)
    assert {} == world.forge.rules


def test_tests_without_a_name() -> None:
    """Which check are the tests cannot be guessed: the last reported ones are told as a hint."""
    world = World()
    assert isinstance(world.forge, FakeForge)
    world.forge.reports[world.repository.branches["main"]] = {"ci/unit": "success"}
    rules = (BranchRule("main", "required"),)
    report = world.check(fix=True, config=Config("main", branch_rules=rules))

    assert [("main", "tests", True)] == shown(report)
    assert "reported for its newest commit: ci/unit" in report.warnings[0]


class Stubborn(FakeForge):
    """A forge that does not let its rules be set."""

    error: GitopsError = Refused("its edition has no such rules")

    def protect(self, branch: str, approvals: int, checks: Sequence[str]) -> None:
        """See `ports.Gates`."""
        raise self.error


@pytest.mark.parametrize("error", [Refused("no such rules"), Denied("only administrators")])
def test_forge_that_refuses(error: GitopsError) -> None:
    """A rule that cannot be set is told, the gap stays, and the others are set."""
    world = World()
    world.forge = Stubborn(world.repository)
    world.forge.error = error
    report = world.check(fix=True)

    assert ("main", "approvals", True) in shown(report)
    assert 2 == len(report.raised)
    assert error.message in report.warnings[0]


def test_what_the_forge_does_not_tell() -> None:
    """Without the right to see rules a gap is not known: a warning, whatever is required."""
    world = World()
    assert isinstance(world.forge, FakeForge)
    world.forge.rules["main"] = Protection(True, None, None)
    world.source = NoForge("set GITEA_TOKEN")
    report = world.check()

    assert (False, 2) == (report.refused, sum(not gap.known for gap in report.gaps))
    assert [f"{SOURCE} was not looked at: set GITEA_TOKEN"] == list(report.warnings)


def test_no_forge() -> None:
    """Without a forge there is nothing to compare with, and the way to one is told."""
    world = World()
    world.forge = NoForge("set GITEA_TOKEN")

    with pytest.raises(NotFound) as caught:
        world.check()

    assert "set GITEA_TOKEN" == caught.value.hint


APART = RULES[:1]
ASKING = Config(
    branch="main",
    environments=(Environment("prod", "overlays/prod", change="pull-request"),),
    branch_rules=APART,
)


def test_the_last_push_and_proposals() -> None:
    """Where the forge can, it is asked that nobody approves their last push, nor pushes freely."""
    world = World()
    forge = FakeForge(world.repository)
    world.forge = forge
    forge.rules["main"] = Protection(True, 1, ("ci/test",), (), last_push=False)
    assert [("main", "last-push", False)] == shown(world.check(config=ASKING))
    forge.restricts = True
    forge.rules["gitops/*"] = Protection(False, 0, (), ("*",))
    found = [("main", "last-push", False), ("gitops/**", "pushes", False)]
    assert found == shown(world.check(config=ASKING))

    planned = world.check(config=ASKING, fix=True, dry_run=True)
    assert ["main", "gitops/**"] == [one.change.branch for one in planned.raised]
    assert forge.rules["main"].last_push is False
    del forge.rules["gitops/*"]
    forge.rules["gitops/e*"] = Protection(False, 0, (), ("*",))
    fixed = world.check(config=ASKING, fix=True)

    assert forge.rules["main"].last_push is True
    assert "gitops/** of a forge in memory: pushed to by ci" in fixed.warnings
