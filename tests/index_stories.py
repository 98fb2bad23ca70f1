"""Repositories that people, bots and machines write to, drawn by a seed; for tests of the index."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from fakes import FakeRepository, session_on
from gitops.actions.context.session import Session
from gitops.adapters.gitrepo.cache.index import KeptIndex
from gitops.core.hold import Hold, hold_path, render_hold
from gitops.core.ledger.parts import ledger_path
from gitops.core.ledger.records import Record, render_record

APPS = ("a", "a-b", "shop", "web")
ENVIRONMENTS = ("dev", "prod")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
Files = dict[str, bytes | None]


def config(pattern: str, own: str | None, formerly: str = "") -> bytes:
    """Two environments, of which prod may live on a branch of its own."""
    branch = f", branch: {own}" if own is not None else ""
    return (
        "apiVersion: gitops/v1\nkind: Config\nbranch: main\nenvironments:\n"
        f'  - {{name: dev, overlay: "{pattern}dev"{formerly}}}\n'
        f'  - {{name: prod, overlay: "{pattern}prod", change: pull-request{branch}}}\n'
    ).encode()


def session_of(repository: FakeRepository, index: KeptIndex | None) -> Session:
    """One call."""
    return session_on(repository, intent="1", index=index)


class Story:
    """A repository that people and bots write to, drawn by a seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.own = "prod" if seed % 3 == 0 else None
        self.pattern = "apps/{app}/" if seed % 4 else "overlays/"
        self.moved = 0
        self.tags = 0
        self.repository = FakeRepository()
        self.commit({"gitops.yaml": config(self.pattern, self.own), **self.overlays()})
        if self.own is not None:
            self.repository.commit(self.overlays(), "own\n", branch=self.own)
        self.steps: list[Callable[[], None]] = [
            *[self.deploy] * 6,
            *[self.edit, self.add, self.remove, self.rename, self.hold, self.resume],
            *[self.break_, self.twice, self.bring_in, self.wrong_way, self.rewind, self.configure],
            self.say,
            *[self.propose, self.propose_more, self.merge, self.close],
        ]

    def folder(self, app: str, environment: str) -> str:
        """The folder of an overlay."""
        return f"{self.pattern}{environment}".replace("{app}", app)

    def file(self, app: str, environment: str, name: str = "kustomization.yaml") -> str:
        """A file of it."""
        return f"{self.folder(app, environment)}/{name}"

    def overlays(self) -> Files:
        """What stands there at first."""
        apps = APPS[:2]
        return {self.file(app, name): self.content() for app in apps for name in ENVIRONMENTS}

    def content(self) -> bytes:
        """A kustomization that was never there before, mostly."""
        self.tags += 1
        tag = self.draw.choice([f"1.{self.tags}", "1.0"])
        if self.draw.random() < 0.1:
            return b"images: []\n"
        return f'images:\n  - {{name: shop/api, newTag: "{tag}"}}\n'.encode()

    def home(self, environment: str) -> str:
        """The branch of an environment."""
        return self.own if self.own is not None and environment == "prod" else "main"

    def some(self) -> tuple[str, str, str]:
        """An app, an environment, and its branch."""
        app, environment = self.draw.choice(APPS), self.draw.choice(ENVIRONMENTS)
        return app, environment, self.home(environment)

    def commit(self, files: Files, message: str = "by hand\n", branch: str = "main") -> str:
        """Commit it."""
        return self.repository.commit(files, message, branch=branch)

    def there(self, branch: str) -> Mapping[str, bytes]:
        """The files of a branch."""
        return self.repository.commits[self.repository.branches[branch]].files

    def deploy(self) -> None:
        """Another tag, said as gitops says it or not."""
        app, environment, branch = self.some()
        label = f"{app}/{environment}" if "{app}" in self.pattern else environment
        said = f"x\n\nGitops-Action: deploy\nGitops-Environment: {label}\n"
        message = self.draw.choice([said, "by hand\n"])
        self.commit({self.file(app, environment): self.content()}, message, branch)

    def edit(self) -> None:
        """Something beside the images."""
        app, environment, branch = self.some()
        path = self.file(app, environment)
        before = self.there(branch).get(path)
        files: Files = {self.file(app, environment, "patch.yaml"): f"{self.tags}\n".encode()}
        if before is not None and self.draw.random() < 0.5:
            files = {path: before + b"# a word\n"}
        self.commit(files, branch=branch)

    def add(self) -> None:
        """An app that was not there, or is anew."""
        app, environment, branch = self.some()
        self.commit({self.file(app, environment): self.content()}, branch=branch)

    def remove(self) -> None:
        """A folder goes."""
        app, environment, branch = self.some()
        gone = [
            path for path in self.there(branch) if path.startswith(self.folder(app, environment))
        ]
        self.commit(dict.fromkeys(gone), branch=branch)

    def rename(self) -> None:
        """A folder gets another name."""
        app, environment, branch = self.some()
        other = self.draw.choice(APPS)
        old, new = self.folder(app, environment), self.folder(other, environment)
        files: Files = {}
        for path, content in self.there(branch).items():
            if path.startswith(f"{old}/") and old != new:
                files |= {path: None, path.replace(old, new, 1): content}
        self.commit(files, branch=branch)

    def hold(self) -> None:
        """A hold of an app, of an environment, or of a rollback."""
        app, environment, branch = self.some()
        line = [self.repository.branches[branch]]
        while parents := self.repository.commits[line[-1]].info.parents:
            line.append(parents[0])
        restores = self.draw.choice([None, self.draw.choice(line)])
        hold = Hold("Ana", NOON, "INC-1", restores=restores, rolled_back=line[0])
        wide = self.draw.random() < 0.3 or "{app}" not in self.pattern
        path = hold_path(environment, None if wide else app)
        files: Files = {path: render_hold(hold)}
        if self.draw.random() < 0.5:
            files[self.file(app, environment)] = self.content()
        self.commit(files, branch=branch)

    def resume(self) -> None:
        """All holds go, or one that nobody can read comes."""
        branch = self.home(self.draw.choice(ENVIRONMENTS))
        files: Files = dict.fromkeys(one for one in self.there(branch) if one.startswith(".gitops"))
        if self.draw.random() < 0.2:
            files[hold_path("dev", None)] = b"by: ["
        self.commit(files, branch=branch)

    def break_(self) -> None:
        """A kustomization that nobody can read."""
        app, environment, branch = self.some()
        self.commit({self.file(app, environment): b"images: {"}, branch=branch)

    def twice(self) -> None:
        """A second kustomization, or the only one under another name."""
        app, environment, branch = self.some()
        files: Files = {self.file(app, environment, "kustomization.yml"): self.content()}
        if self.draw.random() < 0.7:
            files[self.file(app, environment)] = None
        self.commit(files, branch=branch)

    def bring_in(self, *, wrong: bool = False) -> None:
        """A side line is merged."""
        app, environment, branch = self.some()
        head = self.repository.branches[branch]
        at = self.repository.commits[head].info.parents[:1] or (head,)
        files = {self.file(app, environment): self.content()}
        side = self.repository.commit(files, "side\n", branch="side", parents=at)
        parents = (side, head) if wrong else (head, side)
        merged: Files = dict(self.there(branch)) | files
        self.repository.commit(merged, "Merge\n", branch=branch, parents=parents)

    def wrong_way(self) -> None:
        """The branch is merged into a side line, which takes its place."""
        self.bring_in(wrong=True)

    def rewind(self) -> None:
        """The branch is put back, and goes on from there."""
        branch = self.home(self.draw.choice(ENVIRONMENTS))
        for _ in range(self.draw.randrange(4)):
            parents = self.repository.commits[self.repository.branches[branch]].info.parents
            if parents and "gitops.yaml" in (files := self.repository.commits[parents[0]].files):
                same = files["gitops.yaml"] == self.there("main")["gitops.yaml"]
                self.repository.branches[branch] = (
                    parents[0] if same or branch != "main" else (self.repository.branches[branch])
                )
        self.deploy()

    def configure(self) -> None:
        """Another row, or another place for all overlays."""
        if self.draw.random() < 0.5:
            text = config(self.pattern, self.own, ", formerly: [old]")
            self.commit({"gitops.yaml": text})
            return
        old, self.moved = self.pattern, self.moved + 1
        self.pattern = f"moved{self.moved}/{'{app}/' if '{app}' in old else ''}"
        root, new = old.partition("/")[0], self.pattern.partition("/")[0]
        for branch in dict.fromkeys(("main", *([self.own] if self.own else []))):
            files: Files = {}
            for path, content in self.there(branch).items():
                if path.startswith(f"{root}/"):
                    files |= {path: None, path.replace(root, new, 1): content}
            if branch == "main":
                files["gitops.yaml"] = config(self.pattern, self.own)
            self.commit(files, branch=branch)

    def say(self) -> None:
        """A word in the ledger."""
        app, environment, branch = self.some()
        path = ledger_path(environment, app if "{app}" in self.pattern else None)
        commit = self.repository.branches[branch]
        word = render_record(Record(commit, "qa-passed", NOON, "Bo"))
        before = self.there("gitops/ledger").get(path, b"") if self.has_ledger else b""
        self.commit({path: before + word}, branch="gitops/ledger")

    @property
    def has_ledger(self) -> bool:
        """Somebody said something."""
        return "gitops/ledger" in self.repository.branches

    def proposed(self) -> list[str]:
        """The branches of proposals that stand."""
        return sorted(
            one for one in self.repository.branches if one.startswith("gitops/") and "prod" in one
        )

    def propose(self) -> None:
        """Something waits for one app of prod, or for all of them."""
        app, branch = self.draw.choice(APPS), self.home("prod")
        wide = "{app}" not in self.pattern or self.draw.random() < 0.2
        head = self.repository.branches[branch]
        there = [one for one in APPS if self.file(one, "prod") in self.there(branch)]
        paths = [self.file(one, "prod") for one in (there if wide else [app])]
        name = "gitops/prod" if wide else f"gitops/{app}/prod"
        files: Files = dict.fromkeys(paths, self.content())
        if files:
            said = "x\n\nGitops-Action: promote\n"
            self.repository.commit(files, said, branch=name, parents=(head,))

    def propose_more(self) -> None:
        """Somebody puts a commit, or the base, onto a proposal."""
        if not (names := self.proposed()):
            return
        name, base = self.draw.choice(names), self.repository.branches[self.home("prod")]
        parents = (self.repository.branches[name], base)
        app = self.draw.choice(APPS)
        files: Files = {self.file(app, "prod"): self.content()}
        keep = self.draw.random() < 0.5
        self.repository.commit(files, branch=name, parents=parents[:1] if keep else parents)

    def merge(self) -> None:
        """A proposal lands: as a merge, squashed, or as a merge that takes nothing of it."""
        if not (names := self.proposed()):
            return
        branch, name = self.home("prod"), self.draw.choice(names)
        head, base = self.repository.branches[name], self.repository.branches[branch]
        way, theirs = self.draw.randrange(3), self.there(name)
        files: Files = {
            path: content
            for path, content in theirs.items()
            if path.startswith(self.pattern.partition("{app}")[0]) and "prod" in path
        }
        parents = (base,) if way == 1 else (base, head)
        self.repository.commit({} if way == 2 else files, "M\n", branch=branch, parents=parents)

    def close(self) -> None:
        """A proposal's branch goes."""
        if names := self.proposed():
            del self.repository.branches[self.draw.choice(names)]
