"""`gitops demo`: the story of prod on a repository of its own, with the real commands.

Every line that starts with `$` is run as printed, as processes of their own, and what follows is
their real output. What happened before the story is prepared without a word: prod took 1.4.1. There
is no cluster here, so the demo also writes what `gitops watch` would have said of it: stable.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from gitops.cli.render.terminal import line, paint
from gitops.errors import Bug, NotFound, Refused

_CI = ("shop CI", "ci@example.com")
_ANA = ("Ana", "ana@example.com")
_BEN = ("Ben", "ben@example.com")
_CARA = ("Cara", "cara@example.com")  # QA
_URL = "https://git.example.com/shop/manifests.git"
_SOURCE = "https://git.example.com/shop/shop.git"

_READERS = "reader.gitconfig"  # for whoever tries more afterwards: their own, and the address
_INCLUDES = "".join(
    f"[include]\n\tpath = {path}\n" for path in ("~/.config/git/config", "~/.gitconfig")
)


class _Stage(Struct, frozen=True):
    """Where the story plays: a folder, and the environment of its commands."""

    folder: Path
    environ: Mapping[str, str]

    def run(self, command: str, *, who: tuple[str, str] = _CI, expect: int = 0) -> None:
        """Run `command` as `who` and show it with its output."""
        line(f"$ {command}")
        sys.stdout.flush()
        _expect(command, self.start(command, who), expect)

    def run_at_once(self, *commands: str) -> None:
        """Start all of `commands` at the same moment and show each with its output."""
        line(f"$ {' & '.join(commands)} & wait")
        sys.stdout.flush()
        begun = [(one, self.start(one, _CI, stdout=subprocess.PIPE)) for one in commands]
        for command, process in begun:
            out = process.communicate()[0] or b""
            for text in out.decode("utf-8", "replace").rstrip("\n").split("\n"):
                line(text)
            _expect(command, process, 0)

    def prepare(self, command: str, *, who: tuple[str, str] = _ANA) -> str:
        """Run `command` without showing it; return its output."""
        process = self.start(command, who, stdout=subprocess.PIPE)
        out = (process.communicate()[0] or b"").decode("utf-8", "replace")
        _expect(command, process, 0, out)
        return out

    def start(
        self, command: str, who: tuple[str, str], stdout: int | None = None
    ) -> subprocess.Popen[bytes]:
        words = shlex.split(command)
        actual = ["sh", "-c", command]
        if words[0] == "gitops":
            actual = [sys.executable, "-m", "gitops", *words[1:]]
        environ = dict(self.environ)
        for role in ("AUTHOR", "COMMITTER"):
            environ |= {f"GIT_{role}_NAME": who[0], f"GIT_{role}_EMAIL": who[1]}
        return subprocess.Popen(
            actual,
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
        )

    @property
    def repository(self) -> str:
        return self.environ["GITOPS_REPO"]


def _expect(
    command: str, process: subprocess.Popen[bytes], expected: int, output: str = ""
) -> None:
    code = process.wait()
    if code != expected:
        raise Bug(f"the demo expected {expected} and got {code}: {command}\n{output}".rstrip())


def tell(directory: str | None, *, pause: Callable[[], bool] | None = None) -> int:
    """Tell the story in `directory` (kept), or in a temporary folder; return the exit code 0.

    `pause` is called between the steps; the story ends where it returns False.

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
        for number, (title, step) in enumerate(_STORY):
            if number:
                line()
            line(paint(f"# {title}", "bold", sys.stdout))
            step(stage)
            if pause is not None and not pause():
                break
        _close(stage, directory)
    return 0


def wait_for_key() -> bool:
    """Wait for a key at the terminal; return False for the keys that end the story."""
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal, termios.TCSANOW)  # a key pressed too early counts
        sys.stdout.write(paint("  any key: go on, q: end", "dim", sys.stdout))
        sys.stdout.flush()
        key = os.read(terminal, 64)
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
        sys.stdout.write("\r\x1b[K")
    return key not in (b"q", b"Q", b"\x1b", b"\x04", b"")


