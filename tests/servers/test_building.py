"""`scripts/servers`: built once and whole, again when a pin moves, with clear words when it cannot.

A stand-in for Go keeps these tests quick: the real one builds what the other tests run.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from servers import programs, store
from servers.programs import GITEA, GROUPS, KWOK, ProgramSet
from servers.runs import ROOT

GO = """\
#!/bin/sh
case "$1 $2" in
"env GOVERSION") echo "${GO_VERSION:-go1.26.0}" ;;
"list -m") echo "$MODULE" ;;
build*)
    echo "$GOFLAGS $CGO_ENABLED $*" >>"$CALLS"
    [ -z "$BUILD_FAILS" ] || { echo "main.go:1: undefined: it" >&2; exit 1; }
    while [ "$1" != -o ]; do shift; done
    mkdir -p "$(dirname "$2")" && sleep "${BUILD_TAKES:-0}" && echo built >"$2" ;;
esac
"""


class Machine:
    """A PATH with a Go of ours, a module with kwok's files, and an empty store."""

    def __init__(self, folder: Path) -> None:
        self.calls = folder / "calls"
        self.store = folder / "store"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name, text in {"go": GO, "gcc": "#!/bin/sh\n"}.items():
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)
        self.module = folder / "module"
        for one in (GITEA, KWOK):
            for pattern in (pattern for found in one.copies.values() for pattern in found):
                path = self.module / pattern
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.suffix:
                    path.write_text(f"kind: {path.stem}\n")
                else:
                    path.mkdir()
                    (path / "file").write_text("content")
        self.environ = {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "CALLS": str(self.calls),
            "MODULE": str(self.module),
            "GITOPS_SERVERS_CACHE": str(self.store),
        }

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run scripts/servers."""
        return subprocess.run(
            [str(ROOT / "scripts" / "servers"), *arguments],
            env={**self.environ, **env},
            capture_output=True,
            text=True,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine of the test's own."""
    return Machine(tmp_path)


def test_what_is_built_is_not_built_again(machine: Machine) -> None:
    """The second build calls nothing, says nothing, and needs no Go."""
    first = machine.run("build", "gitea")
    calls = machine.calls.read_text()
    second = machine.run("build", "gitea", PATH=os.defpath)

    assert (0, 0, "") == (first.returncode, second.returncode, second.stderr)
    assert "gitea v1.25.4: built" in first.stderr
    assert calls == machine.calls.read_text()
    assert "-mod=readonly 1 build" in calls
    assert "sqlite sqlite_unlock_notify" in calls


def test_a_set_holds_what_its_programs_read(machine: Machine) -> None:
    """The module's files are beside the programs, and kwok's stages are one file with ours last."""
    machine.run("build", "gitea")
    built = store.folder_of(GITEA, machine.environ)

    assert "built\n" == (built / "bin" / "gitea").read_text()
    assert "content" == (built / "static" / "templates" / "file").read_text()
    machine.run("build", "control-plane", BUILD_TAKES="0")
    stages = (store.folder_of(KWOK, machine.environ) / "stages.yaml").read_text()
    assert stages.startswith("kind: node-initialize")
    assert "kind: pod-delete" in stages
    assert stages.index("pod-delete") < stages.index("pod-crash-loop")


def test_two_builders_build_once(machine: Machine) -> None:
    """Who comes second waits for the first and takes what that built."""
    command = [str(ROOT / "scripts" / "servers"), "build", "gitea"]
    environ = {**machine.environ, "BUILD_TAKES": "0.5"}
    both = [
        subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate()[1] for process in both]

    assert [0, 0] == [process.returncode for process in both]
    assert 1 == len(machine.calls.read_text().splitlines())
    assert 1 == sum("somebody else is building it" in text for text in said)


def test_a_failed_build_leaves_nothing(machine: Machine) -> None:
    """What Go said is shown, the exit code is 3, and no half set stays."""
    done = machine.run("build", "gitea", BUILD_FAILS="1")

    assert 3 == done.returncode
    assert "main.go:1: undefined: it" in done.stderr
    assert "hint: " in done.stderr
    assert {".lock"} == {path.suffix for path in machine.store.iterdir()}


def test_what_a_killed_builder_left_is_swept(machine: Machine) -> None:
    """The next builder of a set removes the half set of one that was killed."""
    left = machine.store / ".building-gitea-killed"
    left.mkdir(parents=True)
    machine.run("build", "gitea")

    assert not left.exists()


