"""`ports.Renderer`: builds an overlay with the kustomize that is at hand.

What is built may come from anybody, so the build gets a folder with just its files, an empty PATH
(no Git, no Helm, no plugin that it could start), none of the caller's variables, a proxy that
nobody listens at, and where Linux lets us a network of its own without any address. Neither Helm
nor plugins are switched on. Links may not lead out of the folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gitops.adapters.gitrepo.command.process import stop_group
from gitops.adapters.gitrepo.objects.codec import check_path
from gitops.adapters.gitrepo.objects.store import PREFIX
from gitops.core.text.plain import one_line
from gitops.errors import ManifestError
from gitops.ports import Build, BuildFile

_TIMEOUT = 15.0  # seconds for one build
_LONGEST = 8 << 20  # bytes of manifests
_NOBODY = "http://127.0.0.1:9"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def find_kustomize(environ: Mapping[str, str], *, timeout: float = _TIMEOUT) -> Kustomize | None:
    """Return the kustomize on PATH, else kubectl's, None when there is neither."""
    # A relative entry would find what the repository brings along.
    entries = environ.get("PATH", os.defpath).split(os.pathsep)
    path = os.pathsep.join(entry for entry in entries if os.path.isabs(entry))
    for program, verb in (("kustomize", "build"), ("kubectl", "kustomize")):
        found = shutil.which(program, path=path)
        if found is not None:
            name = program if verb == "build" else f"{program} {verb}"
            return Kustomize((os.path.realpath(found), verb), name, _cage(path), timeout)
    return None


class Kustomize:
    """One program that builds overlays.

    Args:
        command: the program and its verb; the folder comes after them.
        cage: what is put before it to cut it off from the network, () where that cannot be.
    """

    def __init__(
        self, command: tuple[str, ...], name: str, cage: tuple[str, ...], timeout: float
    ) -> None:
        self._command = command
        self._cage = cage
        self._timeout = timeout
        self.name = name

    def build(self, files: Mapping[str, BuildFile], directory: str) -> Build:
        """Build `directory` of `files`; see `ports.Renderer`."""
        # Named like a store, so that the next start removes what a killed one left.
        with tempfile.TemporaryDirectory(prefix=f"{PREFIX}build-") as place:
            root = Path(place).resolve()
            tree, home = root / "tree", root / "home"
            for folder in (tree, home, root / "bin"):
                folder.mkdir()
            try:
                _write(tree, files)
            except (ManifestError, OSError) as error:
                return Build(None, _plain(str(error), tree))
            return self._run(root, tree, directory)

    def _run(self, root: Path, tree: Path, directory: str) -> Build:
        isolated = bool(self._cage)
        with open(root / "out", "w+b") as out, open(root / "err", "w+b") as err:
            try:
                child = subprocess.Popen(
                    [*self._cage, *self._command, str(tree / directory)],
                    cwd=root / "home",
                    env=_environment(root),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
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
        if len(text) > _LONGEST:
            return Build(None, f"more than {_LONGEST >> 20} MB of manifests", isolated=isolated)
        if child.returncode != 0:
            words = _plain(said, tree) or f"{self.name} ended with {child.returncode}"
            return Build(None, words, isolated=isolated)
        return Build(text.decode("utf-8", "replace"), isolated=isolated)


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


def _environment(root: Path) -> dict[str, str]:
    return {
        "PATH": str(root / "bin"),
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "home"),
        "XDG_CONFIG_HOME": str(root / "home"),
        "KUBECONFIG": os.devnull,
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


def _cage(path: str) -> tuple[str, ...]:
    """Return what starts a program without a network, () where this user may not do that."""
    unshare = shutil.which("unshare", path=path)
    if unshare is None:
        return ()
    words = (unshare, "--map-root-user", "--net", "--")
    try:
        done = subprocess.run(
            [*words, "/bin/sh", "-c", ":"], capture_output=True, check=False, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return words if done.returncode == 0 else ()


def _plain(text: str, tree: Path) -> str:
    """Return the last words of a program as one line, without the places of this machine."""
    lines = [line for line in text.replace(f"{tree}{os.sep}", "").splitlines() if line.strip()]
    said = one_line(" ".join(lines[-3:]).replace(str(tree), "the repository"), 400)
    return said.removeprefix("error: ").removeprefix("Error: ")
