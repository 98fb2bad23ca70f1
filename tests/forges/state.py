"""What a faked forge knows: pull requests over a real bare repository, people, words, statuses.

The faked servers only differ in how they say it. Merges are made by Git, so a conflict is one.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from gitrepos import ENVIRON, Repo

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@dataclass
class Review:
    """What somebody said of a head."""

    number: int
    who: str
    state: str
    commit: str
    time: str


@dataclass
class Pull:
    """A pull request. `versions` are the heads that it had, each with its time."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    author: str
    draft: bool
    time: str
    head: str = ""
    state: str = "open"
    merged_as: str | None = None
    method: str = ""
    labels: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    comments: list[tuple[str, str]] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    versions: list[tuple[str, str]] = field(default_factory=list)
    unchecked: int = 0


@dataclass
class Rule:
    """What a branch, or a pattern, asks for."""

    approvals: int = 0
    checks: list[str] = field(default_factory=list)


@dataclass
class Status:
    """What was reported for a commit."""

    number: int
    name: str
    state: str
    text: str
    url: str
    who: str
    time: str


class ForgeState:
    """One repository with its pull requests.

    Attributes:
        people: login name -> permission (`admin`, `write`, `read`).
        tokens: token -> login name.
        rules: branch or pattern -> what it asks for.
        slow_checks: so many questions are answered before it is known whether a new head merges.
    """

    def __init__(self, repo: Repo, people: Mapping[str, str]) -> None:
        self.repo = repo
        self.people = dict(people)
        self.tokens = {f"token-of-{who}-7d1f0e": who for who in people}
        self.pulls: dict[int, Pull] = {}
        self.rules: dict[str, Rule] = {}
        self.statuses: dict[str, list[Status]] = {}
        self.labels: set[str] = set()
        self.slow_checks = 1
        self.auto_merge = False
        self.waiting: dict[int, Any] = {}  # number -> what the forge was told to merge by itself
        self.pushes: dict[str, list[tuple[str, str, str]]] = {}  # branch -> who, before, after
        self._ticks = 0

    def token(self, who: str) -> str:
        """Return somebody's token."""
        return next(token for token, name in self.tokens.items() if name == who)

    def now(self) -> str:
        """Return a time, later than the one before."""
        self._ticks += 1
        return f"{START + timedelta(seconds=self._ticks):%Y-%m-%dT%H:%M:%SZ}"

    def number(self) -> int:
        """Return a number that nothing else has."""
        self._ticks += 1
        return 1000 + self._ticks

    def open_ones(self, branch: str, base: str) -> list[Pull]:
        """Return the open ones of a pair."""
        every = [self.look(pull) for pull in self.pulls.values()]
        return [one for one in every if (one.branch, one.base, one.state) == (branch, base, "open")]

    def open(self, branch: str, base: str, title: str, body: str, who: str, draft: bool) -> Pull:
        """Make one."""
        pull = Pull(len(self.pulls) + 1, branch, base, title, body, who, draft, self.now())
        self.pulls[pull.number] = pull
        return self.look(pull)

    def look(self, pull: Pull) -> Pull:
        """Follow its branch while it is open; one whose branch is gone is closed."""
        if pull.state != "open":
            return pull
        head = self.repo.head(pull.branch)
        if head is None:
            pull.state = "closed"
        elif head != pull.head:
            pull.head = head
            pull.unchecked = self.slow_checks
            pull.versions.append((head, self.now()))
        return pull

    def merges(self, pull: Pull) -> bool | None:
        """Say whether it merges; None while that is being found out."""
        if pull.unchecked:
            pull.unchecked -= 1
            return None
        return self._tree(pull) is not None

    def merge(self, pull: Pull, method: str, message: str, who: str) -> str | None:
        """Merge it; return the commit, None for a conflict."""
        tree, base = self._tree(pull), str(self.repo.head(pull.base))
        if tree is None:
            return None
        if method == "rebase":
            message = self._git("log", "-1", "--format=%B", pull.head)
        parents = (base, pull.head) if method == "merge" else (base,)
        words = [word for parent in parents for word in ("-p", parent)]
        commit = self._git("commit-tree", tree, *words, "-F", "-", who=who, feed=message)
        if method == "fast-forward":
            commit = pull.head
        self._git("update-ref", f"refs/heads/{pull.base}", commit, base)
        pull.state, pull.merged_as, pull.method = "merged", commit, method
        return commit

    def report(self, commit: str, name: str, state: str, text: str, url: str, who: str) -> Status:
        """Keep what was reported."""
        status = Status(self.number(), name, state, text, url, who, self.now())
        self.statuses.setdefault(commit, []).append(status)
        return status

    def newest(self, commit: str) -> dict[str, Status]:
        """Return name -> newest status of a commit."""
        return {status.name: status for status in self.statuses.get(commit, ())}

    def rule(self, branch: str) -> Rule | None:
        """Return what a branch asks for."""
        found = [rule for name, rule in self.rules.items() if fnmatchcase(branch, name)]
        return found[0] if found else None

    def knows(self, commit: str) -> bool:
        """Is there such a commit?"""
        done = self._run("cat-file", "-e", f"{commit}^{{commit}}")
        return done.returncode == 0

    def in_base(self, commit: str, base: str) -> bool:
        """Is a commit on a branch?"""
        return self._run("merge-base", "--is-ancestor", commit, base).returncode == 0

    def written(self, pull: Pull) -> list[tuple[str, str]]:
        """Return the commits of a pull request, each with the login name of its author."""
        base = f"{pull.merged_as}^1" if pull.merged_as else pull.base
        found = self._git("log", "--format=%H %ae", pull.head, f"^{base}", "--")
        pairs = (line.split(" ") for line in found.splitlines() if line)
        return [(commit, email.partition("@")[0]) for commit, email in pairs]

    def brought(self, pull: Pull) -> list[str]:
        """Return the commits of a pull request, and what its merge made."""
        merged = pull.merged_as or ""
        own = self._git("rev-list", pull.head, f"^{merged}^1") if merged else ""
        return [merged, *own.split()]

    def _tree(self, pull: Pull) -> str | None:
        base = str(self.repo.head(pull.base))
        done = self._run("merge-tree", "--write-tree", base, pull.head)
        return done.stdout.split("\n")[0] if done.returncode == 0 else None

    def _git(self, *arguments: str, who: str = "ana", feed: str | None = None) -> str:
        done = self._run(*arguments, who=who, feed=feed)
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def _run(self, *arguments: str, who: str = "ana", feed: str | None = None) -> Any:
        names = {f"GIT_{role}_NAME": who for role in ("AUTHOR", "COMMITTER")}
        return subprocess.run(
            ["git", f"--git-dir={self.repo.git_dir}", *arguments],
            env={**ENVIRON, **names},
            input=feed,
            capture_output=True,
            text=True,
        )


def shop_state(folder: Path) -> ForgeState:
    """Return a forge with one repository, in which ben and the CI system may write."""
    repo = Repo.bare(folder / "shop.git")
    repo.commit({"overlay.yaml": b"tag: 1\n", "other.yaml": b"1\n"})
    return ForgeState(repo, {"ana": "admin", "ben": "write", "ci": "write", "eve": "read"})
