"""Completion: what each shell is offered, in a real one where it is installed."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitops.cli.catalogue import VERBS
from gitops.cli.completion.scripts import SCRIPTS
from manifests import Manifests
from servers.git_http import GitServer

TAGS = ["feature-basket", "1.4.1", "1.4.0"]
TAGGED = [f"shop/api:{tag}" for tag in TAGS]
ENVIRONMENTS = ["local", "dev", "test", "stage", "prod"]


def complete(folder: Path, *words: str, **environ: str) -> tuple[str, list[str], set[str]]:
    """Return how, the values, and the modules that were loaded, for words behind `gitops`."""
    program = (
        "import sys; from gitops.__main__ import run; run(sys.argv[1:]);"
        "print('LOADED', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "__complete", "fish", "gitops", *words],
        cwd=folder,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    how, *lines = done.stdout.splitlines()
    assert done.stderr == ""
    return how, [line.partition("\t")[0] for line in lines[:-1]], {*lines[-1].split()}


@pytest.fixture
def checkout(manifests: Manifests) -> Path:
    """A checkout with the sample's environments."""
    return manifests.checkout


def test_commands_and_options(tmp_path: Path) -> None:
    """Commands, those of a group, options that may still be given; on or off both ways."""
    assert complete(tmp_path, "")[1] == [*VERBS]
    assert complete(tmp_path, "ro")[1] == ["rollback"]
    assert complete(tmp_path, "release", "")[1] == ["cut", "list"]
    assert complete(tmp_path, "help", "rele")[1] == ["release"]
    assert complete(tmp_path, "--re")[1] == ["--repo"]
    assert complete(tmp_path, "-o", "json", "stat")[1] == ["status"]
    assert complete(tmp_path, "rollback", "dev", "--no-")[1] == [
        "--no-hold",
        "--no-abort",
        "--no-wait",
        "--no-record",
    ]
    assert "--to" not in complete(tmp_path, "rollback", "dev", "--to", "x", "--t")[1]
    assert "--to" in complete(tmp_path, "deploy", "a:1", "--to", "dev", "--t")[1]


def test_values_from_the_checkout(checkout: Path) -> None:
    """Environments, images, known tags, releases, branches and choices of the checkout."""
    assert complete(checkout, "rollback", "")[1] == ENVIRONMENTS
    assert complete(checkout, "status", "dev", "")[1] == ["local", "test", "stage", "prod"]
    assert complete(checkout, "deploy", "a:1", "--to", "p")[1] == ["prod"]
    assert complete(checkout, "deploy", "a:1", "--to=p")[1] == ["--to=prod"]
    assert complete(checkout, "rollback", "dev", "--image", "")[1] == ["shop/api", "shop/web"]
    assert complete(checkout, "deploy", "shop/a")[:2] == ("nospace", ["shop/api:"])
    assert complete(checkout, "deploy", "shop/api:")[:2] == ("values", TAGGED)
    assert complete(checkout, "-o", "j")[1] == ["json"]
    assert complete(checkout, "status", "-o", "")[1] == ["text", "json"]
    assert complete(checkout, "status", "--branch", "")[1] == ["main"]
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=checkout, capture_output=True, text=True
    ).stdout.strip()
    assert complete(checkout, "rollback", "dev", "--to", "")[1] == ["previous", head]
    assert complete(checkout, "qa", "dev", "--release", "")[1] == ["newest", head]


def test_files_only_where_they_belong(checkout: Path) -> None:
    """A folder for --repo and DIR, a file for --comment; nothing where a free text stands."""
    assert complete(checkout, "status", "--repo", "")[0] == "folders"
    assert complete(checkout, "--repo", "")[0] == "folders"
    assert complete(checkout, "set-image", "")[0] == "folders"
    assert complete(checkout, "validate", "--comment", "")[0] == "files"
    assert complete(checkout, "hold", "dev", "--reason", "")[:2] == ("values", [])
    assert complete(checkout, "schema", "x")[:2] == ("values", [])


def test_elsewhere_nothing_is_offered(tmp_path: Path) -> None:
    """Outside of a repository, and with a broken gitops.yaml, there are no names and no noise."""
    assert complete(tmp_path, "rollback", "")[1] == []
    (tmp_path / ".git").mkdir()
    (tmp_path / "gitops.yaml").write_text("environments: [")
    assert complete(tmp_path, "rollback", "")[1] == []


def test_names_that_a_shell_would_read_are_left_out(checkout: Path) -> None:
    """A branch with a word that a shell acts upon is not offered: it would run when accepted."""
    subprocess.run(["git", "branch", "a$(id)"], cwd=checkout, check=True)
    subprocess.run(["git", "branch", "feature"], cwd=checkout, check=True)

    assert complete(checkout, "status", "--branch", "")[1] == ["feature", "main"]


def test_a_bare_repository(manifests: Manifests) -> None:
    """Its branch is read where it is."""
    repo = ("--repo", str(manifests.path))
    assert complete(manifests.elsewhere, "history", *repo, "")[1] == ENVIRONMENTS


