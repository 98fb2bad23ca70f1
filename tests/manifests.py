"""A bare manifest repository with the sample, and gitops as a process beside it."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import warm

ROOT = Path(__file__).parents[1]
QA_ROW = "    requires: [qa-passed]         # and what QA passed there: gitops qa stage --pass\n"


@dataclass(frozen=True)
class Result:
    """What one call printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Manifests:
    """A bare repository and ways to look at it and to change it by hand."""

    path: Path
    checkout: Path
    elsewhere: Path

    def gitops(
        self, *arguments: str, repo: str | None = None, env: Mapping[str, str] | None = None
    ) -> Result:
        """Run gitops from an unrelated folder against the bare repository."""
        environ = dict(os.environ)
        environ |= {"GITOPS_REPO": str(self.path) if repo is None else repo, **(env or {})}
        return run_gitops(arguments, self.elsewhere, environ)

    def git(self, *arguments: str) -> str:
        """Run git in the bare repository."""
        return _git(self.path, *arguments)

    def in_checkout(self, *arguments: str) -> str:
        """Run git in the checkout; return what it printed, without blanks around it."""
        return _git(self.checkout, *arguments).strip()

    def file(self, path: str, ref: str = "main") -> str:
        """Return a file of a branch."""
        return _git(self.path, "show", f"{ref}:{path}")

    def commit(self, message: str, files: Mapping[str, str | None]) -> str:
        """Commit by hand to main and push, as a person would."""
        _git(self.checkout, "pull", "-q", "origin", "main")
        for name, content in files.items():
            path = self.checkout / name
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        _git(self.checkout, "add", "-A")
        _git(self.checkout, "commit", "-q", "-m", message)
        _git(self.checkout, "push", "-q", "origin", "main")
        return self.in_checkout("rev-parse", "HEAD")


def run_gitops(arguments: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> Result:
    """Run gitops in a folder, with these variables and nothing to read."""
    running = warm.start(arguments, cwd, environ)
    out, err = running.communicate()
    assert running.returncode is not None
    return Result(running.returncode, out.decode(), err.decode())


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_template(folder: Path) -> Path:
    """Make a bare repository with the sample, and a clone of it, in `folder`."""
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in ("base", "overlays"):
        shutil.copytree(ROOT / name, checkout / name)
    # What QA must say has tests of its own; elsewhere prod takes what stage runs.
    sample = (ROOT / "gitops.yaml").read_text()
    assert QA_ROW in sample
    (checkout / "gitops.yaml").write_text(sample.replace(QA_ROW, ""))
    _git(folder, "init", "-q", "--bare", "-b", "main", "manifests.git")
    _git(checkout, "init", "-q", "-b", "main")
    _git(checkout, "config", "user.name", "Mona")
    _git(checkout, "config", "user.email", "mona@example.com")
    _git(checkout, "add", "-A")
    _git(checkout, "commit", "-q", "-m", "Start with the sample")
    _git(checkout, "remote", "add", "origin", "../manifests.git")
    _git(checkout, "push", "-q", "-u", "origin", "main")
    for one in (checkout, folder / "manifests.git"):  # a few files to copy for each test
        _git(one, "repack", "-a", "-d", "-q")
    return folder


def copy_template(template: Path, tmp_path: Path) -> Manifests:
    """Return a repository of the test's own, with the sample in it."""
    folder = tmp_path / "repositories"
    shutil.copytree(template, folder, symlinks=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    return Manifests(folder / "manifests.git", folder / "checkout", elsewhere)


def read_terminal(terminal: int) -> Iterator[bytes]:
    """Yield what comes on a terminal, until the other side is closed."""
    with suppress(OSError):  # it is closed
        while piece := os.read(terminal, 4096):
            yield piece


def on_terminal(manifests: Manifests, answer: str, *arguments: str) -> tuple[int, str]:
    """Run gitops on a terminal, type `answer`, and return its exit code and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "gitops", *arguments],
        cwd=manifests.elsewhere,
        env={**os.environ, "GITOPS_REPO": str(manifests.path), "TERM": "dumb"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, answer.encode())
        shown = b"".join(read_terminal(ours))
        process.wait()
    os.close(ours)
    return process.returncode, shown.decode("utf-8", "replace")