@pytest.mark.parametrize(
    ("env", "gone", "words"),
    [
        ({}, "go", "needs Go, and there is no `go`"),
        ({"GO_VERSION": "go1.19.8"}, None, "needs Go 1.26, and there is go1.19.8"),
        ({"CC": "no-such-cc"}, None, "needs a C compiler, and there is no `no-such-cc`"),
    ],
    ids=["no Go", "old Go", "no compiler"],
)
def test_what_is_missing_is_named(
    machine: Machine, tmp_path: Path, env: dict[str, str], gone: str | None, words: str
) -> None:
    """A build that lacks something names it and the way out."""
    if gone is not None:
        (machine.bin / gone).unlink()
        for name in ("sh", "dirname", "python3", "env"):
            found = next(
                path
                for path in (Path(part) / name for part in os.environ["PATH"].split(os.pathsep))
                if path.exists()
            )
            (machine.bin / name).symlink_to(found)
        env = {**env, "PATH": str(machine.bin)}
    done = machine.run("build", "gitea", **env)

    assert 3 == done.returncode
    assert words in done.stderr
    assert "hint: install" in done.stderr


def test_a_lane_that_cannot_be_built_is_passed_over(machine: Machine) -> None:
    """`--where-possible` says what will be left out, and fails only where that is demanded."""
    passed = machine.run("build", "gitea", "--where-possible", GO_VERSION="go1.19")
    demanded = machine.run(
        "build", "gitea", "--where-possible", GO_VERSION="go1.19", GITOPS_REQUIRE_FORGE="1"
    )

    assert (0, 3) == (passed.returncode, demanded.returncode)
    assert "Lane forge will be left out: building gitea needs Go 1.26" in passed.stderr


def test_a_moved_pin_is_another_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins, flags, and files of our own decide where a set lies; nothing else does."""
    monkeypatch.setattr(programs, "MODULES", tmp_path)
    folder = tmp_path / "kwok"
    folder.mkdir()
    for name in ("go.mod", "go.sum", "stages-extra.yaml"):
        (folder / name).write_text(f"require {KWOK.module} v0.8.0\n")
    keys = [store.key(KWOK), store.key(KWOK)]
    for name in ("go.sum", "stages-extra.yaml"):
        (folder / name).write_text("changed")
        keys.append(store.key(KWOK))
    keys.append(store.key(replace(KWOK, tags=("fast",))))

    assert keys[0] == keys[1]
    assert 4 == len(set(keys))


@pytest.mark.parametrize(
    "one", [one for found in GROUPS.values() for one in found], ids=lambda one: one.name
)
def test_every_set_says_its_version(one: ProgramSet) -> None:
    """The version of every set is read from its go.mod, and goes into its programs."""
    assert one.version.startswith("v")
    assert "{" not in one.linker_flags()
    assert one.go >= (1, 26)


def test_the_place_follows_the_environment(tmp_path: Path) -> None:
    """$GITOPS_SERVERS_CACHE, else the user's cache folder; a relative one does not count."""
    home = {"HOME": "/home/ana"}

    assert Path("/home/ana/.cache/gitops-servers") == store.store(home)
    assert Path("/var/x/gitops-servers") == store.store({**home, "XDG_CACHE_HOME": "/var/x"})
    assert Path("/home/ana/.cache/gitops-servers") == store.store({**home, "XDG_CACHE_HOME": "x"})
    assert tmp_path == store.store({**home, "GITOPS_SERVERS_CACHE": str(tmp_path)})


def test_status_path_and_clean(machine: Machine) -> None:
    """What is built and where can be asked for; cleaning keeps what is in use unless told."""
    before = machine.run("path", "gitea")
    machine.run("build", "gitea")
    after = machine.run("path", "gitea")
    old = machine.store / "gitea-of-another-pin"
    old.mkdir()
    kept = machine.run("clean")
    status = machine.run("status")
    unknown = machine.run("path", "no-such")
    machine.run("clean", "--all")

    assert (1, 0, 2, 0) == (
        before.returncode,
        after.returncode,
        unknown.returncode,
        kept.returncode,
    )
    assert "hint: scripts/servers build gitea" in before.stderr
    assert not old.exists()
    assert "gitea     v1.25.4   built" in status.stdout
    assert not Path(after.stdout.strip()).exists()