def test_a_url_is_never_asked(manifests: Manifests, tmp_path: Path) -> None:
    """Only what an earlier call left is used; nothing is sent, typer and HTTP are not loaded."""
    with GitServer(manifests.path.parent) as server:
        url = server.repo
        environ = {"GITOPS_CACHE": str(tmp_path / "cache"), "GITOPS_REPO": url}
        assert complete(manifests.elsewhere, "rollback", "", **environ)[1] == []
        done = subprocess.run(
            [sys.executable, "-m", "gitops", "deploy", "shop/api:9", "--to", "dev"],
            env={**os.environ, **environ},
            cwd=manifests.elsewhere,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        seen = len(server.requests)
        _, values, modules = complete(manifests.elsewhere, "rollback", "", **environ)

        assert values == ENVIRONMENTS
        assert len(server.requests) == seen
        assert not modules & {"typer", "click", "http.client", "urllib.request"}


def bash(folder: Path, line: str) -> list[str]:
    """Return what bash offers for a line."""
    program = (
        SCRIPTS["bash"]
        + "COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'; COMP_LINE=$1; COMP_POINT=${#1};"
        + 'read -ra COMP_WORDS <<< "$1"; [ "${1: -1}" = " " ] && COMP_WORDS+=("");'
        + "COMP_CWORD=$((${#COMP_WORDS[@]} - 1));"
        + 'COMP_WORDS[0]=$2; _gitops; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return shell("bash", folder, ["bash", "-c", program, "bash", line, str(launcher(folder))])


def fish(folder: Path, line: str) -> list[str]:
    """Return what fish offers for a line."""
    program = SCRIPTS["fish"] + f"\ncomplete -C '{line}'"
    return [one.partition("\t")[0] for one in shell("fish", folder, ["fish", "-c", program])]


class Terminal:
    """A shell in a terminal of its own, typed into."""

    def __init__(self, folder: Path, *command: str) -> None:
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        path = f"{launcher(folder).parent}:{os.environ['PATH']}"
        self.pid, self.handle = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            environ = {"PATH": path, "HOME": str(folder.parent), "TERM": "dumb", "PS1": "> "}
            os.execvpe(command[0], command, {**os.environ, **environ})

    def type(self, keys: str) -> None:
        """Type `keys`."""
        os.write(self.handle, keys.encode())

    def see(self, pattern: str, seconds: float = 30) -> str:
        """Read until `pattern` is on the screen; return what was read."""
        text, end = "", time.monotonic() + seconds
        while re.search(pattern, text) is None:
            ready, _, _ = select.select([self.handle], [], [], max(end - time.monotonic(), 0))
            assert ready, f"{pattern!r} did not come: {text!r}"
            text += os.read(self.handle, 4096).decode("utf-8", "replace")
        return text

    def close(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.handle)


def launcher(folder: Path) -> Path:
    """Return a `gitops` that runs the package under test."""
    path = folder.parent / "gitops"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m gitops "$@"\n')
    path.chmod(0o755)
    return path


def shell(name: str, folder: Path, command: list[str]) -> list[str]:
    """Run a shell with `gitops` on its PATH; skip where it is not installed."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    path = f"{launcher(folder).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "HOME": str(folder.parent), "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_bash(checkout: Path) -> None:
    """A real bash is offered what fits, behind the colon where it breaks words."""
    assert bash(checkout, "gitops rollb") == ["rollback"]
    assert bash(checkout, "gitops rollback ") == ENVIRONMENTS
    assert bash(checkout, "gitops deploy shop/api:") == TAGS
    assert bash(checkout, "gitops deploy a:1 --to=") == ENVIRONMENTS
    assert bash(checkout, "gitops hold dev --reason ") == [""]
    assert bash(checkout, "gitops set-image over") == ["overlays"]


def test_fish(checkout: Path) -> None:
    """A real fish is offered what fits, and no file where none belongs."""
    assert fish(checkout, "gitops rollb") == ["rollback"]
    assert sorted(fish(checkout, "gitops rollback ")) == sorted(ENVIRONMENTS)
    assert fish(checkout, "gitops hold dev --reason ") == []
    assert fish(checkout, "gitops set-image over") == ["overlays/"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "start"),
    [
        (("bash", "--norc", "--noprofile", "-i"), 'eval "$(gitops completion bash)"'),
        (
            ("zsh", "-f", "-i"),
            "autoload -U compinit; compinit -u -D; "
            'eval "$(gitops completion zsh)"; unsetopt zle_bracketed_paste',
        ),
    ],
    ids=["bash", "zsh"],
)
def test_typed_in_a_terminal(command: tuple[str, ...], start: str, checkout: Path) -> None:
    """Tab writes the rest of the word: names, options, tags behind a colon, values behind `=`."""
    terminal = Terminal(checkout, *command)
    try:
        terminal.type(f"{start}; echo REA''DY\n")
        terminal.see("READY\r\n")
        for typed, expected in (
            ("echo gitops-1; gitops rollb", "rollback "),
            ("echo gitops-2; gitops rollback pr", "prod "),
            ("echo gitops-3; gitops deploy shop/ap", "shop/api:"),
            ("echo gitops-4; gitops deploy shop/api:feat", "shop/api:feature-basket "),
            ("echo gitops-5; gitops deploy a:1 --to=st", "--to=stage "),
            ("echo gitops-6; gitops set-image overl", "overlays/"),
        ):
            terminal.type(f"{typed}\t")
            terminal.see(re.escape(expected.rstrip()))
            terminal.type("\x15\x0b")  # Ctrl-U, Ctrl-K: the line is dropped
    finally:
        terminal.close()


@pytest.mark.parametrize("shown", SCRIPTS)
def test_the_scripts_are_printed(shown: str, manifests: Manifests) -> None:
    """`gitops completion SHELL` prints the script; another shell is a usage error."""
    assert manifests.gitops("completion", shown).out == SCRIPTS[shown]
    assert manifests.gitops("completion", "tcsh").code == 2
