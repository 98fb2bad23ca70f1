"""Standard streams that are closed, full or in another encoding: what was done is done.

A commit that landed is no failure because its report could not be printed. So nothing here raises:
what cannot be written is remembered (`lost`), the stream goes nowhere from then on, and the end of
the call decides (gitops/cli/errors.py). Loads nothing, since `gitops --help` waits for it.
"""

from __future__ import annotations

import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


class _State:
    """What became of standard output.

    Attributes:
        lost: why it cannot be written, None while it can.
        done: what the call did, where that stands whether it is printed or not.
    """

    lost: OSError | None = None
    done: str | None = None


def prepare() -> None:
    """Open what the caller closed, and let every character be written in some way."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # or the next file that is opened would stand there
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    if isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase):
        # PYTHONUNBUFFERED: what a signal leaves of a long write would never be written.
        sys.stdout = os.fdopen(
            sys.stdout.fileno(), "w", 1, encoding=sys.stdout.encoding, closefd=False
        )
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def write(text: str) -> None:
    """Write one line of the result on standard output."""
    try:
        sys.stdout.write(f"{text}\n")
    except OSError as error:
        lose(error)


def flush() -> None:
    """Send what was written on its way."""
    try:
        sys.stdout.flush()
    except OSError as error:
        lose(error)


def tell(text: str) -> None:
    """Write one line on standard error, at once; where nobody can read it, nothing happens."""
    flush()
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def finish() -> None:
    """Send the rest on its way; the interpreter would make an exit code of its own of a failure."""
    flush()
    try:
        sys.stderr.flush()
    except OSError:
        _drop(sys.stderr)


def note(done: str) -> None:
    """Remember what the call did."""
    _State.done = done


def done() -> str | None:
    """Return what the call did, None where it only looked."""
    return _State.done


def lost() -> OSError | None:
    """Return why standard output cannot be written, None where it can."""
    return _State.lost


def lose(error: OSError) -> None:
    """Remember why standard output cannot be written, and let it go nowhere from now on."""
    _State.lost = _State.lost or error
    _drop(sys.stdout)


def _drop(stream: TextIO) -> None:
    """Let a stream go nowhere, with what it still holds."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        stream.flush()
    except (OSError, ValueError):
        pass
