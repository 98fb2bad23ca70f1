"""`gitops demo`: the whole story on a repository of its own, with the real commands.

Every line that starts with `$` is run as printed, as a process of its own, and what follows is
its real output.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from gitops.cli.render.terminal import line, paint
from gitops.errors import Bug, NotFound, Refused

_CI = ("shop CI", "ci@example.com")
_ANA = ("Ana", "ana@example.com")
_BEN = ("Ben", "ben@example.com")
_CARA = ("Cara", "cara@example.com")  # QA


class _Stage(Struct, frozen=True):
    """Where the story plays: a folder, and the environment of its commands."""

    folder: Path
    environ: Mapping[str, str]

    def say(self, text: str) -> None:
        line()
        line(paint(f"# {text}", "bold", sys.stdout))

    def newest_release(self, environment: str) -> str:
        """Return the short id of the newest release, as `gitops history` shows it."""
        done = subprocess.run(
            [sys.executable, "-m", "gitops", "history", environment, "--limit", "1", "-o", "json"],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        return str(json.loads(done.stdout)["releases"][0]["commit"][:7])

    def run(
        self, command: str, *, who: tuple[str, str] = _CI, quiet: bool = False, expect: int = 0
    ) -> None:
        """Run `command` as `who` and show it with its output."""
        words = shlex.split(command)
        if not quiet:
            line(f"$ {command}")
        sys.stdout.flush()
        actual = [sys.executable, "-m", "gitops", *words[1:]] if words[0] == "gitops" else words
        environ = dict(self.environ)
        for role in ("AUTHOR", "COMMITTER"):
            environ |= {f"GIT_{role}_NAME": who[0], f"GIT_{role}_EMAIL": who[1]}
        done = subprocess.run(
            actual,
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != expect:
            output = (done.stdout or b"").decode("utf-8", "replace")
            raise Bug(f"the demo expected {expect} and got {done.returncode}: {command}\n{output}")


def tell(directory: str | None) -> int:
    """Tell the story in `directory` (kept), or in a temporary folder; return the exit code 0.

    Raises Refused when `directory` is there and not empty, NotFound without Git.
    """
    with ExitStack() as stack:
        if directory is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-demo-")))
        else:
            folder = Path(directory).absolute()
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise Refused(
                    f"{directory} is not empty", hint="name a folder that does not exist yet"
                )
            folder.mkdir(parents=True, exist_ok=True)
        stage = _Stage(folder, _environment(folder))
        _prepare(stage)
        _play(stage)
        _close(stage, kept=directory is not None)
    return 0


def _environment(folder: Path) -> dict[str, str]:
    """The caller's environment without anything that would bend Git or gitops."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "GITOPS_"))
    }
    return environ | {
        "GITOPS_REPO": str(folder / "manifests.git"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONPATH": str(Path(__file__).parents[3]),  # where this very gitops lies
    }


def _prepare(stage: _Stage) -> None:
    from gitops.actions.init import InitRequest
    from gitops.wiring import init

    stage.say("A bare repository with the sample: five environments of one web service")
    url = "https://git.example.com/shop/manifests.git"
    init(str(stage.folder / "checkout"), InitRequest(repo_url=url), None)
    for command in (
        "git init -q --bare -b main manifests.git",
        "git -C checkout init -q -b main",
        "git -C checkout add .",
        "git -C checkout commit -q -m 'Start with the sample'",
        "git -C checkout remote add origin ../manifests.git",
        "git -C checkout push -q -u origin main",
    ):
        try:
            stage.run(command, who=_ANA, quiet=True)
        except FileNotFoundError:
            raise NotFound("there is no `git` on PATH", hint="install Git 2.30 or newer") from None
    line(f"$ export GITOPS_REPO={shlex.quote(stage.environ['GITOPS_REPO'])}")
    stage.run("gitops status")


def _play(stage: _Stage) -> None:
    main = "--ref main --commit {}"
    stage.say("CI built two commits of main: dev and test follow it by themselves")
    stage.run(f"gitops deploy shop/api:1.5.0 {main.format('5f2c' * 10)}")
    stage.run(f"gitops deploy shop/web:2.4.0 {main.format('9ab1' * 10)}")
    stage.say("QA cut release/1.5: stage follows release branches")
    stage.run(
        f"gitops deploy shop/api:1.5.0 shop/web:2.4.0 --ref release/1.5 --commit {'9ab1' * 10}"
    )
    stage.say("On to prod? Not before QA has passed that very release")
    stage.run("gitops promote --to prod", who=_ANA, expect=1)
    tested = stage.newest_release("stage")
    stage.run(f"gitops qa stage --pass --release {tested} --note 'test plan 81'", who=_CARA)
    stage.say("Now it becomes a proposal, which another person approves")
    stage.run("gitops promote --to prod", who=_ANA)
    stage.run("gitops approve prod", who=_BEN)
    stage.say("The next build of main is bad")
    stage.run(f"gitops deploy shop/api:1.6.0 {main.format('bad0' * 10)}")
    stage.say("Ana takes dev back, in one move")
    stage.run("gitops rollback dev --reason 'INC-42: checkout fails'", who=_ANA)
    stage.say("CI comes again: dev is held and left alone, test goes on")
    stage.run(f"gitops deploy shop/api:1.6.1 {main.format('77ce' * 10)}")
    stage.say("What happened to dev, and what is where")
    stage.run("gitops history dev")
    stage.run("gitops status")
    stage.say("The fix is there: dev follows main again")
    stage.run("gitops resume dev", who=_ANA)
    stage.run(f"gitops deploy shop/api:1.6.1 {main.format('77ce' * 10)}")


def _close(stage: _Stage, *, kept: bool) -> None:
    line()
    if kept:
        line(f"The repository is kept in {stage.environ['GITOPS_REPO']}; try it:")
        line(f"  export GITOPS_REPO={shlex.quote(stage.environ['GITOPS_REPO'])}")
        line("  gitops history test")
        line("  gitops rollback test --dry-run")
    else:
        line("That was it; the folder is gone. `gitops demo DIR` keeps the repository to try more.")
