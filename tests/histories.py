"""Histories that people and bots might have made, drawn by a seed, and what must be told of them.

Merges at any distance, branches that live long, branches that take main in and are merged again,
merges of three, other roots, merges the wrong way round, equal and wrong dates.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gitrepos import START, Repo

DEV, PROD = "overlays/dev/kustomization.yaml", "overlays/prod/kustomization.yaml"
CONFIG = b"""\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: overlays/dev}
  - {name: prod, overlay: overlays/prod, after: [dev]}
"""
ASKING = CONFIG.replace(b"after: [dev]", b"after: [dev], change: pull-request")
ASKING += b"forge: {kind: none}\n"
"""The same, where prod asks for approval; else one would be looked for behind a URL."""

_ODD = (0, 4_000_000_000, 1_700_000_000_000)  # dates: the first, a late one, one in milliseconds
_NEAR, _FAR = 6, 60  # commits that a branch begins before the newest one, mostly and at most


def pinned(tag: str) -> bytes:
    """Return a kustomization that pins one image."""
    return f'images:\n  - {{name: shop/api, newTag: "{tag}"}}\n'.encode()


@dataclass(frozen=True)
class Node:
    """One commit, by its number; `files` are all that it has."""

    parents: tuple[int, ...]
    files: Mapping[str, bytes]
    message: str
    time: int


@dataclass
class History:
    """Commits, parents before children; `ids` once they are written.

    `proposed`: the head of the branch `gitops/prod`; None: there is none.
    """

    nodes: list[Node] = field(default_factory=list)
    tip: int = 0
    proposed: int | None = None
    ids: list[str] = field(default_factory=list)

    def write(self, repo: Repo) -> None:
        """Write all of it to `repo`, its main branch at `tip`."""
        stream = bytearray(b"feature done\n")
        for number, node in enumerate(self.nodes):
            text = node.message.encode()
            stream += f"commit refs/drawn/at\nmark :{number + 1}\n".encode()
            stream += f"committer Ana <ana@example.com> {node.time} +0000\n".encode()
            stream += f"data {len(text)}\n".encode() + text + b"\n"
            for place, parent in enumerate(node.parents):
                stream += f"{'merge' if place else 'from'} :{parent + 1}\n".encode()
            stream += b"deleteall\n"
            for path, content in node.files.items():
                stream += f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content
            stream += b"\nreset refs/drawn/at\n\n"
        stream += f"reset refs/heads/main\nfrom :{self.tip + 1}\n\n".encode()
        if self.proposed is not None:
            stream += f"reset refs/heads/gitops/prod\nfrom :{self.proposed + 1}\n\n".encode()
        stream += b"done\n"
        marks = repo.git_dir / "marks"
        repo.git(
            *("fast-import", "--quiet", "--force", "--date-format=raw-permissive"),
            f"--export-marks={marks}",
            feed=bytes(stream),
        )
        found = dict(line.split() for line in marks.read_text().splitlines())
        self.ids = [found[f":{number + 1}"] for number in range(len(self.nodes))]

    def before(self, starts: Iterable[int]) -> set[int]:
        """Return `starts` and all that leads to them."""
        seen: set[int] = set()
        waiting = list(starts)
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += self.nodes[one].parents
        return seen

    def line(self, start: int) -> list[int]:
        """Return `start` and its first parents, newest first."""
        found = [start]
        while parents := self.nodes[found[-1]].parents:
            found.append(parents[0])
        return found

    def brought(self, merge: int) -> set[int]:
        """Return what a merge brought in."""
        first, *others = self.nodes[merge].parents
        return self.before(others) - self.before([first])

    def versions(self, start: int, folder: str) -> list[int]:
        """Return the commits that changed `folder` ("" for anything) on the branch's own line.

        That is the line of first parents, but for merges that take another parent's kustomization
        and drop a change that is on the side of the first alone: those were made the wrong way
        round, and what they drop was never on the branch.
        """

        def below(files: Mapping[str, bytes]) -> dict[str, bytes]:
            return {path: text for path, text in files.items() if path.startswith(folder)}

        def changed(one: int) -> bool:
            parents = self.nodes[one].parents
            before = below(self.nodes[parents[0]].files) if parents else {}
            return below(self.nodes[one].files) != before

        found: list[int] = []
        at: int | None = start
        while at is not None:
            other = self._other_side(at, f"{folder}kustomization.yaml")
            if other is None and changed(at):
                found.append(at)
            parents = self.nodes[at].parents
            at = other if other is not None else parents[0] if parents else None
        return found

    def _other_side(self, merge: int, path: str) -> int | None:
        """Return the parent that the branch was at, None where that is the first one."""

        def text(one: int) -> bytes | None:
            return self.nodes[one].files.get(path)

        parents = self.nodes[merge].parents
        if len(parents) < 2 or text(merge) in (None, text(parents[0])):
            return None
        for one in self.line(parents[0]):
            before = self.nodes[one].parents
            if not before or text(one) != text(before[0]):
                sides = (side for side in parents[1:] if text(side) == text(merge))
                return next((side for side in sides if one not in self.before([side])), None)
        return None


def draw(seed: int, size: int, config: bytes = CONFIG) -> History:
    """Draw a history of about `size` commits; the same for the same seed.

    Where `config` asks for approval one of its branches is a proposal.
    """
    return _Draw(random.Random(seed), size, config).history


class _Draw:
    def __init__(self, random_: random.Random, size: int, config: bytes) -> None:
        self.history = History()
        self._config = config
        self._random = random_
        self._odd = random_.random() < 0.3
        self._branches: list[int] = []
        self._tags = 0
        self._foreign = 0
        files = {"gitops.yaml": config, DEV: pinned("0.0"), PROD: pinned("0.0")}
        self._main = self._add((), files, "begin")
        steps = (
            (self._dev, 8),
            (self._prod, 2),
            (self._bot, 1),
            (self._notes, 1),
            (self._gap, 0.3),
            (self._fork, 2),
            (self._work, 3),
            (self._merge, 2),
            (self._update, 1),
            (self._three, 0.5),
            (self._root, 0.2),
            (self._turned, 0.3),
        )
        while len(self.history.nodes) < size:
            random_.choices([step for step, _ in steps], [weight for _, weight in steps])[0]()
        self.history.tip = self._main
        if config != CONFIG:
            self._branches = self._branches or [self._edit(self._main, PROD)]
            self.history.proposed = random_.choice(self._branches)

    def _add(self, parents: tuple[int, ...], files: Mapping[str, bytes], message: str) -> int:
        time = START + len(self.history.nodes) * self._random.choice((0, 1, 60))
        if self._odd and self._random.random() < 0.1:
            time = self._random.choice(_ODD)
        self.history.nodes.append(Node(parents, files, f"{message}\n", time))
        return len(self.history.nodes) - 1

    def _files(self, at: int) -> dict[str, bytes]:
        return dict(self.history.nodes[at].files)

    def _tag(self) -> str:
        """Mostly a new one; an old one now and then, as when people go back."""
        if self._tags and self._random.random() < 0.15:
            return f"1.{self._random.randint(1, self._tags)}"
        self._tags += 1
        return f"1.{self._tags}"

    def _edit(self, at: int, path: str, message: str = "") -> int:
        tag = self._tag()
        name = path.split("/")[1]
        text = message or f"{name}: {tag}"
        return self._add((at,), self._files(at) | {path: pinned(tag)}, text)

    def _dev(self) -> None:
        self._main = self._edit(self._main, DEV)

    def _prod(self) -> None:
        self._main = self._edit(self._main, PROD)

    def _bot(self) -> None:
        for _ in range(self._random.randint(5, 40)):
            self._dev()

    def _notes(self) -> None:
        note = {"notes.md": f"{len(self.history.nodes)}\n".encode()}
        self._main = self._add((self._main,), self._files(self._main) | note, "notes")

    def _gap(self) -> None:
        """An overlay is away for a commit, or unreadable."""
        files = self._files(self._main)
        kept = files.pop(PROD, pinned("0.0"))
        if self._random.random() < 0.5:
            files[PROD] = b"images: [\n"
        gone = self._add((self._main,), files, "gone")
        self._main = self._add((gone,), self._files(gone) | {PROD: kept}, "back")

    def _fork(self) -> None:
        line = self.history.line(self._main)
        far = self._random.choice((_NEAR, _FAR))
        place = min(self._random.randint(0, far), len(line) - 1)
        start = self._random.choice((line[place], *self._branches[-2:]))
        self._branches.append(start)
        self._work(len(self._branches) - 1)

    def _work(self, which: int | None = None) -> None:
        if not self._branches:
            return
        if which is None:
            which = self._random.randrange(len(self._branches))
        head = self._branches[which]
        word = self._random.choice(("promote", "deploy", "rollback", ""))
        message = f"prod on a branch\n\nGitops-Action: {word}\nGitops-Environment: prod\n"
        message += f"Gitops-Id: id-{len(self.history.nodes)}"
        path = self._random.choice((PROD, PROD, DEV))
        self._branches[which] = self._edit(head, path, message if word else "")

    def _merged_files(self, ours: int, theirs: int) -> dict[str, bytes]:
        """Merge file by file: mostly the side that changed it, now and then as somebody liked."""
        shared = max(self.history.before([ours]) & self.history.before([theirs]), default=None)
        base = self._files(shared) if shared is not None else {}
        mine, other = self._files(ours), self._files(theirs)
        for path, content in other.items():
            if content != base.get(path) and self._random.random() < 0.9:
                mine[path] = content
        return mine

    def _merge(self) -> None:
        if self._branches:
            which = self._random.randrange(len(self._branches))
            head = self._branches[which]
            if self._random.random() < 0.6:
                del self._branches[which]
            files = self._merged_files(self._main, head)
            self._main = self._add((self._main, head), files, "Merge pull request")

    def _update(self) -> None:
        """A branch takes main in: merged again, the two cross."""
        if self._branches:
            which = self._random.randrange(len(self._branches))
            head = self._branches[which]
            files = self._merged_files(head, self._main)
            self._branches[which] = self._add((head, self._main), files, "Merge main")

    def _three(self) -> None:
        if len(self._branches) > 1:
            heads = tuple(self._random.sample(self._branches, 2))
            files = self._merged_files(self._main, heads[0]) | {"three.md": b"3\n"}
            self._main = self._add((self._main, *heads), files, "Merge two branches")

    def _root(self) -> None:
        """A repository of its own is taken in."""
        self._foreign += 1
        files = {f"other/{self._foreign}.md": b"x\n"}
        if self._random.random() < 0.5:
            files[PROD] = pinned(f"9.{self._foreign}")
        head = self._add((), files, "begin elsewhere")
        for _ in range(self._random.randint(0, 4)):
            head = self._edit(head, PROD)
        self._branches.append(head)

    def _turned(self) -> None:
        """Main goes on at a branch that took it in, and its own line becomes the other side."""
        if self._branches:
            head = self._branches.pop(self._random.randrange(len(self._branches)))
            files = self._merged_files(head, self._main)
            files["gitops.yaml"] = self._config
            files.setdefault(DEV, pinned("0.0"))
            self._main = self._add((head, self._main), files, "Merge main, the wrong way round")
