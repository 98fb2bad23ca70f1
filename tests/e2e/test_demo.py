"""`gitops demo`: the story runs for real, and tells what it promises."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from manifests import Manifests, Result, copy_template, read_terminal

_ASKS = b"any key: go on"


class Told(NamedTuple):
    """A story that was told, and where."""

    manifests: Manifests
    result: Result


@pytest.fixture(scope="module")
def told(manifests_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Return the story, told once and kept in the folder `kept`, for all that look at it."""
    manifests = copy_template(manifests_template, tmp_path_factory.mktemp("demo"))
    return Told(manifests, manifests.gitops("demo", "kept"))


def test_story_is_told_and_kept(told: Told) -> None:
    """A bump of one line, a race, QA, an approval, prod taken back to a stable release; kept."""
    manifests, result = told
    repo = str(manifests.elsewhere / "kept" / "manifests.git")
    history = manifests.gitops("history", "prod", "-o", "json", repo=repo).json
    prod = manifests.gitops("status", "prod", "-o", "json", repo=repo).json["environments"][0]
    dev = manifests.gitops("status", "dev", "-o", "json", repo=repo).json["environments"][0]

    assert 0 == result.code, result.out + result.err
    for words in (
        "dev, test  shop/api  1.4.1 -> 1.5.0",
        "-    newTag: 1.4.1 # CI writes this line\n+    newTag: 1.5.0 # CI writes this line\n",
        "stage has no qa-passed for shop/api 1.5.1",
        "waits for approval on branch gitops/prod",
        "prod  shop/api  1.5.1 -> 1.4.1",
        "it was seen stable",
        "error: refused: prod: held by Ana: INC-42: checkout fails",
    ):
        assert words in result.out
    assert ["rollback", "promote", "promote"] == [row["action"] for row in history["releases"][:3]]
    assert ["1.4.1", "2.3.0"] == [image["tag"] for image in prod["images"]]
    assert ["1.5.1", "2.4.0"] == [image["tag"] for image in dev["images"]]  # both of the race
    assert [] == prod["proposals"]


def test_story_is_short_and_warns_of_nothing(told: Told) -> None:
    """It fits on a page, and what it shows has nothing to excuse."""
    assert len(told.result.out.splitlines()) <= 60
    assert "warning" not in told.result.out + told.result.err


def test_what_it_says_at_the_end_can_be_typed(told: Told) -> None:
    """The last lines run in a shell where the reader is, without gitops on the PATH."""
    last = told.result.out.rpartition("Try:\n")[2]
    done = subprocess.run(
        ["sh", "-e"],
        input=last,
        cwd=told.manifests.elsewhere,
        env={**os.environ, "GIT_AUTHOR_NAME": "Mona", "GIT_AUTHOR_EMAIL": "mona@example.com"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 3 == len(last.splitlines())
    assert 0 == done.returncode, done.stderr
    assert "prod  shop/api  1.4.1 -> 1.5.1" in done.stdout


def test_one_step_for_each_key_on_a_terminal(manifests: Manifests, tmp_path: Path) -> None:
    """Nothing goes on before a key is pressed, q ends the story, and nothing of it stays."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    shown, code = _press(manifests, scratch, b"x", b" ", b"q")
    steps = re.findall(r"^\W*(?:\[1m)?# (.+?)(?:\x1b|\r)", shown, re.MULTILINE)

    assert 0 == code
    assert 3 == len(steps), shown
    assert "To try more" in shown
    assert shlex.split(shown.splitlines()[-1])[-2:] == ["demo", "gitops-demo"]
    assert [] == list(scratch.iterdir())


def _press(manifests: Manifests, scratch: Path, *keys: bytes) -> tuple[str, int]:
    """Run the demo on a terminal, press one of `keys` each time it asks; return what it showed."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(manifests.elsewhere)
        os.execvpe(
            sys.executable,
            [sys.executable, "-m", "gitops", "demo"],
            {
                **os.environ,
                "TERM": "xterm",
                "TMPDIR": str(scratch),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
        )
    shown, asked = b"", 0
    for piece in read_terminal(terminal):
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
