"""Builds sets of programs with Go, once, whole or not at all, and safely beside another builder."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from servers.programs import ProgramSet
from servers.store import folder_of

_HEARTBEAT = 30.0
"""Seconds between two lines about the same program."""


class CannotBuildError(Exception):
    """Something that a build needs is not there, or Go said no. Says what, and the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def build(programs: ProgramSet, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of a set, built when it is not there yet.

    Raises CannotBuildError when Go or a C compiler is missing or too old, or the build fails.
    """
    folder = folder_of(programs, environ)
    if folder.is_dir():
        return folder
    check_tools(programs, environ)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if folder.is_dir():
            return folder
        # Whoever left these was killed: this set's lock is ours.
        for left in folder.parent.glob(f".building-{programs.name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        say(f"{programs.name} {programs.version}: building, about {_about(programs.minutes)} cold")
        begun = time.monotonic()
        made = Path(tempfile.mkdtemp(prefix=f".building-{programs.name}-", dir=folder.parent))
        try:
            made.chmod(0o755)
            for name, package in programs.programs.items():
                _compile(programs, name, package, made, environ)
            _copy_files(programs, made, environ)
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        say(f"{programs.name} {programs.version}: built in {time.monotonic() - begun:.0f} s")
    return folder


def say(line: str) -> None:
    """Print a line of progress."""
    print(line, file=sys.stderr, flush=True)


def check_tools(programs: ProgramSet, environ: Mapping[str, str] = os.environ) -> None:
    """Raise CannotBuildError unless Go, new enough, and what else the set needs are on PATH."""
    path = environ.get("PATH")
    wanted = ".".join(map(str, programs.go[:2]))
    if shutil.which("go", path=path) is None:
        raise CannotBuildError(
            f"building {programs.name} needs Go, and there is no `go` on PATH",
            f"install Go {wanted} or newer (https://go.dev/dl)",
        )
    answer = subprocess.run(
        ["go", "env", "GOVERSION"], env=_go_environ(programs, environ), capture_output=True
    )
    numbers = re.match(rb"go(\d+)\.(\d+)", answer.stdout)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < programs.go[:2]:
        found = answer.stdout.decode().strip() or "a Go that does not say its version"
        raise CannotBuildError(
            f"building {programs.name} needs Go {wanted}, and there is {found}",
            f"install Go {wanted} or newer (https://go.dev/dl)",
        )
    compiler = environ.get("CC", "gcc").split()[0]
    if programs.cgo and shutil.which(compiler, path=path) is None:
        raise CannotBuildError(
            f"building {programs.name} needs a C compiler, and there is no `{compiler}` on PATH",
            "install one (Debian, Ubuntu: apt install gcc libc6-dev), or name it in CC",
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a set; it goes with the process, also when that is killed."""
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{folder.name}: somebody else is building it; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _about(minutes: float) -> str:
    """Return a duration in words."""
    return f"{minutes:g} minutes" if minutes >= 1 else f"{minutes * 60:.0f} seconds"


def _go_environ(programs: ProgramSet, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every call of Go: the caller's proxy and caches, our flags."""
    kept = {name: value for name, value in environ.items() if name not in ("GOOS", "GOARCH")}
    return kept | {
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",  # the Go at hand, never another one that it downloads
        "GOWORK": "off",
        "CGO_ENABLED": "1" if programs.cgo else "0",
    }


def _compile(
    programs: ProgramSet, name: str, package: str, made: Path, environ: Mapping[str, str]
) -> None:
    """Build one program into `made`/bin."""
    command = ["go", "build", "-v", "-trimpath", "-buildvcs=false"]
    if programs.tags:
        command += ["-tags", " ".join(programs.tags)]
    command += ["-ldflags", programs.linker_flags(), "-o", str(made / "bin" / name), package]
    process = subprocess.Popen(
        command,
        cwd=programs.folder,
        env=_go_environ(programs, environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.nice(5),
    )
    assert process.stderr is not None
    last: deque[str] = deque(maxlen=20)
    said = begun = time.monotonic()
    downloads = packages = 0
    try:
        for line in process.stderr:
            if line.startswith("go: downloading "):
                downloads += 1
            else:
                packages += 1
                last.append(line)
            if time.monotonic() - said > _HEARTBEAT:
                said = time.monotonic()
                seconds = said - begun
                say(f"{name}: {downloads} modules, {packages} packages after {seconds:.0f} s")
        status = process.wait()
    finally:
        process.kill()
    if status != 0:
        raise CannotBuildError(
            f"{name} did not build; Go said:\n" + "".join(last).rstrip(),
            "run it again: what is downloaded and compiled is kept. Behind a firewall set GOPROXY",
        )


def _copy_files(programs: ProgramSet, made: Path, environ: Mapping[str, str]) -> None:
    """Copy what the programs read at run time from the module's folder into `made`."""
    if not programs.copies:
        return
    answer = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", programs.module],
        cwd=programs.folder,
        env=_go_environ(programs, environ),
        capture_output=True,
        text=True,
    )
    source = Path(answer.stdout.strip())
    if answer.returncode != 0 or not answer.stdout.strip():
        raise CannotBuildError(f"Go has no folder of {programs.module}", answer.stderr.strip())
    for name, patterns in programs.copies.items():
        found = [path for pattern in patterns for path in sorted(source.glob(pattern))]
        if not found:
            raise CannotBuildError(f"{programs.module} has no {patterns[0]}", "look at its version")
        if name.endswith(".yaml"):
            parts = [path.read_text(encoding="utf-8") for path in found]
            if name in programs.own:
                parts.append((programs.folder / programs.own[name]).read_text(encoding="utf-8"))
            (made / name).write_text("\n---\n".join(parts), encoding="utf-8")
        elif found[0].is_dir():
            shutil.copytree(found[0], made / name, copy_function=_copy)
        else:
            (made / name).mkdir(parents=True)
            for path in found:
                _copy(path, made / name / path.name)
    for folder in (made, *(path for path in made.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def _copy(source: Path | str, target: Path | str) -> None:
    """Copy a file without the module cache's write protection."""
    shutil.copyfile(source, target)
