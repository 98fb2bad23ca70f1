"""Starts one program in namespaces of its own, where it sees one folder and no network.

Run as a script (`python -I -S jail.py ROOT PROGRAM ARGUMENT…`), since a process cannot leave what
it entered. ROOT becomes `/`; PROGRAM appears there as `/run/NAME`, and folders of the system that
ROOT has by name (`usr`, `lib`, …) are shown read-only. Nothing that the caller may not do is asked
for: an unprivileged user can do all of it where user namespaces are allowed (user_namespaces(7)).

Ends with `NO_JAIL`, before anything of PROGRAM ran, where this machine does not allow it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

NO_JAIL = 97
"""Exit code when there can be no such place."""

SORRY = "no namespaces: "
"""What standard error begins with then."""

SYSTEM = ("bin", "lib", "lib32", "lib64", "usr", "nix/store", "gnu/store")
"""Folders with the libraries that a program may need which is not linked statically."""

# linux/sched.h, linux/mount.h, linux/prctl.h
_NEW = {"mount": 0x00020000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000}
_NEW_NETWORK = 0x40000000
_READ_ONLY, _REMOUNT, _BIND, _ALL_BELOW, _PRIVATE = 1, 32, 4096, 16384, 1 << 18
_NO_SUID, _NO_DEVICES = 2, 4
_DETACH = 2
_PR_SET_NO_NEW_PRIVS = 38
# os.statvfs reports what a mount forbids; a stricter copy must forbid it too.
_KEPT = {1: 1, 2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}


class _System:
    """The few system calls, with errors as OSError."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)

    def __call__(self, name: str, *arguments: object) -> None:
        if getattr(self._library, name)(*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")

    def mount(self, source: str, target: str, flags: int) -> None:
        self("mount", source.encode(), target.encode(), None, ctypes.c_ulong(flags), None)

    def show(self, source: str, target: str) -> None:
        """Let `source` appear at `target`, read-only."""
        self.mount(source, target, _BIND | _ALL_BELOW)
        flags = os.statvfs(target).f_flag
        kept = sum(there for bit, there in _KEPT.items() if flags & bit)
        wanted = _READ_ONLY | _NO_SUID | _NO_DEVICES
        self.mount("none", target, _REMOUNT | _BIND | kept | wanted)


def _enter(system: _System) -> None:
    """Get namespaces of our own, as the same user; root may do without another user namespace."""
    user, group = os.geteuid(), os.getegid()
    rest = sum(_NEW.values()) - _NEW["user"] + _NEW_NETWORK
    try:
        system("unshare", _NEW["user"] | rest)
    except OSError:
        if user != 0:
            raise
        system("unshare", rest)
        return
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _furnish(system: _System, root: Path, program: str) -> str:
    """Make `root` the root of everything; return where the program lies in it."""
    system.mount("none", "/", _PRIVATE | _ALL_BELOW)
    system.mount(str(root), str(root), _BIND)
    for name in SYSTEM:
        if (root / name).is_dir() and not (root / name).is_symlink():
            system.show(f"/{name}", str(root / name))
    # The caller put an empty file there for each one to show: the program, and its companions.
    for place in sorted((root / "run").iterdir()):
        system.show(str(Path(program).with_name(place.name)), str(place))
    os.chdir(root)
    system("pivot_root", b".", b".")  # the old root lies on top of the new one now
    system("umount2", b".", _DETACH)
    os.chdir("/home")
    return f"/run/{Path(program).name}"


def main(arguments: list[str]) -> int:
    """Run the program; returns only when that cannot be."""
    root, program, *rest = arguments
    try:
        system = _System()
        _enter(system)
        place = _furnish(system, Path(root), program)
        system("prctl", _PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), *[ctypes.c_ulong(0)] * 3)
        os.closerange(3, 1 << 16)
        os.environ.pop("LD_LIBRARY_PATH", None)  # for the Python that runs this
        os.execv(place, [place, *rest])  # noqa: S606 - the one thing this file is for
    except (OSError, AttributeError) as error:
        print(f"{SORRY}{error}", file=sys.stderr)
    return NO_JAIL


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
