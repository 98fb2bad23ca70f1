"""Where built programs are kept: outside the checkout, one folder for each set and its pins.

`$GITOPS_SERVERS_CACHE`, else `gitops-servers` in `$XDG_CACHE_HOME` or `~/.cache`. A set's folder is
named by a hash of everything that it was built from, so a changed pin makes a new one, and a folder
that exists is whole: it was renamed into place when it was done.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from servers.programs import GROUPS, ProgramSet

CACHE_VARIABLE = "GITOPS_SERVERS_CACHE"

# Goes up when the layout of a set's folder changes.
_LAYOUT = 1


def store(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of all sets, which may not exist yet."""
    named = environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    above = environ.get("XDG_CACHE_HOME", "")
    # The specification has relative paths ignored.
    cache = Path(above) if above.startswith("/") else Path(environ["HOME"]) / ".cache"
    return cache / "gitops-servers"


def key(programs: ProgramSet) -> str:
    """Return the hash of all that a set is built from: pins, flags, own files, machine."""
    pins = {
        name: hashlib.sha256((programs.folder / name).read_bytes()).hexdigest()
        for name in ("go.mod", "go.sum", *programs.own.values())
    }
    recipe = {
        "layout": _LAYOUT,
        "machine": [platform.system(), platform.machine()],
        "pins": pins,
        "programs": dict(programs.programs),
        "flags": [programs.linker_flags(), programs.tags, programs.cgo],
        "copies": {name: list(patterns) for name, patterns in programs.copies.items()},
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:20]


def folder_of(programs: ProgramSet, environ: Mapping[str, str] = os.environ) -> Path:
    """Return where a set is when it is built."""
    return store(environ) / f"{programs.name}-{key(programs)}"


def missing(group: str, environ: Mapping[str, str] = os.environ) -> list[ProgramSet]:
    """Return the sets of a group that are not built."""
    return [one for one in GROUPS[group] if not folder_of(one, environ).is_dir()]


def program(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file of a built program; LookupError when no set has one of this name."""
    for sets in GROUPS.values():
        for one in sets:
            if name in one.programs:
                return folder_of(one, environ) / "bin" / name
    raise LookupError(name)
