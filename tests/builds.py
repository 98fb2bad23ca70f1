"""What the machine's kustomize made of a tree is remembered for the whole test run.

Starting it takes longer than all else that a call does, and most tests build the same few trees to
look at something else. So what is started warm (warm.py) asks here first: for the same files, the
same folder and the same program the answer is the one that this program gave. Only what succeeded
is kept, and only of programs that were on PATH when the run began: a test's own stand-in is run
each time. Who tests building itself starts it (tests/adapters/local/test_kustomize.py), as does
every call in a Python of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Set
from contextlib import suppress
from pathlib import Path

import msgspec


def programs_of_the_machine() -> set[str]:
    """Return the programs on PATH that can build."""
    found = filter(None, map(shutil.which, ("kustomize", "kubectl")))
    return {os.path.realpath(path) for path in found}


def remember_builds(folder: Path, programs: Set[str]) -> None:
    """Have this process and its forks ask `folder` before they start one of `programs`."""
    from gitops.adapters.local.kustomize import Kustomize
    from gitops.ports import Build, BuildFile

    build = Kustomize.build

    def remembered(self: Kustomize, files: Mapping[str, BuildFile], directory: str) -> Build:
        if self._command[0] not in programs:
            return build(self, files, directory)
        asked = [self._command, self._libraries, directory, sorted(files.items())]
        kept = folder / hashlib.sha256(msgspec.msgpack.encode(asked)).hexdigest()
        with suppress(FileNotFoundError):
            return msgspec.msgpack.decode(kept.read_bytes(), type=Build)
        built = build(self, files, directory)
        if built.text is not None:
            folder.mkdir(exist_ok=True)
            written = kept.with_suffix(f".{os.getpid()}")
            written.write_bytes(msgspec.msgpack.encode(built))
            written.rename(kept)
        return built

    Kustomize.build = remembered  # type: ignore[method-assign]
