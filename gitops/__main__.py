"""`python -m gitops`, and the `gitops` command."""

from __future__ import annotations

import gc

# Of what is made while modules load hardly anything is garbage: looking for it as often as Python
# does costs a deploy 6 % of its CPU time. What lives long is still looked through.
ALLOCATIONS = 100_000
gc.set_threshold(ALLOCATIONS, *gc.get_threshold()[1:])

import atexit  # noqa: E402 - what follows is a part of what loads
import os  # noqa: E402
import sys  # noqa: E402

from gitops import interrupts  # noqa: E402
from gitops.cli import streams  # noqa: E402

TYPE_CHECKING = False  # typing takes its time, and until `main` begins Python deals with Ctrl-C
if TYPE_CHECKING:
    from typing import Any, NoReturn


# The words of the root itself, which make no values.
_ROOT: tuple[list[str], ...] = ([], ["--help"], ["-h"], ["--version"])


def main() -> NoReturn:
    """Run the command line; what it will read is asked for while the rest is loaded."""
    code = 1
    ends = _end_early()
    try:
        interrupts.begin()
        streams.prepare()
        code = run(sys.argv[1:])
        streams.finish()
        gc.freeze()  # what is left goes with the process: looking through it costs another 10 %
        interrupts.end(code)
    except KeyboardInterrupt:  # before there was a command, or just after it
        from gitops.cli.errors import interrupted

        code = interrupted(sys.argv[1:])
    finally:
        interrupts.end(code)
    ends.append(code)
    sys.exit(code)


def _end_early() -> list[int]:
    """Let the process end when its exit functions have run; return what takes its exit code.

    Python would take itself apart first, 3 % of a deploy's CPU time. Threads that are waited for
    have ended then. What was registered before this runs after it, so then nothing is done.
    """
    ends: list[int] = []

    def end() -> None:
        if ends:
            streams.finish()
            os._exit(ends[-1])

    if getattr(atexit, "_ncallbacks", lambda: 1)() == 0:  # CPython says it
        atexit.register(end)
    return ends


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; a plain deploy or status without loading typer."""
    if arguments[:1] not in _ROOT:
        _load_structs(sys.modules)
        if arguments[:1] == ["__complete"]:
            from gitops.cli.completion.words import run as complete

            return complete(arguments[1:])
        from gitops.cli.fast_path import prepare

        arguments, plain = prepare(arguments, os.environ)
        if plain is not None:
            from gitops.cli.errors import guarded

            return guarded(plain, arguments)
    from gitops.cli.app import run as run_any

    return run_any(arguments)


# What the standard library and msgspec load for what no short call asks of them.
_LATE = ("ipaddress", "locale", "ntpath", "textwrap", "msgspec.inspect")


def _load_structs(modules: dict[str, Any]) -> None:
    """Load msgspec, without what it would rather ask typing_extensions than typing for.

    That brings `inspect` and Python's parser along, a twelfth of what a deploy loads, and has
    nothing more for Python 3.11. Whoever wants it later gets it.
    """
    if "msgspec" in modules or "typing_extensions" in modules:
        return
    from gitops.late import stand_in

    stand_in(*_LATE)
    stand_in("platform", system=lambda: os.uname().sysname)  # uuid asks for it at once
    modules["typing_extensions"] = None
    try:
        import msgspec.structs  # noqa: F401
    finally:
        del modules["typing_extensions"]


if __name__ == "__main__":
    main()
