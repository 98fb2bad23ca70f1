"""What a short call would load and hardly ever use is loaded when something of it is wanted.

A stand-in for a module is in `sys.modules` what the module would be: whoever asks it for something
gets that of the real one, which is loaded then. Imports nothing of gitops.
docs/decisions/0173-what-a-short-call-does-not-load.md
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

TYPE_CHECKING = False  # typing is loaded later: see gitops/__main__.py
if TYPE_CHECKING:
    import re
    from typing import Any


class _Late(ModuleType):
    """A stand-in for the module of its name."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":
            raise AttributeError(name)  # none of them is a package
        from importlib import import_module

        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        real = import_module(self.__name__)
        vars(self).update(vars(real))
        return getattr(real, name)


def stand_in(*names: str, **known: Any) -> None:
    """Let modules be loaded when they are used; `known` is what each is asked for before that.

    A module that is there already stays.
    """
    for name in names:
        if name not in sys.modules:
            late = sys.modules[name] = _Late(name)
            vars(late).update(known)


class _LatePattern:
    """A regular expression that is compiled when it is used."""

    def __init__(self, compiled: Callable[[], re.Pattern[Any]]) -> None:
        self._compiled = compiled

    def __getattr__(self, name: str) -> Any:
        found = vars(self)[name] = getattr(self._compiled(), name)
        return found


@contextmanager
def late_patterns(package: str) -> Iterator[None]:
    """Within the block modules of `package` that load compile their patterns when they use them."""
    import re

    compile_now = re.compile

    def compile_late(*words: Any, **more: Any) -> Any:
        if sys._getframe(1).f_globals.get("__name__", "").startswith(f"{package}."):
            return _LatePattern(lambda: compile_now(*words, **more))
        return compile_now(*words, **more)

    vars(re)["compile"] = compile_late
    try:
        yield
    finally:
        vars(re)["compile"] = compile_now
