"""No command that only reads starts a program that a repository, or a tree under check, names."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from checking import PROD, edited
from gitops.adapters.gitrepo.command.credentials import ask_helper
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.repository import open_repository
from manifests import Manifests, Result, run_gitops

NOWHERE = "1" * 40
READING = (("check",), ("status",), ("history", "prod"), ("diff", "stage", "prod"), ("validate",))


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def call(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Result:
    """Run gitops in a folder, with a token at hand as in a CI job."""
    token = {"GITHUB_TOKEN": "ghs_secret"}
    return run_gitops(arguments, folder, {**os.environ, **token, **(env or {})})


def evil(trap: Path) -> str:
    """Return a configuration each part of which would run a program, as a partial clone does."""
    run = f'"touch {trap}; false"'
    return f"""\
[core]
\trepositoryformatversion = 1
\tbare = true
\tfsmonitor = {run}
\tsshCommand = {run}
\thooksPath = .
\tgitProxy = {run}
\taskPass = {run}
\tpager = {run}
\teditor = {run}
\talternateRefsCommand = {run}
[extensions]
\tpartialClone = origin
[remote "origin"]
\turl = .
\tpromisor = true
\tuploadpack = {run}
[credential]
\thelper = "!touch {trap}"
[gpg]
\tprogram = {run}
[gpg "ssh"]
\tprogram = {run}
\tdefaultKeyCommand = {run}
[diff]
\texternal = {run}
[diff "x"]
\ttextconv = {run}
[filter "x"]
\tsmudge = {run}
\tclean = {run}
[protocol "ext"]
\tallow = always
[url "ext::touch {trap} #"]
\tinsteadOf = https://
"""


def look_like_a_repository(folder: Path, tip: str, trap: Path) -> None:
    """Put the files of a bare repository into a folder, as a pull request would bring them."""
    pack = folder / "objects" / "pack"
    pack.mkdir(parents=True)
    listed = git(folder, "rev-list", "--objects", "--all")
    subprocess.run(
        ["git", "-C", str(folder), "pack-objects", "-q", str(pack / "pack")],
        input="".join(f"{line.split(' ')[0]}\n" for line in listed.split("\n")).encode(),
        check=True,
        capture_output=True,
    )
    for ref, commit in (("heads/main", tip), ("remotes/origin/main", NOWHERE)):
        place = folder / "refs" / ref
        place.parent.mkdir(parents=True)
        place.write_text(f"{commit}\n")
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "config").write_text(evil(trap))


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A file that only a program of the repository would make."""
    return tmp_path / "PWNED"


@pytest.mark.slow
@pytest.mark.parametrize("place", [".", "manifests", "overlays"])
def test_tree_that_looks_like_a_repository(manifests: Manifests, trap: Path, place: str) -> None:
    """A pull request that brings such files is checked as any other: the checkout's `.git` wins."""
    checkout = manifests.checkout
    git(checkout, "checkout", "-q", "-b", "pr")
    prod = edited(manifests, PROD, 'newTag: "1.4.0"', 'newTag: "evil"')
    (checkout / PROD).write_text(prod)
    (checkout / place).mkdir(exist_ok=True)
    look_like_a_repository(checkout / place, git(checkout, "rev-parse", "main"), trap)
    (checkout / place / "deeper").mkdir()
    (checkout / place / "deeper" / "x").write_text("x\n")
    git(checkout, "add", "-f", "-A")
    git(checkout, "commit", "-q", "-m", "docs")

    for folder in (checkout, checkout / place, checkout / place / "deeper"):
        for named in ((), ("--repo", str(folder))):
            found = call(folder, "check", *named)
            assert (1, True) == (found.code, "prod" in found.out), found.err
            against = call(folder, "validate", "--against", "origin/main", *named)
            assert (1, True) == (against.code, "1.4.0 -> evil" in against.out), against.err
        for words in READING:
            call(folder, *words)
    assert not trap.exists()


def test_checkout_that_is_broken(manifests: Manifests, trap: Path) -> None:
    """Where `.git` is no repository, the files beside it are none either."""
    checkout = manifests.checkout
    look_like_a_repository(checkout, git(checkout, "rev-parse", "main"), trap)
    shutil.rmtree(checkout / ".git")
    (checkout / ".git").mkdir()

    for words in READING:
        found = call(checkout, *words)
        assert (3, True) == (found.code, "is no Git repository" in found.err), found.err
    assert not trap.exists()


def test_bare_repository_in_a_checkout(manifests: Manifests, trap: Path) -> None:
    """One beside the files of a checkout is opened where it is named, not its config."""
    nested = manifests.checkout / "mirror.git"
    shutil.copytree(manifests.path, nested)
    (nested / "config").write_text(evil(trap))
    (nested / "refs" / "remotes" / "origin").mkdir(parents=True)
    (nested / "refs" / "remotes" / "origin" / "main").write_text(f"{NOWHERE}\n")

    for words in READING:
        found = call(manifests.elsewhere, *words, "--repo", str(nested))
        assert found.code in (0, 1), found.err
    call(manifests.elsewhere, "check", f"{NOWHERE}..main", "--repo", str(nested))
    call(manifests.elsewhere, "validate", "--against", "origin/main", "--repo", str(nested))
    assert not trap.exists()


def test_inside_a_bare_repository(manifests: Manifests) -> None:
    """A bare repository is not looked for upwards: its own folder must be named."""
    inside = manifests.path / "objects"

    found = call(inside, "status")
    assert (3, True) == (found.code, f"--repo {manifests.path}" in found.err)
    assert 0 == call(manifests.path, "status").code