def _environment(folder: Path) -> dict[str, str]:
    """The caller's environment without anything that would bend Git or gitops."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "GITOPS_"))
    }
    return environ | {
        "GITOPS_REPO": str(folder / "manifests.git"),
        "GITOPS_CACHE": "off",
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONPATH": str(Path(__file__).parents[3]),  # where this very gitops lies
    }


def _prepare(stage: _Stage) -> None:
    """Make the repositories, and what happened before: prod took 1.4.1, and it was healthy."""
    from gitops.actions.init import InitRequest
    from gitops.wiring.folders import init

    if shutil.which("git") is None:
        raise NotFound("there is no `git` on PATH", hint="install Git 2.30 or newer")
    # The source repository lies beside, and is found under its address.
    found = f'[url "{stage.folder / "shop.git"}"]\n\tinsteadOf = {_SOURCE}\n'
    (stage.folder / "gitconfig").write_text(found)
    (stage.folder / _READERS).write_text(f"{_INCLUDES}{found}")
    checkout = stage.folder / "checkout"
    init(str(checkout), InitRequest(repo_url=_URL), None)
    config = checkout / "gitops.yaml"
    sources = "".join(
        f"  - {{name: {image}, source: {_SOURCE}}}\n" for image in ("shop/api", "shop/web")
    )
    config.write_text(f"{config.read_text()}images:\n{sources}")
    for command in (
        "git init -q --bare -b main manifests.git",
        "git init -q --bare -b main shop.git",
        "git -C checkout init -q -b main",
        "git -C checkout add .",
        "git -C checkout commit -q -m 'Start with the sample'",
        "git -C checkout remote add origin ../manifests.git",
        "git -C checkout push -q -u origin main",
    ):
        stage.prepare(command)
    tree = stage.prepare("git -C shop.git mktree").strip()
    built = _commit(stage, "1.4", tree)
    stage.prepare(f"gitops deploy shop/api:1.4.1 --ref release/1.4 --commit {built}", who=_CI)
    stage.prepare("gitops qa stage --pass --release newest", who=_CARA)
    stage.prepare("gitops promote --to prod")
    stage.prepare("gitops approve prod", who=_BEN)
    _see_healthy(stage)
    _commit(stage, "1.5", tree)


def _commit(stage: _Stage, version: str, tree: str) -> str:
    """Cut `release/{version}` in the source repository; return its commit."""
    built = stage.prepare(f"git -C shop.git commit-tree -m {version} {tree}").strip()
    for branch in ("main", f"release/{version}"):
        stage.prepare(f"git -C shop.git update-ref refs/heads/{branch} {built}")
    return built


def _see_healthy(stage: _Stage) -> None:
    """Write to the ledger what `gitops watch` writes where there is a cluster."""
    from gitops.core.kustomization.image import ImageValue
    from gitops.core.ledger import LEDGER_BRANCH
    from gitops.core.ledger.parts import ledger_path
    from gitops.core.ledger.records import Record, render_record

    release = json.loads(stage.prepare("gitops history prod --limit 1 -o json"))["releases"][0]
    images = {
        one["image"]: ImageValue(name=one["name"], tag=one["tag"], digest=one["digest"])
        for one in release["images"]
    }
    record = Record(
        commit=release["commit"],
        verdict="stable",
        time=datetime.now(UTC),
        by="gitops watch",
        images=images,
        machine=True,
    )
    stage.prepare(f"git clone -q -b {LEDGER_BRANCH} manifests.git ledger")
    (stage.folder / "ledger" / ledger_path("prod", None)).write_bytes(render_record(record))
    stage.prepare("git -C ledger add .")
    stage.prepare("git -C ledger commit -q -m 'prod: stable'")
    stage.prepare("git -C ledger push -q origin HEAD")
    shutil.rmtree(stage.folder / "ledger")


def _bump(stage: _Stage) -> None:
    line(f"$ export GITOPS_REPO={shlex.quote(stage.repository)}")
    if sys.stdout.isatty():  # there it is a table; elsewhere a list that is longer than a glance
        stage.run("gitops status")
    stage.run("gitops deploy shop/api:1.5.0 --ref main")
    stage.run("git -C $GITOPS_REPO show main -- overlays/dev | grep '^[-+] '")


def _race(stage: _Stage) -> None:
    stage.run_at_once(
        "gitops deploy shop/api:1.5.1 --ref main", "gitops deploy shop/web:2.4.0 --ref main"
    )


def _test(stage: _Stage) -> None:
    built = stage.prepare("git -C shop.git rev-parse release/1.5").strip()
    stage.run(f"gitops deploy shop/api:1.5.1 --ref release/1.5 --commit {built[:12]}")
    stage.run("gitops promote --to prod", who=_ANA, expect=1)
    stage.run("gitops qa stage --pass --release newest", who=_CARA)


def _release(stage: _Stage) -> None:
    stage.run("gitops promote --to prod", who=_ANA)
    stage.run("gitops approve prod", who=_BEN)


def _roll_back(stage: _Stage) -> None:
    stage.run("gitops rollback prod --reason 'INC-42: checkout fails'", who=_ANA)


def _stay(stage: _Stage) -> None:
    stage.run("gitops promote --to prod", expect=1)
    stage.run("gitops history prod")


_STORY: Sequence[tuple[str, Callable[[_Stage], None]]] = (
    ("CI built main: dev and test follow it, and only the bytes of the tag change", _bump),
    ("Two jobs push at the same moment: both land", _race),
    ("Stage follows release/1.5; prod takes only what QA passed there", _test),
    ("Ana proposes it for prod, Ben approves", _release),
    ("Prod fails. Ana takes it back to the last stable release, in one move", _roll_back),
    ("Nothing undoes that by itself, and everybody sees what happened", _stay),
)


def _close(stage: _Stage, directory: str | None) -> None:
    """Tell how to go on, in commands that run where the reader is."""
    program = _program()
    line()
    if directory is not None:
        line("The repository is kept; prod was healthy on 1.4.1 before all this. Try:")
        readers = shlex.quote(str(stage.folder / _READERS))
        repository = shlex.quote(stage.repository)
        line(f"  export GITOPS_REPO={repository} GIT_CONFIG_GLOBAL={readers}")
        line(f"  {program} status")
        line(f"  {program} undo prod --dry-run")
    else:
        line("That was it, and the folder is gone. To try more, keep the next one:")
        line(f"  {program} demo gitops-demo")


def _program() -> str:
    """How the reader can call this very gitops from where they are."""
    called = Path(sys.argv[0])
    found = shutil.which("gitops")
    if found is not None and called.name == "gitops" and Path(found).samefile(called):
        return "gitops"
    if called.name == "gitops" and called.is_file():
        near = os.path.relpath(called)
        return shlex.quote(near if not near.startswith("..") else str(called.absolute()))
    return f"{shlex.quote(sys.executable)} -m gitops"
