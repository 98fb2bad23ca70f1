"""Finds out what a path is: a checkout or a bare repository, and where its changes go.

Files of a tree under check may look like a repository: `HEAD`, `objects/`, `refs/` and a `config`
that names programs. So `.git` wins wherever it is, upwards from the path too; a bare repository is
opened only where the path names it, and not where the checkout around it holds it as its own files.
Git finds the repository by itself, so that its `safe.directory` and `safe.bareRepository` hold.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from gitops.adapters.gitrepo.command import messages, settings
from gitops.adapters.gitrepo.command.messages import AnswerKind
from gitops.adapters.gitrepo.command.process import OFFLINE, Git
from gitops.core.text.plain import one_line
from gitops.errors import Denied, NotFound

_HINT = "--repo takes a path or a URL of a Git repository"
_NO_MONITOR = ("-c", "core.fsmonitor=false")


class RepositoryLocation(Struct, frozen=True):
    """A repository on this machine.

    Attributes:
        name: what messages call it.
        git_dir: its git directory; that of a linked work tree is one of its own.
        common: the git directory that holds objects and branches.
        top: the top of the checkout, None for a bare repository.
        branch: the branch that HEAD names, also when it has no commit; None: detached.
        algorithm: `sha1` or `sha256`.
        lines: Git's configuration there; of a repository that is not `own`, without what could
            start a program or lead elsewhere.
        own: it belongs to the caller, and does not lie among the files of a checkout.
    """

    name: str
    git_dir: Path
    common: Path
    top: Path | None
    branch: str | None
    algorithm: str
    lines: tuple[settings.SettingLine, ...]
    own: bool = True


class _Place(Struct, frozen=True):
    """Where Git is to look, and what it must find there.

    Attributes:
        folder: the top of a checkout, a bare repository, or a folder inside of `.git`.
        bare: the git directory that a bare repository must have.
        own: see `RepositoryLocation`.
        named: the caller named this very folder.
    """

    folder: Path
    bare: bool = False
    own: bool = True
    named: bool = False

    @property
    def args(self) -> tuple[str, ...]:
        """Options for the front of Git's arguments."""
        # Named outright, a bare repository is found whatever `safe.bareRepository` says.
        allow = ("-c", "safe.bareRepository=all") if self.bare and self.named else ()
        return (*_NO_MONITOR, *allow, "-C", str(self.folder))


def inspect(git: Git, path: Path, name: str) -> RepositoryLocation:
    """Look at the repository that `path` is in; `git` must run in `path`.

    Raises NotFound when there is none, Denied when Git does not trust it.
    """
    if not os.path.isdir(path):  # False, not an error, also for a name that no file can have
        raise NotFound(f"{one_line(name)}: no such folder", hint=_HINT)
    place = _find(git, path.resolve(), name)
    questions: Sequence[Sequence[str]] = (
        ("rev-parse", "--is-bare-repository", "--absolute-git-dir", "--git-common-dir",
         "--show-object-format"),
        ("rev-parse", "--show-toplevel"),
        ("symbolic-ref", "-q", "HEAD"),
        settings.LIST,
    )  # fmt: skip
    running = [git.start([*place.args, *question], extra=OFFLINE) for question in questions]
    about, top, head, config = (one.wait(f"reading {name}") for one in running)
    if about.code != 0:
        verdict = messages.read_transport(about.err)
        if verdict.kind is AnswerKind.DENIED:
            raise messages.error_of(verdict, name)
        raise NotFound(f"{name} is not in a Git repository: {verdict.words}", hint=_HINT)
    if len(told := about.text.split("\n")) != 4:
        raise NotFound(f"{one_line(name)}: its path has a line end in it", hint=_HINT)
    bare, git_dir, common, algorithm = told
    found = Path(git_dir)
    if found.resolve() == place.folder and not place.bare and found.name != ".git":
        # `.git` is there and no repository, and Git went on to what looks like one beside it.
        raise NotFound(f"{name}: {place.folder}/.git is no Git repository", hint=_HINT)
    if place.bare and found.resolve() != place.folder:
        raise NotFound(f"{name} is no Git repository", hint=_HINT)
    lines = settings.parse_settings(config.out)
    holders = (found, (place.folder / common).resolve(), place.folder)
    own = place.own and all(map(_is_ours, holders))
    if not own and place.own and not settings.is_safe(lines, holders):
        raise Denied(
            f"{name} belongs to somebody else",
            hint=f"git config --global --add safe.directory {place.folder}",
        )
    return RepositoryLocation(
        name,
        found,
        (place.folder / common).resolve(),
        None if bare == "true" else _top(top.text, found),
        head.text.removeprefix("refs/heads/") if head.code == 0 else None,
        algorithm,
        lines if own else settings.without_programs(lines),
        own,
    )


def _find(git: Git, path: Path, name: str) -> _Place:
    """Find where Git is to look for the repository of `path`, which is absolute.

    Raises NotFound when it lies in none.
    """
    if ".git" in path.parts:
        return _Place(path)  # of a checkout; Git knows whether it may be used from inside
    top = next((one for one in (path, *path.parents) if os.path.lexists(one / ".git")), None)
    if top == path:
        return _Place(path)
    if _looks_bare(path):
        if top is None:
            return _Place(path, bare=True, named=name not in ("", "."))
        if not _holds(git, top, path):
            return _Place(path, bare=True, own=False, named=True)
    if top is None:
        inside = next((one for one in path.parents if _looks_bare(one)), None)
        hint = f"name the bare repository itself: --repo {inside}" if inside else _HINT
        raise NotFound(f"{name} is not in a Git repository", hint=hint)
    return _Place(top)


def _looks_bare(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()


def _holds(git: Git, top: Path, path: Path) -> bool:
    """Say whether what looks like a repository at `path` is made of files of the checkout."""
    head = (path / "HEAD").relative_to(top).as_posix()
    there = (*_NO_MONITOR, "-C", str(top), "--literal-pathspecs")
    listed = git.run([*there, "ls-files", "--error-unmatch", "--", head], extra=OFFLINE)
    committed = git.run([*there, "cat-file", "-e", f"HEAD:{head}"], extra=OFFLINE)
    return listed.code == 0 or committed.code == 0


def _is_ours(path: Path) -> bool:
    """Say whether the caller owns `path`; under `sudo`, also whoever called it (as Git sees it)."""
    owner = path.stat().st_uid
    behind = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    return owner == os.geteuid() or str(owner) == behind


def _top(text: str, git_dir: Path) -> Path:
    """Return the top of the checkout; standing inside `.git`, Git does not tell it."""
    return Path(text) if text else git_dir.parent