def test_bare_repositories_that_must_be_named(manifests: Manifests, tmp_path: Path) -> None:
    """`safe.bareRepository = explicit` is honoured: `--repo` names one, standing in it does not."""
    config = tmp_path / "gitconfig"
    config.write_text(Path(os.environ["GIT_CONFIG_GLOBAL"]).read_text())
    git(tmp_path, "config", "--file", str(config), "safe.bareRepository", "explicit")
    env = {"GIT_CONFIG_GLOBAL": str(config)}

    assert 3 == call(manifests.path, "status", env=env).code
    assert 0 == call(manifests.path, "status", "--repo", str(manifests.path), env=env).code


def test_lazy_fetch_of_the_own_clone(manifests: Manifests, trap: Path) -> None:
    """Not even in the caller's own partial clone is anything fetched by a command that it names."""
    checkout = manifests.checkout
    git(checkout, "config", "core.repositoryFormatVersion", "1")
    git(checkout, "config", "extensions.partialClone", "origin")
    git(checkout, "config", "remote.origin.promisor", "true")
    git(checkout, "config", "remote.origin.uploadpack", f"touch {trap}; false")
    (checkout / ".git" / "refs" / "remotes" / "origin" / "main").write_text(f"{NOWHERE}\n")

    call(checkout, "check", "origin/main..HEAD")
    call(checkout, "validate", "--against", "origin/main")
    call(checkout, "check", f"{NOWHERE[:10]}..HEAD")
    assert not trap.exists()


def test_git_of_the_tree(manifests: Manifests, trap: Path) -> None:
    """A relative entry of PATH finds no `git` that a pull request brings along."""
    for name in ("git", "ssh", "kustomize", "kubectl"):
        program = manifests.checkout / name
        program.write_text(f'#!/bin/sh\ntouch {trap}\nexec /usr/bin/git "$@"\n')
        program.chmod(0o755)
    for words in READING:
        call(manifests.checkout, *words, env={"PATH": f".::{os.environ['PATH']}"})
    call(manifests.checkout, "validate", "--against", "HEAD~0", env={"PATH": f".:{os.defpath}"})

    assert not trap.exists()


def test_credential_helper_of_a_tree(manifests: Manifests, trap: Path, tmp_path: Path) -> None:
    """Credentials for a forge are asked of the caller's helpers, wherever the caller stands."""
    tree = tmp_path / "tree"
    tree.mkdir()
    git(tree, "init", "-q", "--bare", ".")
    (tree / "config").write_text(evil(trap))
    helper = ("credential.helper", "!printf 'username=ana\\npassword=own\\n'; true")
    ours = Git(os.environ, folder=tree, after=[helper])

    assert ask_helper(Git(os.environ, folder=tree), os.environ, "https://h", "a/b") is None
    assert ("ana", "own") == ask_helper(ours, os.environ, "https://h", "a/b")
    assert not trap.exists()
    git(manifests.checkout, "config", *helper)
    git(manifests.checkout, "remote", "set-url", "origin", "https://git.example.com/a/b")
    with open_repository(str(manifests.checkout), environ=os.environ) as repository:
        assert ("ana", "own") == repository.web_credentials("https://git.example.com", "a/b")


@pytest.fixture
def foreign(manifests: Manifests) -> Path:
    """A checkout that another user owns."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for folder in (manifests.checkout, manifests.path):
        subprocess.run(["chown", "-R", "12345", str(folder)], check=True)
    return manifests.checkout


@pytest.mark.parametrize("bare", [False, True], ids=["checkout", "bare"])
def test_repository_of_another_user(manifests: Manifests, foreign: Path, bare: bool) -> None:
    """Git's `safe.directory` is honoured, for a bare repository that is named as well."""
    where = manifests.path if bare else foreign
    for words in READING:
        found = call(manifests.elsewhere, *words, "--repo", str(where))
        assert (3, True) == (found.code, "safe.directory" in found.err), found.err


@pytest.mark.parametrize("remote", [None, "ssh://git@127.0.0.1:9/x.git", "https://127.0.0.1:9/x"])
def test_repository_of_another_user_that_is_listed(
    manifests: Manifests, foreign: Path, trap: Path, tmp_path: Path, remote: str | None
) -> None:
    """Listed as safe it is read, and still nothing that it names is run."""
    config = tmp_path / "gitconfig"
    config.write_text(Path(os.environ["GIT_CONFIG_GLOBAL"]).read_text())
    git(tmp_path, "config", "--file", str(config), "safe.directory", "*")
    commit = git(tmp_path, "--git-dir", str(manifests.path), "-c", "safe.directory=*",
                 "rev-parse", "main")  # fmt: skip
    lines = evil(trap).replace("bare = true", "bare = false").partition("[extensions]")
    settings = f"{lines[0]}[credential]{lines[2].partition('[credential]')[2]}"
    if remote is not None:
        settings += f'[remote "origin"]\n\turl = {remote}\n\tuploadpack = touch {trap}\n'
    (foreign / ".git" / "config").write_text(settings)
    # What a killed writer leaves: the next one lets the files follow.
    (foreign / ".git" / "gitops-follow").write_text(f"refs/heads/main {commit} {commit}\n")
    env = {"GIT_CONFIG_GLOBAL": str(config)}

    for words in (*READING, ("validate", "--against", "main"), ("check", "HEAD~0")):
        found = call(manifests.elsewhere, *words, "--repo", str(foreign), env=env)
        assert found.code != 70
        if remote is None:
            assert "safe.directory" not in found.err
    assert not trap.exists()
