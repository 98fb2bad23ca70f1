"""A repository with three apps in stage, prod-eu and prod-us, and the group production."""

from __future__ import annotations

from msgspec.structs import replace

from fake_archive import FakeArchive
from fakes import FakeClock, FakeRepository, session_on
from gitops.actions.context.session import Session
from gitops.core.git.commit import Identity

ANA = Identity("Ana", "ana@example.com")
BEN = Identity("Ben", "ben@example.com")
APPS = ("api", "cart", "web")
PRODUCTION = ("prod-eu", "prod-us")

CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {{name: stage, overlay: "apps/{{app}}/stage", accepts: ["release/*"], deploy: auto}}
  - {{name: prod-eu, overlay: "apps/{{app}}/prod-eu", after: [stage]{more}}}
  - {{name: prod-us, overlay: "apps/{{app}}/prod-us", after: [stage]{more}}}
"""
GROUPS = "groups:\n  - {name: production, environments: [prod-eu, prod-us]}\n"


def pinned(app: str, tag: str) -> bytes:
    """Return a kustomization that pins one image of an app."""
    return f'images:\n  - name: shop/{app}\n    newTag: "{tag}"\n'.encode()


def path_of(app: str, environment: str) -> str:
    """Return where it is."""
    return f"apps/{app}/{environment}/kustomization.yaml"


class GroupsWorld:
    """The repository, and sessions on it.

    `more` is put into the rows of prod-eu and prod-us; `groups` is the rest of gitops.yaml.
    """

    def __init__(self, more: str = "", tag: str = "1.0", groups: str = GROUPS) -> None:
        files = {"gitops.yaml": (CONFIG.format(more=more) + groups).encode()}
        for app in APPS:
            for name in ("stage", *PRODUCTION):
                files[path_of(app, name)] = pinned(app, tag)
        self.repository = FakeRepository(files)
        self.clock = FakeClock()
        self.calls = 0

    def session(self, who: Identity = ANA, *, dry_run: bool = False) -> Session:
        """Return a session of one call, whose commits are by `who`."""
        self.calls += 1
        self.repository.author = who
        session = session_on(
            self.repository,
            who,
            clock=self.clock,
            intent=f"{self.calls:032x}",
            archive=lambda: FakeArchive(self.repository),
        )
        return replace(session, dry_run=dry_run)

    def ship(self, tag: str, *environments: str, apps: tuple[str, ...] = APPS) -> str:
        """Let a deploy land behind everybody's back: one commit."""
        labels = [f"{app}/{name}" for app in apps for name in environments]
        said = "".join(f"Gitops-Environment: {label}\n" for label in labels)
        message = f"{labels[0]}: {tag}\n\nGitops-Action: deploy\n{said}Gitops-Id: {tag}\n"
        files = {path_of(app, name): pinned(app, tag) for app in apps for name in environments}
        return self.repository.commit(files, message)

    def tag(self, app: str, environment: str) -> str:
        """Return what an overlay pins."""
        content = (self.repository.show(path_of(app, environment)) or b"").decode()
        return content.split('newTag: "')[1].split('"')[0]

    @property
    def commits(self) -> int:
        """How many commits main has."""
        return len(self.repository.over(self.repository.head() or "", "0" * 40))
