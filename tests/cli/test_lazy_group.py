"""The table of commands says what the commands themselves say, and nothing is missing in it."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import click
import pytest

import gitops.cli.commands
from gitops.cli.app import app, run
from gitops.cli.catalogue import VERBS
from gitops.cli.lazy_group import load, load_all

GROUP = load_all(app)


@pytest.mark.parametrize("name", VERBS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    """The first paragraph of a command's own help is the sentence of the table."""
    own = " ".join((GROUP.commands[name].help or "").split("\n\n")[0].split())

    assert VERBS[name][1] == own


def test_every_command_is_in_the_table() -> None:
    """Whatever a file of `gitops.cli.commands` has a row there that names the file."""
    registered: dict[str, str] = {}
    for info in pkgutil.iter_modules(gitops.cli.commands.__path__):
        commands = getattr(import_module(f"gitops.cli.commands.{info.name}"), "COMMANDS", {})
        registered |= {words.split()[0]: info.name for words in commands}

    assert registered == {name: module for name, (module, _) in VERBS.items()}


def test_help_lists_all_and_loads_none(tmp_path: Path) -> None:
    """`gitops --help` names every command, in the order of the table, without importing one."""
    program = "import sys; from gitops.cli.app import run; run(['--help']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    text, _, modules = done.stdout.rstrip().rpartition("\n")
    places = [text.index(f"\n  {name} ") for name in VERBS]

    assert all(one < other for one, other in pairwise(places))
    commands = {f"gitops.cli.commands.{module}" for module, _ in VERBS.values()}
    assert set() == commands & set(modules.split())


def test_a_misspelt_command_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest command is offered, once."""
    assert run(["rollbak", "dev"]) == 2
    assert 1 == capsys.readouterr().err.count("Did you mean 'rollback'?")


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ([], True),
        (["--record"], True),
        (["--no-record"], False),
        (["--record=false"], False),
        (["--record=no"], False),
        (["--record=TRUE"], True),
        (["--app", "--record=false"], True),
        (["--app=--record=false"], True),
    ],
)
def test_an_option_that_is_on_or_off_takes_a_value(words: list[str], seen: bool) -> None:
    """`--record=false` is `--no-record`; what is the value of another option stays one."""
    context = load("wait").make_context("wait", ["dev", *words])

    assert context.params["record"] is seen


def test_other_values_of_such_an_option_are_refused() -> None:
    """A word that is neither yes nor no is told."""
    with pytest.raises(click.UsageError, match="does not take a value"):
        load("wait").make_context("wait", ["dev", "--record=maybe"])


def test_what_stands_behind_two_dashes_is_left_alone() -> None:
    """Behind `--` there are no options."""
    context = load("wait").make_context("wait", ["--", "dev", "--record=false"])

    assert tuple(context.params["words"]) == ("dev", "--record=false")
