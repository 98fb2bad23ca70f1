"""`scripts/servers`: builds the real servers of the tests, and says where they are."""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from servers.build import CannotBuildError, build, say
from servers.demands import LANES, demanded
from servers.programs import GROUPS, SYSTEM_PROGRAMS
from servers.store import CACHE_VARIABLE, folder_of, missing, program, store

_EPILOGUE = f"""\
groups:
  gitea           a Git forge: about 3 minutes to build; needs Go and a C compiler
  actions         the engine of Gitea's Actions runner: half a minute; needs Go
  control-plane   etcd, Kubernetes, kwok, Argo CD and Argo Rollouts: about 10 minutes; needs Go,
                  and to run redis-server and openssl
  workflows       the controller of Argo Workflows, beside the control plane: about 5 minutes

Programs are kept in ${CACHE_VARIABLE}, else in gitops-servers of $XDG_CACHE_HOME or ~/.cache; what
was built once needs no Go. Times are of two cores and empty caches of Go, which take 13 GB
(`go clean -cache -modcache` empties them); the programs themselves take 0.9 GB.
"""


def main() -> int:
    """Do what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/servers",
        description="Builds the real servers that tests run against, from pinned Go modules.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in {
        "build": "build what is not built yet (default: every group)",
        "path": "print the folders of a group, or the file of a program",
        "status": "say what is built, and what is missing on this machine",
        "clean": "delete what the pins no longer ask for, and snapshots; with --all everything",
    }.items():
        command = commands.add_parser(name, help=text, description=text)
        if name == "build":
            command.add_argument("group", nargs="*", metavar="GROUP")
            command.add_argument(
                "--where-possible",
                action="store_true",
                help="say what cannot be built here and go on, unless a lane is demanded",
            )
        elif name == "path":
            command.add_argument("name", metavar="GROUP|PROGRAM")
        elif name == "clean":
            command.add_argument("--all", action="store_true", help="also those in use now")
    options = parser.parse_args()
    try:
        if options.command == "build":
            return _build(options.group or list(GROUPS), patient=options.where_possible)
        if options.command == "path":
            return _path(options.name)
        if options.command == "status":
            return _status()
        return _clean(everything=options.all)
    except CannotBuildError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


def _build(groups: list[str], *, patient: bool) -> int:
    if unknown := [group for group in groups if group not in GROUPS]:
        print(f"error: there is no group {unknown[0]}", file=sys.stderr)
        print(f"hint: there are {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    for group in groups:
        try:
            for one in GROUPS[group]:
                build(one)
        except CannotBuildError as error:
            lane = LANES[group]
            if not patient or demanded(lane):
                raise
            say(f"Lane {lane} will be left out: {error}\nhint: {error.hint}")
    return 0


def _path(name: str) -> int:
    try:
        paths = [folder_of(one) for one in GROUPS[name]] if name in GROUPS else [program(name)]
    except LookupError:
        known = [word for sets in GROUPS.values() for one in sets for word in one.programs]
        print(f"error: there is no group and no program {name}", file=sys.stderr)
        print(f"hint: there are {', '.join([*GROUPS, *known])}", file=sys.stderr)
        return 2
    print(*paths, sep="\n")
    if all(path.exists() for path in paths):
        return 0
    print(f"error: not built yet\nhint: scripts/servers build {_group(name)}", file=sys.stderr)
    return 1


def _group(name: str) -> str:
    """Return the group that a group or program belongs to."""
    found = (group for group, sets in GROUPS.items() if any(name in one.programs for one in sets))
    return name if name in GROUPS else next(found)


def _status() -> int:
    print(f"store: {store()}")
    for group, sets in GROUPS.items():
        absent = missing(group)
        for one in sets:
            state = "not built" if one in absent else "built"
            print(f"{group:14} {one.name:9} {one.version:9} {state}")
        for name in SYSTEM_PROGRAMS[group]:
            where = shutil.which(name)
            print(f"{group:14} {name:19} {where or 'not installed'}")
    return 0


def _clean(*, everything: bool) -> int:
    wanted = {folder_of(one).name for sets in GROUPS.values() for one in sets}
    folder = store()
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        if path.is_dir() and (everything or path.name not in wanted):
            # A snapshot of a control plane is made anew in seconds.
            say(f"deleting {path}")
            shutil.rmtree(path)
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
