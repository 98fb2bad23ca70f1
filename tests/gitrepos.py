"""Real Git repositories for tests: made fast, changed from the side, read back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TEMPLATE_DIR": "",  # no samples of hooks
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.com",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.com",
}
"""An environment that knows an identity, and nothing of the machine's configuration."""

START = 1_700_000_000


class Repo:
    """A repository on disk (its git directory, and the checkout if there is one)."""

    def __init__(self, path: Path, git_dir: Path | None = None) -> None:
        self.path = path
        self.git_dir = git_dir if git_dir is not None else path

    @classmethod
    def bare(cls, path: Path, *, algorithm: str = "sha1") -> Repo:
        """Make an empty bare repository whose HEAD is main."""
        _git("init", "-q", "--bare", f"--object-format={algorithm}", "-b", "main", str(path))
        return cls(path)

    @classmethod
    def checkout(cls, path: Path) -> Repo:
        """Make an empty repository with a checkout on main."""
        _git("init", "-q", "-b", "main", str(path))
        return cls(path, path / ".git")

    def copy(self, path: Path) -> Repo:
        """Copy it, byte for byte."""
        shutil.copytree(self.path, path, symlinks=True)
        return Repo(path, path / self.git_dir.relative_to(self.path))

    def git(self, *args: str, feed: bytes | None = None) -> str:
        """Run git there and return what it printed."""
        if self.git_dir == self.path:
            return _git(f"--git-dir={self.path}", *args, feed=feed)
        return _git("-C", str(self.path), *args, feed=feed)

    def commit(
        self,
        files: Mapping[str, bytes | None],
        message: str = "change\n",
        *,
        branch: str = "main",
        parents: Sequence[str] | None = None,
        modes: Mapping[str, str] | None = None,
        by: str = "Ana",
    ) -> str:
        """Commit `files` on `branch` behind everybody's back; None deletes. Returns the id."""
        changes = [(files, message)]
        return self.commits(changes, branch=branch, parents=parents, modes=modes, by=by)[-1]

    def commits(
        self,
        changes: Sequence[tuple[Mapping[str, bytes | None], str]],
        *,
        branch: str = "main",
        parents: Sequence[str] | None = None,
        modes: Mapping[str, str] | None = None,
        by: str = "Ana",
    ) -> list[str]:
        """Commit many changes at once, oldest first. Returns their ids."""
        tip = self.head(branch) if parents is None else (parents or [None])[0]
        merged = list(parents or ())[1:]
        stream = bytearray()
        for number, (files, message) in enumerate(changes):
            text = message.encode()
            stream += f"commit refs/heads/{branch}\nmark :{number + 1}\n".encode()
            who = f"{by} <{by.lower()}@example.com> {START + number} +0000"
            stream += f"author {who}\ncommitter {who}\n".encode()
            stream += f"data {len(text)}\n".encode() + text + b"\n"
            if number == 0 and tip is not None:
                stream += f"from {tip}\n".encode()
            if number == 0:
                stream += "".join(f"merge {parent}\n" for parent in merged).encode()
            for path, content in files.items():
                if content is None:
                    stream += f"D {path}\n".encode()
                else:
                    mode = (modes or {}).get(path, "100644")
                    stream += f"M {mode} inline {path}\ndata {len(content)}\n".encode()
                    stream += content + b"\n"
            stream += b"\n"
        marks = self.git_dir / "marks"
        force = ["--force"] if parents is not None else []
        self.git("fast-import", "--quiet", *force, f"--export-marks={marks}", feed=bytes(stream))
        found = dict(line.split() for line in marks.read_text().splitlines())
        return [found[f":{number + 1}"] for number in range(len(changes))]

    def head(self, branch: str = "main") -> str | None:
        """Return the commit of `branch`, None when it does not exist."""
        listing = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        return listing.strip() or None

    def show(self, path: str, branch: str = "main") -> bytes | None:
        """Return the bytes of a file at the tip of `branch`, None when there is none."""
        name = f"refs/heads/{branch}:{path}"
        answer = subprocess.run(
            ["git", f"--git-dir={self.git_dir}", "cat-file", "blob", name],
            env=ENVIRON,
            capture_output=True,
        )
        return answer.stdout if answer.returncode == 0 else None

    def hook(self, name: str, script: str) -> None:
        """Install a hook, a shell script without its first line."""
        place = self.git_dir / "hooks" / name
        place.parent.mkdir(exist_ok=True)
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)


def _git(*args: str, feed: bytes | None = None) -> str:
    answer = subprocess.run(["git", *args], env=ENVIRON, input=feed, capture_output=True)
    assert answer.returncode == 0, answer.stderr.decode()
    return answer.stdout.decode()
