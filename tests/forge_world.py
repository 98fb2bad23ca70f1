"""A manifest repository and its forge, both in memory: stage before prod, prod by pull request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fake_forge import FakeForge
from fakes import FakeClock, FakeRepository, session_on
from gitops.actions.context.session import Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.promote import PromoteRequest, promote
from gitops.core.environments.environment import Config
from gitops.core.git.commit import Identity
from gitops.core.report import WriteReport
from gitops.errors import GitopsError
from gitops.ports import (
    GatedForge,
    Lost,
    Merged,
    MergeMethod,
    NoForge,
    NotMerged,
    Protection,
    PullRequest,
    PullText,
    Readiness,
    RefUpdate,
)

STAGE = "overlays/stage/kustomization.yaml"
PROD = "overlays/prod/kustomization.yaml"
HOLD = ".gitops/holds/prod.yaml"
BRANCH = "gitops/prod"
CONFIG = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {{name: stage, overlay: overlays/stage, deploy: auto, accepts: ["release/{{version}}"]}}
  - {{name: prod, overlay: overlays/prod, change: pull-request, after: [stage]{prod}}}
{top}
"""
MONA = Identity("Mona", "mona@example.com")


def overlay(api: str, web: str = "2.0") -> bytes:
    """An overlay that pins two images."""
    pins = f"  - name: shop/api\n    newTag: '{api}'\n  - name: shop/web\n    newTag: '{web}'\n"
    return f"images:\n{pins}".encode()


class WatchedForge(FakeForge):
    """Notes every call that writes; somebody else, or trouble, may come before or after one.

    Attributes:
        calls: names of the calls that wrote.
        before: name -> what happens right before its next call.
        after: name -> the error in place of its next answer: it has happened all the same.
    """

    def __init__(self, repository: FakeRepository) -> None:
        super().__init__(repository)
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}
        self.after: dict[str, GitopsError] = {}
        self.down: GitopsError | None = None

    def _look(self) -> None:
        if self.down is not None:
            raise self.down
        super()._look()

    def readiness(self, number: int) -> Readiness:
        """See `ports.Forge`; that it is still finding out is no reason against it."""
        undecided, self.undecided = self.undecided, 0
        found = super().readiness(number)
        self.undecided = undecided
        return found

    def _enter(self, name: str) -> None:
        if self.down is not None:
            raise self.down
        self.calls.append(name)
        self.before.pop(name, lambda: None)()

    def _leave(self, name: str) -> None:
        error = self.after.pop(name, None)
        if error is not None:
            raise error

    def open(self, branch: str, base: str, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        self._enter("open")
        found = super().open(branch, base, text)
        self._leave("open")
        return found

    def update(self, number: int, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        self._enter("update")
        found = super().update(number, text)
        self._leave("update")
        return found

    def comment(self, number: int, text: str) -> None:
        """See `ports.Forge`."""
        self._enter("comment")
        super().comment(number, text)
        self._leave("comment")

    def close(self, number: int) -> None:
        """See `ports.Forge`."""
        self._enter("close")
        super().close(number)
        self._leave("close")

    def merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> Merged | NotMerged:
        """See `ports.Forge`."""
        self._enter("merge")
        found = super().merge(number, head, method, title, message)
        self._leave("merge")
        return found


class RacedRepository(FakeRepository):
    """Somebody else acts right before a push, or after; some pushes are refused.

    Attributes:
        refuses: branch -> error of a push to it; `-BRANCH`: of deleting it.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(files)
        self.rivals: list[Callable[[], object]] = []
        self.followers: list[Callable[[], object]] = []
        self.refuses: dict[str, GitopsError] = {}

    def push(self, updates: list[RefUpdate]) -> Lost | None:  # type: ignore[override]
        """Let the next rival act, push, and let the next follower act."""
        if self.rivals:
            self.rivals.pop(0)()
        for update in updates:
            name = update.ref.removeprefix("refs/heads/")
            error = self.refuses.get(name if update.new is not None else f"-{name}")
            if error is not None:
                raise error
        lost = super().push(updates)
        if self.followers:
            self.followers.pop(0)()
        return lost


@dataclass
class World:
    """Repository, forge and clock of one test.

    Attributes:
        said: what a waiting person was told.
        hint: set: there is no forge, and this is what is said of it.
    """

    repository: RacedRepository
    forge: WatchedForge
    clock: FakeClock = field(default_factory=FakeClock)
    said: list[str] = field(default_factory=list)
    missing: NoForge | None = None
    _intents: int = 0

    def session(
        self, who: Identity = MONA, *, dry_run: bool = False, budget: float = 10.0
    ) -> Session:
        """A call of its own by `who`."""
        self._intents += 1
        self.repository.author = who

        def forge(_: Config) -> GatedForge | NoForge:
            return self.forge if self.missing is None else self.missing

        return session_on(
            self.repository,
            who,
            clock=self.clock,
            intent=f"{self._intents:032x}",
            budget=budget,
            dry_run=dry_run,
            forge=forge,
            say=self.said.append,
        )

    def stage(self, image: str = "shop/api:1.5.0", *more: str) -> WriteReport:
        """Have an image released in stage, as CI does."""
        return deploy(self.session(), DeployRequest(images=(image, *more), to=("stage",)))

    def promote(self, **more: object) -> WriteReport:
        """Promote to prod, as Mona."""
        return promote(self.session(), PromoteRequest(to=("prod",), **more))  # type: ignore[arg-type]

    def propose(self, image: str = "shop/api:1.5.0") -> WriteReport:
        """Release an image in stage and promote it."""
        self.stage(image)
        return self.promote()

    def protect(self, approvals: int = 1, *checks: str) -> None:
        """Give main rules for pull requests."""
        self.forge.rules["main"] = Protection(True, approvals, checks, ())

    def pins(self, branch: str = "main") -> str:
        """Return prod's kustomization."""
        return (self.repository.show(PROD, branch) or b"").decode()


def make_world(prod: str = "", top: str = "", *, approvals: int | None = 1) -> World:
    """Make a world; `prod` and `top` are further keys of prod's row and of gitops.yaml.

    The forge asks for `approvals` of pull requests into main; None: main has no rule.
    """
    config = CONFIG.format(prod=f", {prod}" if prod else "", top=top)
    repository = RacedRepository(
        {"gitops.yaml": config.encode(), STAGE: overlay("1.4.0"), PROD: overlay("1.4.0")}
    )
    world = World(repository, WatchedForge(repository))
    if approvals is not None:
        world.protect(approvals)
    return world
