"""Ctrl-C and SIGTERM: each one ends the call, wherever it comes, and none gets lost.

A handler that only raises KeyboardInterrupt is not enough. CPython runs it between two bytecodes:
a signal that comes just before a wait begins is seen when the wait is over; an exception raised
inside a callback (`__del__`, weak references, the garbage collector) is printed and dropped; one
raised while a module loads leaves half a module behind. So an interrupt stands until the command
line has taken it (`take`): a timer looks after it, and raises again what is not on its way.

Everything here belongs to the main thread, where Python runs handlers. Imports nothing of gitops.
docs/decisions/0050-an-interrupt-stands-until-it-is-told.md
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

TYPE_CHECKING = False  # typing is loaded later: see gitops/__main__.py
if TYPE_CHECKING:
    import subprocess
    from types import FrameType
    from typing import Any, NoReturn

EXIT_CODE = 130
_ENDING = (signal.SIGINT, signal.SIGTERM)
_IDLE = 0.25  # seconds that a wait may hide a signal which came just before it
_SOON = 0.02  # seconds until an interrupt that had to wait is tried again
_AGAIN = 0.5  # seconds; what comes sooner is the same Ctrl-C, sent on by a wrapper
_LONGEST = 2.0  # seconds that an interrupt waits for what must not be torn apart
_MAIN = _thread.get_ident()  # this is loaded first of all
_MOST = 64  # pushes that are remembered: a process may live long
_LOADING = "<frozen importlib._bootstrap>"


class Push:
    """A branch that this process pushed; a plain class, since it stands in the way of every call.

    Attributes:
        repository, branch: where, without secrets.
        commit: what it was to move to, None where it goes.
        landed: False as long as nobody knows.
    """

    def __init__(self, repository: str, branch: str, commit: str | None) -> None:
        self.repository = repository
        self.branch = branch
        self.commit = commit
        self.landed = False


class _State:
    """What is known of the interrupts of this process.

    Attributes:
        listens: signals come here.
        since: when the first one came; None while there was none.
        held: how many blocks ask for it to wait.
        taken: it was told, or came too late to be told: nothing is raised any more.
        intent: the `Gitops-Id` of what this process writes.
        pushes: what landed, or may have landed, oldest first.
    """

    def __init__(self) -> None:
        self.listens = False
        self.since: float | None = None
        self.held = 0
        self.taken = False
        self.intent: str | None = None
        self.pushes: list[Push] = []


_state = _State()
_children: weakref.WeakSet[subprocess.Popen[Any]] = weakref.WeakSet()


def begin() -> None:
    """Listen from now on; a signal that the caller's parent has us ignore stays ignored.

    Outside of the main thread there is nothing to listen to. Who listens already goes on.
    """
    if _state.listens:
        return
    vars(_state).update(vars(_State()))  # a call begins with nothing known
    try:
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _come)
        signal.signal(signal.SIGALRM, _look)
    except ValueError:
        return
    sys.unraisablehook = _dropped
    _state.listens = True
    signal.setitimer(signal.ITIMER_REAL, _IDLE, _IDLE)


def take() -> None:
    """Take what came: whoever calls tells it. From now on only a second signal ends the call."""
    _state.taken = True
    if _state.listens:
        signal.setitimer(signal.ITIMER_REAL, _IDLE, _IDLE)


def is_taken() -> bool:
    """Say whether `take` was called: what there is to say was said."""
    return _state.taken


def writes(intent: str) -> None:
    """Note the `Gitops-Id` of what this process writes."""
    _state.intent = intent


def written() -> tuple[str | None, tuple[Push, ...]]:
    """Return the `Gitops-Id`, and what landed or may have landed."""
    return _state.intent, tuple(_state.pushes)


def pushing(repository: str, moves: Mapping[str, str | None]) -> Callable[[bool], None]:
    """Note that branches are pushed (branch -> commit); return what is told whether they moved.

    Without that word nobody knows, and so it stays: what is pushed later takes nothing back.
    """
    sent = [Push(repository, branch, commit) for branch, commit in moves.items()]
    _state.pushes = [*_state.pushes[-_MOST:], *sent]

    def answered(moved: bool) -> None:
        if not moved:
            _state.pushes = [one for one in _state.pushes if one not in sent]
        for one in sent:
            one.landed = moved

    return answered


def end(code: int) -> None:
    """Let nothing disturb the end of the process, which will have `code`."""
    _state.taken = True
    if not _state.listens:
        return
    _state.listens = False
    with suppress(ValueError):
        signal.setitimer(signal.ITIMER_REAL, 0)
        # A thread that is still joined may take its time: then a signal ends it all.
        threading = sys.modules.get("threading")
        alone = threading is None or threading.active_count() == 1
        for number in _ENDING:
            if signal.getsignal(number) is _come:
                signal.signal(number, signal.SIG_IGN if alone else lambda *_: os._exit(code))


@contextmanager
def held() -> Iterator[None]:
    """Let an interrupt wait for the end of the block, which is short and must not be torn apart.

    Outside of the main thread none comes.
    """
    if _thread.get_ident() != _MAIN:
        yield
        return
    _state.held += 1
    try:
        yield
    finally:
        _state.held -= 1
    if _state.since is not None:
        _raise(sys._getframe())


def started(child: subprocess.Popen[Any]) -> None:
    """Remember a process that leads a group of its own, so that it never outlives us."""
    _children.add(child)


def stop_children() -> None:
    """Kill every process that still runs, with its group."""
    for child in tuple(_children):
        if child.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)


def _come(_number: int, frame: FrameType | None) -> None:
    """A signal came."""
    now = time.monotonic()
    if _state.since is None:
        _state.since = now
    elif now - _state.since > _AGAIN:
        _end_hard()
    _raise(frame)


def _look(_number: int, frame: FrameType | None) -> None:
    """See to an interrupt that had to wait, or that was swallowed."""
    if _state.since is not None:
        _raise(frame)


def _raise(frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt where the main thread is, unless that is no good time."""
    if _state.taken or _state.since is None or not _state.listens:
        return
    signal.setitimer(signal.ITIMER_REAL, _SOON, _SOON)
    if _is_told(sys.exc_info()[1]):
        return
    waits = _state.held > 0 or _is_loading(frame)
    if not waits or time.monotonic() - _state.since > _LONGEST:
        raise KeyboardInterrupt


def _is_told(error: BaseException | None) -> bool:
    """Say whether an interrupt is what is being dealt with: somebody tidies up after it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__context__
    return False


def _is_loading(frame: FrameType | None) -> bool:
    """Say whether a module is being loaded."""
    while frame is not None:
        if frame.f_code.co_filename == _LOADING:
            return True
        frame = frame.f_back
    return False


def _dropped(unraisable: sys.UnraisableHookArgs) -> None:
    """Python could not raise an exception. An interrupt comes again; the timer sees to it."""
    if _state.since is None or not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


def _end_hard() -> NoReturn:
    """Go without tidying up: somebody asked twice."""
    stop_children()
    with suppress(OSError):
        os.write(2, b"error: interrupted, at once\n")
    os._exit(EXIT_CODE)
