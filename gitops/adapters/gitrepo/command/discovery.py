"""Finds out what a path is: a checkout or a bare repository, and where its changes go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from gitops.adapters.gitrepo.command import messages, settings
from gitops.adapters.gitrepo.command.messages import AnswerKind
from gitops.adapters.gitrepo.command.process import Git
from gitops.errors import NotFound


class RepositoryLocation(Struct, frozen=True):
    """A repository on this machine.

    Attributes:
        name: what messages call it.
        git_dir: its git directory; that of a linked work tree is one of its own.
        common: the git directory that holds objects and branches.
        top: the top of the checkout, None for a bare repository.
        branch: the branch that HEAD names, also when it has no commit; None: detached.
        algorithm: `sha1` or `sha256`.
    """

    name: str
    git_dir: Path
    common: Path
    top: Path | None
    branch: str | None
    algorithm: str
    lines: tuple[settings.SettingLine, ...]


def inspect(git: Git, path: Path, name: str) -> RepositoryLocation:
    """Look at the repository that `path` is in; `git` must run in `path`.

    Raises NotFound when there is none, Denied when Git does not trust it.
    """
    if not path.is_dir():
        raise NotFound(
            f"{name}: no such folder", hint="--repo takes a path or a URL of a Git repository"
        )
    # Named outright, a bare repository is found whatever `safe.bareRepository` says.
    here = [f"--git-dir={path.absolute()}"] if _looks_bare(path) else []
    questions: Sequence[Sequence[str]] = (
        ("rev-parse", "--is-bare-repository", "--absolute-git-dir", "--git-common-dir",
         "--show-object-format"),
        ("rev-parse", "--show-toplevel"),
        ("symbolic-ref", "-q", "HEAD"),
        settings.LIST,
    )  # fmt: skip
    running = [git.start([*here, *question]) for question in questions]
    about, top, head, config = (one.wait(f"reading {name}") for one in running)
    if about.code != 0:
        verdict = messages.read_transport(about.err)
        if verdict.kind is AnswerKind.DENIED:
            raise messages.error_of(verdict, name)
        raise NotFound(
            f"{name} is not in a Git repository: {verdict.words}",
            hint="--repo takes a path or a URL of a Git repository",
        )
    bare, git_dir, common, algorithm = about.text.split("\n")
    return RepositoryLocation(
        name,
        Path(git_dir),
        (path / common).resolve(),
        None if bare == "true" else _top(top.text, Path(git_dir)),
        head.text.removeprefix("refs/heads/") if head.code == 0 else None,
        algorithm,
        settings.parse_settings(config.out),
    )


def _looks_bare(path: Path) -> bool:
    if path.resolve().name == ".git":
        return False  # of a checkout; named outright, Git would take this folder for its top
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()


def _top(text: str, git_dir: Path) -> Path:
    """Return the top of the checkout; standing inside `.git`, Git does not tell it."""
    return Path(text) if text else git_dir.parent
