"""Commands that go on until they are stopped."""

from __future__ import annotations

import gc

ALLOCATIONS = 2_000
"""How many more objects than before are reason to look for garbage (Python 3.14's own number)."""

_ARENA_MAX, _ARENAS = -8, 2  # of glibc's mallopt(3)


def last() -> None:
    """Look for garbage often: a call that soon ends rather would not (`gitops/__main__.py`).

    In circles of objects a call leaves its session and all that it read. Looked at as seldom as in
    a deploy they would pile up: hundreds of megabytes in a server. What is there by now stays.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, *gc.get_threshold()[1:])
    _share_arenas()


def _share_arenas() -> None:
    """Let threads share what glibc keeps for them: they come and go, and each would leave some."""
    import ctypes  # only what goes on needs it

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other libraries of C have none
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)
