"""`ports.Renderer`: builds an overlay with the kustomize that is at hand.

What is built may come from anybody. So the build gets a folder with just its files, none of the
caller's variables, no PATH, and where this machine allows it, namespaces of its own (`jail.py`):
there it sees that folder and no network. Elsewhere `Build.isolated` is False: then a proxy that
nobody listens at, an empty PATH, and what was looked at before are all that holds it. Neither Helm
nor plugins are switched on. Links may not lead out of the folder.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gitops import interrupts
from gitops.adapters.gitrepo.command.process import stop_group
from gitops.adapters.gitrepo.objects.temporary import PREFIX
from gitops.adapters.local import jail
from gitops.core.git.commit import check_path
from gitops.core.text.plain import one_line
from gitops.errors import Denied, ManifestError
from gitops.ports import Build, BuildFile

_TIMEOUT = 15.0  # seconds for one build
_LONGEST = 8 << 20  # bytes of manifests
_NOBODY = "http://127.0.0.1:9"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_COMPANIONS = 32  # files beside a program that it may be made of
_INTERPRETER = 3  # PT_INTERP, elf(5)


def find_kustomize(
    environ: Mapping[str, str], *, timeout: float = _TIMEOUT, require_isolation: bool = False
) -> Kustomize | None:
    """Return the kustomize on PATH, else kubectl's, None when there is neither.

    With `require_isolation` raises Denied where a build cannot be kept from seeing this machine.
    """
    # A relative entry would find what the repository brings along.
    entries = environ.get("PATH", os.defpath).split(os.pathsep)
    path = os.pathsep.join(entry for entry in entries if os.path.isabs(entry))
    for program, verb in (("kustomize", "build"), ("kubectl", "kustomize")):
        found = shutil.which(program, path=path)
        if found is not None:
            name = program if verb == "build" else f"{program} {verb}"
            kustomize = Kustomize(
                (os.path.realpath(found), verb), name, timeout, environ.get("LD_LIBRARY_PATH")
            )
            if require_isolation:
                kustomize.require_isolation()
            return kustomize
    return None


class Kustomize:
    """One program that builds overlays.

    Args:
        command: the program and its verb; the folder comes after them.
        libraries: where the Python that starts the program finds its own libraries.
    """

    def __init__(
        self, command: tuple[str, ...], name: str, timeout: float, libraries: str | None = None
    ) -> None:
        self._command = command
        self._timeout = timeout
        self._libraries = libraries
        self._open: str | None = None  # why there are no namespaces, once that is known
        self.name = name

    def require_isolation(self) -> None:
        """Raise Denied where a build would see this machine."""
        build = self.build({"kustomization.yaml": BuildFile(b"{}")}, "")
        if not build.isolated:
            raise Denied(
                f"{self.name} cannot be isolated here: {self._open or build.problem}",
                hint="run it where user namespaces are allowed, or without --require-isolation",
            )

    def build(self, files: Mapping[str, BuildFile], directory: str) -> Build:
        """Build `directory` of `files`; see `ports.Renderer`."""
        # Named like a store, so that the next start removes what a killed one left.
        with tempfile.TemporaryDirectory(prefix=f"{PREFIX}build-") as place:
            root = Path(place).resolve() / "root"
            tree = root / "tree"
            for folder in (root, tree, root / "home", root / "run"):
                folder.mkdir()
            try:
                _write(tree, files)
            except (ManifestError, OSError) as error:
                return Build(None, _plain(str(error), tree))
            if self._open is None:
                build = self._run(root, directory, isolated=True)
                if build is not None:
                    return build
            build = self._run(root, directory, isolated=False)
            return build or Build(None, f"{self.name} did not start")

    def _run(self, root: Path, directory: str, *, isolated: bool) -> Build | None:
        """Build in `root`; None when that cannot be done isolated."""
        tree = Path("/tree") if isolated else root / "tree"
        home = "/home" if isolated else str(root / "home")
        environment = _environment(home)
        command = [*self._command, str(tree / directory)]
        if isolated:
            _furnish(root, Path(self._command[0]))
            command = [sys.executable, "-I", "-S", jail.__file__, str(root), *command]
            if self._libraries:
                environment["LD_LIBRARY_PATH"] = self._libraries
        with open(root.parent / "out", "w+b") as out, open(root.parent / "err", "w+b") as err:
            try:
                with interrupts.held():
                    child = subprocess.Popen(
                        command,
                        cwd=root / "home",
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=out,
                        stderr=err,
                        start_new_session=True,
                    )
                    interrupts.started(child)
            except OSError as error:
                return Build(None, f"{self.name} cannot be started: {error.strerror}")
            try:
                _limit(child.pid, self._timeout)
                child.wait(self._timeout)
            except BaseException as error:
                stop_group(child)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                what = f"{self.name} took longer than {self._timeout:g} s"
                return Build(None, what, isolated=isolated)
            out.seek(0)
            err.seek(0)
            text = out.read(_LONGEST + 1)
            said = err.read(1 << 16).decode("utf-8", "replace")
        if isolated and child.returncode == jail.NO_JAIL and said.startswith(jail.SORRY):
            self._open = _plain(said, tree)
            return None
        if len(text) > _LONGEST:
            return Build(None, f"more than {_LONGEST >> 20} MB of manifests", isolated=isolated)
        if child.returncode != 0:
            words = _plain(said, tree) or f"{self.name} ended with {child.returncode}"
            return Build(None, words, isolated=isolated)
        return Build(text.decode("utf-8", "replace"), isolated=isolated)


def _furnish(root: Path, program: Path) -> None:
    """Make the empty places in `root` that `jail.py` shows programs and libraries at."""
    # A program may hand over to a companion of another version (`kubectl.1.33`).
    companions = sorted(program.parent.glob(f"{program.name}.*"))[:_COMPANIONS]
    for one in (program, *companions):
        if one.is_file():
            (root / "run" / one.name).touch()
    if _stands_alone(program):
        return
    for name in jail.SYSTEM:
        place = Path("/", name)
        if place.is_symlink():
            (root / name).symlink_to(os.readlink(place))
        elif place.is_dir():
            (root / name).mkdir(parents=True, exist_ok=True)


def _stands_alone(program: Path) -> bool:
    """Say whether a program needs no library of the system: an ELF file without interpreter."""
    try:
        with open(program, "rb") as file:
            head = file.read(1 << 16)
    except OSError:
        return False
    if head[:4] != b"\x7fELF" or head[4:6] != b"\x02\x01":  # 64 bits, low byte first
        return False
    (start,) = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    try:
        kinds = [struct.unpack_from("<I", head, start + size * at)[0] for at in range(count)]
    except struct.error:
        return False
    return _INTERPRETER not in kinds


def _write(tree: Path, files: Mapping[str, BuildFile]) -> None:
    """Write `files` below `tree`, links last, and none that leads out.

    Raises ManifestError for a path or a link that leaves `tree`, OSError where two names are one
    for this file system.
    """
    for path in files:
        check_path(path)
    for path, file in files.items():
        if not file.link:
            place = tree / path
            place.parent.mkdir(parents=True, exist_ok=True)
            # Exclusive: where case does not count, a name must not go through another one's link.
            handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as target:
                target.write(file.content)
    links = [path for path, file in files.items() if file.link]
    for path in links:
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(os.fsdecode(files[path].content), place)
    inside = f"{tree}{os.sep}"
    for path in links:
        if not os.path.realpath(tree / path).startswith(inside):
            raise ManifestError("is a link that leads out of the repository", path=path)


def _environment(home: str) -> dict[str, str]:
    return {
        "PATH": f"{home}/bin",  # there is none
        "HOME": home,
        "TMPDIR": home,
        "XDG_CONFIG_HOME": home,
        "KUBECONFIG": f"{home}/none",
        "LC_ALL": "C",
        **dict.fromkeys(_PROXIES, _NOBODY),
    }


def _limit(pid: int, seconds: float) -> None:
    """Bound what a build may write and compute, where the system can do that from outside."""
    try:
        from resource import RLIMIT_CPU, RLIMIT_FSIZE, prlimit

        prlimit(pid, RLIMIT_FSIZE, (_LONGEST * 2, _LONGEST * 2))
        most = int(seconds * 8) + 1  # it may compute on several processors at once
        prlimit(pid, RLIMIT_CPU, (most, most))
    except (ImportError, OSError):
        return


def _plain(text: str, tree: Path) -> str:
    """Return the last words of a program as one line, without the places of this machine.

    Of a crash that is its first line; kubectl's log has a time in it and the words in quotes.
    """
    lines = [line for line in text.replace(f"{tree}{os.sep}", "").split("\n") if line.strip()]
    crash = next((line for line in lines if line.startswith(("panic: ", "fatal error: "))), None)
    last = lines[-3:] if crash is None else [f"it crashes: {crash}"]
    logged = re.compile(r'E[0-9]{4} \S+ +[0-9]+ \S+\] "command failed" err="(.*)"')
    words = [
        found[1].replace('\\"', '"') if (found := logged.fullmatch(one)) else one for one in last
    ]
    said = one_line(" ".join(words).replace(str(tree), "the repository"), 400)
    return said.removeprefix("error: ").removeprefix("Error: ")
