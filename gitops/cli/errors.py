"""Turns whatever ends a command into words and the exit code of design section 4."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise

from gitops import interrupts
from gitops.cli import streams
from gitops.errors import Bug, Denied, GitopsError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def guarded(command: Callable[[], int], arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every error is one of `gitops.errors`.

    `arguments` tell how errors are printed.
    """
    try:
        code = command()
        streams.flush()
        return _printed(code, arguments)
    except GitopsError as error:
        return _show(error, arguments)
    except KeyboardInterrupt:
        return interrupted(arguments)
    except Exception as error:  # noqa: BLE001 - the one door where a bug becomes words
        if isinstance(error, OSError) and _is_clicks(error):
            streams.lose(error)
            return _printed(0, arguments)
        return _show(_named(error), arguments)


def _is_clicks(error: OSError) -> bool:
    """Say whether click could not print its help."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and place.tb_frame.f_code.co_name == "echo"


def _printed(code: int, arguments: Sequence[str]) -> int:
    """Return the exit code of a call whose result was printed, or could not be.

    What was done is done, and who went away does not want to know (`gitops history | head`); but
    half of an answer is none.
    """
    lost = streams.lost()
    if lost is None or lost.errno == errno.EPIPE:
        return code
    problem = f"standard output cannot be written ({lost.strerror})"
    if streams.done() is not None:
        streams.tell(f"warning: {problem}, and what was asked for is done: {streams.done()}")
        return code
    return code or _show(Denied(problem), arguments)


def interrupted(arguments: Sequence[str]) -> int:
    """Tell that the call was interrupted, and return the exit code."""
    interrupts.take()
    interrupts.stop_children()
    from gitops.cli.render.interruption import interruption

    return _show(interruption(), arguments)


def _named(error: Exception) -> GitopsError:
    """Return what nobody foresaw as one of our errors: a full disk, else a bug."""
    if isinstance(error, OSError) and error.errno in _FULL:
        place = "a file" if error.filename is None else str(error.filename)
        return Denied(
            f"{place} cannot be written: {error.strerror}",
            hint="make room there; TMPDIR and GITOPS_CACHE name other places",
        )
    return _bug(error)


def _bug(error: Exception) -> Bug:
    """Keep the traceback out of the terminal; it may hold what nobody should paste."""
    import tempfile
    import traceback

    try:
        handle, path = tempfile.mkstemp(prefix="gitops-bug-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            traceback.print_exception(error, file=file)
        hint = f"the details are in {path}; read it before you send it to anybody"
    except OSError as trouble:
        hint = f"its details cannot be kept: {trouble.strerror}"
    return Bug(f"this is a bug in gitops: {type(error).__name__}", hint=hint)


def _show(error: GitopsError, arguments: Sequence[str]) -> int:
    files = sys.modules.get("gitops.cli.job_files")
    if files is not None:
        files.failed(error)
    from gitops.cli.render.text import print_error

    print_error(error, as_json=_wants_json(arguments))
    return error.exit_code


def _wants_json(arguments: Sequence[str]) -> bool:
    """Say whether `-o json` stands in the arguments, also when they do not parse."""
    pairs = pairwise(arguments)
    joined = any(word in ("-ojson", "--output=json", "-o=json") for word in arguments)
    return joined or any(pair in (("-o", "json"), ("--output", "json")) for pair in pairs)
