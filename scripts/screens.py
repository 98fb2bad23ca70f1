"""Writes what README shows of gitops: real output of the demo's commands.

`python scripts/screens.py` plays `gitops demo` and puts what it printed between the marks
`<!-- screen: NAME -->` of the READMEs, `--check` says what is stale and exits 1 (commits, times and
the widths that come of them aside). Run it through `scripts/docs screens`.
"""

from __future__ import annotations

import difflib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "README.ko.md")
_COLUMNS = 100
_SCREEN = re.compile(r"(<!-- screen: (\w+) -->\n```text\n)(.*?)(```\n)", re.DOTALL)
_PATH = re.compile(r" (?:to|on) (\S+) of \S*/manifests\.git")


def record() -> dict[str, str]:
    """Play the demo in a folder of its own; return the text of each screen."""
    with tempfile.TemporaryDirectory() as folder:
        told = _gitops(Path(folder), "demo", "shop").replace("\r\n", "\n")
        steps = [part.partition("\n")[2].strip("\n") for part in re.split(r"^# ", told, flags=re.M)]
        readers = {
            "GITOPS_REPO": f"{folder}/shop/manifests.git",
            "GIT_CONFIG_GLOBAL": f"{folder}/shop/reader.gitconfig",
        }
        status = _on_terminal(Path(folder), readers, "status").strip("\n")
    return {
        "bump": _clean(steps[1].partition("\n")[2]),
        "rollback": f"{_clean(steps[5])}\n\n{_clean(_first_commands(steps[6]))}",
        "status": f"$ gitops status\n{_clean(status)}",
    }


def _first_commands(text: str) -> str:
    """Leave out what the demo says after its last command."""
    return text.partition("\n\n")[0]


def _clean(text: str) -> str:
    """Name the repository of the shop in place of a folder of this machine."""
    return _PATH.sub(r" to \1 of https://git.example.com/shop/manifests.git", text)


def _gitops(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "gitops", *arguments],
        cwd=folder,
        env=_environ({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _on_terminal(folder: Path, extra: Mapping[str, str], *arguments: str) -> str:
    """Return what gitops prints on a terminal without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, _COLUMNS, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "gitops", *arguments],
        cwd=folder,
        env=_environ({**extra, "NO_COLOR": "1"}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
            shown += piece
        process.wait()
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def _environ(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


def same(text: str) -> str:
    """Return `text` with commits, ages and the widths of columns made equal."""
    text = re.sub(r"\b[0-9a-f]{7,40}\b", "COMMIT", text)
    text = re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "DATE", text)
    text = re.sub(r"\b(\d+[smh]|now) ", "AGE ", text)
    return re.sub(r" +", " ", text)


def main() -> int:
    """Write the screens into the pages, or compare them."""
    check = "--check" in sys.argv[1:]
    screens = record()
    stale = False
    for name in PAGES:
        path = ROOT / name
        text = path.read_text()
        shown = {found[2]: found[3] for found in _SCREEN.finditer(text)}
        for one in sorted({*shown, *screens}):
            before, after = same(shown.get(one, "")), same(f"{screens.get(one, '')}\n")
            if before == after:
                continue
            stale = True
            if check:
                lines = difflib.unified_diff(
                    before.splitlines(), after.splitlines(), name, one, lineterm=""
                )
                print("\n".join(lines), file=sys.stderr)
        if stale and not check:
            path.write_text(_SCREEN.sub(lambda one: f"{one[1]}{screens[one[2]]}\n{one[4]}", text))
    if check and stale:
        print("run scripts/docs screens", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
