"""Run one gitops call and print, as the last line on standard error, what it walked through.

A hop is a change of module: a call from one module of gitops into another is two, there and back.
A module is entered when one of its functions is called from another; that it is imported does not
count. Git processes and the texts that YAML is read from are counted as well.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from types import FrameType
from typing import Any

_OURS = "gitops."
_GENERATOR = 0x20  # flag of a code object

ways: Counter[tuple[str, str]] = Counter()
entered: Counter[str] = Counter()
texts: Counter[bytes] = Counter()
commands: list[str] = []


def watch(frame: FrameType, event: str, _argument: object) -> None:
    """Count a call from one module into another, and every reading of YAML."""
    if event != "call":
        return
    module = frame.f_globals.get("__name__", "")
    name = frame.f_code.co_name
    if not module.startswith(_OURS) or name == "<module>" or frame.f_code.co_flags & _GENERATOR:
        return  # a generator that goes on is no new call
    caller = _caller(frame)
    if name == "_read" and module == "gitops.core.yamltext":
        texts[frame.f_locals["text"].encode("utf-8", "surrogatepass")] += 1
    if caller is not None and caller != module:
        ways[caller, module] += 1
        entered[module] += 1


def _caller(frame: FrameType) -> str | None:
    """Return the module of gitops that a call comes from; library code between is looked through.

    None while a module is imported: what runs then is no way of the call.
    """
    back = frame.f_back
    found = None
    while back is not None:
        module = back.f_globals.get("__name__", "")
        if back.f_code.co_name == "<module>" and module != "__main__":
            return None
        if found is None and module.startswith(_OURS) and not back.f_code.co_name.startswith("<"):
            found = str(module)
        back = back.f_back
    return found


class Counted(subprocess.Popen):  # type: ignore[type-arg]
    """A process that is written down."""

    def __init__(self, args: Any, *rest: Any, **options: Any) -> None:
        words = [str(word) for word in args]
        commands.append(" ".join(words[-6:]))
        super().__init__(args, *rest, **options)


def main() -> None:
    """Run the call of the command line."""
    import threading

    from gitops.__main__ import run

    subprocess.Popen = Counted  # type: ignore[misc]
    threading.setprofile(watch)
    sys.setprofile(watch)
    code = run(sys.argv[1:])
    sys.setprofile(None)
    found = {
        "modules": len(entered),
        "hops": 2 * sum(ways.values()),
        "doors": entered.most_common(),
        "ways": [[*way, count] for way, count in ways.most_common(60)],
        "git": len(commands),
        "commands": commands,
        "parses": sum(texts.values()),
        "blobs": len(texts),
    }
    print(json.dumps(found), file=sys.stderr)
    sys.exit(code)


main()
