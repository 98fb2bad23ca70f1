"""Commands that go on until they are stopped."""

from __future__ import annotations

import gc

ALLOCATIONS = 2_000
"""How many more objects than before are reason to look for garbage (Python 3.14's own number)."""


def last() -> None:
    """Look for garbage often: a call that soon ends rather would not (`gitops/__main__.py`).

    In circles of objects a call leaves its session and all that it read. Looked at as seldom as in
    a deploy they would pile up: hundreds of megabytes in a server. What is there by now stays.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, *gc.get_threshold()[1:])
