"""The index: whatever landed since it was kept, it says what the plain reading says.

`GITOPS_TEST_HISTORIES=500` plays five hundred histories.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from fakes import FakeClock, FakeRepository
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.actions.index import board
from gitops.actions.index.board import read_index
from gitops.actions.index.page import IndexedOverlay
from gitops.adapters.gitrepo.cache.index import KeptIndex
from gitops.config import load_config
from gitops.core.git.commit import Identity
from gitops.core.hold import Hold, hold_path, render_hold
from gitops.core.ledger.records import Record, ledger_path, render_record

HISTORIES = int(os.environ.get("GITOPS_TEST_HISTORIES", "40"))
FIRST = int(os.environ.get("GITOPS_TEST_SEED", "1"))
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
        f'  - {{name: prod, overlay: "{pattern}prod"{branch}}}\n'
    ).encode()


def session_of(repository: FakeRepository, index: KeptIndex | None) -> Session:
    """One call."""
    return Session(
        repository=repository,
        evidence=repository,
        clock=FakeClock(),
        load_config=load_config,
        identity=lambda: Identity("Ana", "ana@example.com"),
        intent="1",
        index=index,
    )


def pages(session: Session) -> Mapping[str, Sequence[IndexedOverlay]]:
    """What the index says of all environments."""
    tip = open_tip(session)
    return read_index(session, tip, tip.config.environments)


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


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_it_says_what_the_plain_reading_says(seed: int) -> None:
    """Deploys, renames, holds, merges, rewrites, gaps, own branches: the same at every step."""
    story = Story(seed)
    index = KeptIndex(None)
    for _ in range(12):
        for _ in range(story.draw.choice([0, 1, 1, 2, 5])):
            story.draw.choice(story.steps)()
        assert pages(session_of(story.repository, index)) == pages(
            session_of(story.repository, None)
        )


def test_only_what_landed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """One deploy later one overlay's files are looked at, and no history."""
    story = Story(1)
    index = KeptIndex(None)
    pages(session_of(story.repository, index))
    story.commit({story.file("a", "dev"): b"images: [{name: shop/api, newTag: v9}]\n"})
    read: list[str] = []
    monkeypatch.setattr(
        board,
        "read_plainly",
        lambda view: read.append(view.label),  # type: ignore[func-returns-value]
    )
    monkeypatch.setattr(FakeRepository, "history", None)
    monkeypatch.setattr("fakes.FakeLanded.versions", lambda self, folders: {})
    with pytest.raises(TypeError):
        pages(session_of(story.repository, index))  # the one that was touched, and no other
    assert read == []


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page[:-1],
        lambda page: page + b"x",
        lambda page: b"",
        lambda page: page[:40] + bytes([page[40] ^ 1]) + page[41:],
        lambda page: b"\x00" * 100,
    ],
)
def test_a_damaged_page_is_none(change: Callable[[bytes], bytes]) -> None:
    """Whatever stands there in its place: all is read again, and a whole page kept."""
    story = Story(2)
    index = KeptIndex(None)
    wanted = pages(session_of(story.repository, index))
    whole = dict(index._pages)
    for name, content in whole.items():
        index.keep(name, change(content))
    assert pages(session_of(story.repository, index)) == wanted
    assert index._pages == whole


def test_a_page_of_another_version_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older gitops kept is not believed by a newer one."""
    story = Story(2)
    index = KeptIndex(None)
    session = session_of(story.repository, index)
    pages(session)
    for name, content in dict(index._pages).items():
        tip = open_tip(session)
        row = next(one for one in tip.config.environments if name.endswith(f":{one.name}"))
        assert board.parse_page(content, row, "main") is not None
        assert board.parse_page(content, replace(row, formerly=("x",)), "main") is None
        assert board.parse_page(content, row, "other") is None
        monkeypatch.setattr("gitops.actions.index.page._FORM", "gitops-index 2 9.9")
        assert board.parse_page(content, row, "main") is None
        monkeypatch.undo()
