"""`gitops demo`: the story runs for real, and tells what it promises."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

from manifests import Manifests

_ASKS = b"any key: go on"


def test_story_is_told_and_kept(manifests: Manifests) -> None:
    """A bump of one line, a race, QA, an approval, prod taken back to a stable release; kept."""
    told = manifests.gitops("demo", "kept")
    repo = str(manifests.elsewhere / "kept" / "manifests.git")
    history = manifests.gitops("history", "prod", "-o", "json", repo=repo).json
    prod = manifests.gitops("status", "prod", "-o", "json", repo=repo).json["environments"][0]
    dev = manifests.gitops("status", "dev", "-o", "json", repo=repo).json["environments"][0]

    assert 0 == told.code, told.out + told.err
    for words in (
        "dev, test  shop/api  1.4.1 -> 1.5.0",
        "-    newTag: 1.4.1 # CI writes this line\n+    newTag: 1.5.0 # CI writes this line\n",
        "stage has no qa-passed for shop/api 1.5.1",
        "waits for approval on branch gitops/prod",
        "prod  shop/api  1.5.1 -> 1.4.1",
        "it was seen stable",
        "error: refused: prod: held by Ana: INC-42: checkout fails",
    ):
        assert words in told.out
    assert ["rollback", "promote", "promote"] == [row["action"] for row in history["releases"][:3]]
    assert ["1.4.1", "2.3.0"] == [image["tag"] for image in prod["images"]]
    assert ["1.5.1", "2.4.0"] == [image["tag"] for image in dev["images"]]  # both of the race
    assert [] == prod["proposals"]


def test_story_is_short_and_warns_of_nothing(manifests: Manifests) -> None:
    """It fits on a page, and what it shows has nothing to excuse."""
    told = manifests.gitops("demo")

    assert len(told.out.splitlines()) <= 60
    assert "warning" not in told.out + told.err


def test_what_it_says_at_the_end_can_be_typed(manifests: Manifests) -> None:
    """The last lines run in a shell where the reader is, without gitops on the PATH."""
    told = manifests.gitops("demo", "kept")
    last = told.out.rpartition("Try:\n")[2]
    done = subprocess.run(
        ["sh", "-e"],
        input=last,
        cwd=manifests.elsewhere,
        env={**os.environ, "GIT_AUTHOR_NAME": "Mona", "GIT_AUTHOR_EMAIL": "mona@example.com"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 3 == len(last.splitlines())
    assert 0 == done.returncode, done.stderr
    assert "prod  shop/api  1.4.1 -> 1.5.1" in done.stdout


def test_one_step_for_each_key_on_a_terminal(manifests: Manifests) -> None:
    """Nothing goes on before a key is pressed, and q ends the story."""
    shown, code = _press(manifests, b"x", b" ", b"q")
    steps = re.findall(r"^\W*(?:\[1m)?# (.+?)(?:\x1b|\r)", shown, re.MULTILINE)

    assert 0 == code
    assert 3 == len(steps), shown
    assert "To try more" in shown


def _press(manifests: Manifests, *keys: bytes) -> tuple[str, int]:
    """Run the demo on a terminal, press one of `keys` each time it asks; return what it showed."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(manifests.elsewhere)
        os.execvpe(
            sys.executable,
            [sys.executable, "-m", "gitops", "demo"],
            {**os.environ, "TERM": "xterm", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    shown, asked = b"", 0
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        shown += piece
        if shown.count(_ASKS) > asked:
            os.write(terminal, keys[asked])
            asked += 1
    os.close(terminal)
    return shown.decode("utf-8", "replace"), os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_a_folder_with_something_in_it_is_left_alone(manifests: Manifests) -> None:
    """The demo never writes into somebody's files."""
    folder = manifests.elsewhere / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    told = manifests.gitops("demo", "mine")

    assert 1 == told.code
    assert ["thesis.txt"] == [path.name for path in folder.iterdir()]


def test_nothing_of_the_throw_away_folder_stays(manifests: Manifests, tmp_path: Path) -> None:
    """Without DIR everything is gone afterwards."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    told = manifests.gitops("demo", env={"TMPDIR": str(scratch)})

    assert 0 == told.code
    assert [] == list(scratch.iterdir())
    assert shlex.split(told.out.splitlines()[-1])[-2:] == ["demo", "gitops-demo"]
