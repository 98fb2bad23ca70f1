"""The help of every command: in sections, with examples that can be pasted, whole at 80 columns."""

from __future__ import annotations

import re
import shlex
from itertools import chain

import click
import pytest

from gitops import __version__
from gitops.cli.app import app, run
from gitops.cli.catalogue import EXAMPLES, SECTIONS, VERBS
from gitops.cli.fast_path import verb_first
from gitops.cli.lazy_group import load_all
from manifests import Manifests

GROUP = load_all(app)
LEAVES = [
    f"{name} {inner}" if inner else name
    for name, command in GROUP.commands.items()
    for inner in (command.commands if isinstance(command, click.Group) else [""])
]


def help_of(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what `--help` prints for a command."""
    assert run([*words.split(), "--help"]) == 0
    return capsys.readouterr().out


def test_every_command_has_a_section() -> None:
    """The sections hold all commands, once, in the order of the table."""
    assert [*chain(*SECTIONS.values())] == [*VERBS]


@pytest.mark.parametrize("words", LEAVES)
def test_examples_are_what_the_command_line_reads(words: str) -> None:
    """Three each, which typer reads without complaint, of this command."""
    assert len(EXAMPLES[words]) == 3
    for example in EXAMPLES[words]:
        assert len(example) <= 76
        line = example.split(" && ")[0].split(" | ")[0].split(" > ")[0]
        given = [one for one in shlex.split(line) if not re.match(r"[A-Z_]+=", one)]
        assert given[0] == "gitops"
        rest = verb_first(given[1:])
        if rest == ["--version"]:
            continue
        assert rest[: len(words.split())] == words.split()
        command: click.Command = GROUP
        while isinstance(command, click.Group):
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context(words, rest)


@pytest.mark.parametrize("words", ["", *LEAVES])
def test_help_is_whole_at_80_columns(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is longer, no sentence is cut, and the examples stand as they are pasted."""
    monkeypatch.setenv("COLUMNS", "80")
    text = help_of(words, capsys)

    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"[a-z]\.\.\.", text)
    lines = {line.strip() for line in text.splitlines()}
    shown = EXAMPLES[words] if words else [EXAMPLES[one[0]][0] for one in SECTIONS.values()]
    assert {*shown} <= lines
    assert words or all(f"{section}:" in lines for section in SECTIONS)


@pytest.mark.parametrize("words", ["", "rollback", "release cut"])
def test_help_is_a_command_too(words: str, manifests: Manifests) -> None:
    """`gitops help COMMAND` prints what `gitops COMMAND --help` prints."""
    assert (
        manifests.gitops("help", *words.split()).out
        == manifests.gitops(*words.split(), "--help").out
    )


def test_help_of_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest command is offered."""
    assert run(["help", "rolback"]) == 2
    assert "did you mean `gitops help rollback`?" in capsys.readouterr().err


def test_version_is_a_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    """`gitops version` is `gitops --version`."""
    assert run(["version"]) == 0
    assert capsys.readouterr().out == f"gitops {__version__}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--repo", "x", "status", "dev"], ["status", "--repo", "x", "dev"]),
        (["-o", "json", "--branch=y", "diff"], ["diff", "-o", "json", "--branch=y"]),
        (["-ojson", "history", "dev"], ["history", "-ojson", "dev"]),
        (["--repo", "x", "release", "list"], ["release", "list", "--repo", "x"]),
        (["release", "--repo", "x", "list"], ["release", "list", "--repo", "x"]),
        (["status", "--repo", "x"], ["status", "--repo", "x"]),
        (["--repo", "x", "--help"], ["--help"]),
        (["--repo", "x"], []),
        (["--nope", "status"], ["--nope", "status"]),
        ([], []),
    ],
)
def test_global_options_stand_anywhere(words: list[str], expected: list[str]) -> None:
    """--repo, --branch and -o before a command are those behind it."""
    assert verb_first(words) == expected


@pytest.mark.parametrize("before", [True, False])
def test_a_global_option_before_the_command_counts(manifests: Manifests, before: bool) -> None:
    """JSON and another repository, both ways."""
    options = ["-o", "json", "--repo", str(manifests.path)]
    words = [*options, "history", "dev"] if before else ["history", "dev", *options]
    done = manifests.gitops(*words, repo="/nowhere")

    assert done.code == 0
    assert done.json["environment"] == "dev"


@pytest.mark.parametrize(
    "words",
    [
        "deploy shop/api:1.5.0 --to dev --ref main --ref main",
        "deploy shop/api:1.5.0 --to dev --repo . --repo .",
        "promote --from dev --from test --to prod",
        "rollback dev --to 1 --to=2",
        "hold dev --reason a --reason b",
        "status -o json --output text",
        "status -o json -ojson",
        "history dev -n1 -n 2",
        "release cut 1.5 --commit a --commit b",
        "history dev --app a --app b",
    ],
)
def test_an_option_of_one_value_given_twice_is_refused(words: str, manifests: Manifests) -> None:
    """Nothing is dropped without a word, on the common way and on the quick one."""
    done = manifests.gitops(*words.split())

    assert done.code == 2
    assert "takes one value, and has two here" in done.err


def test_options_of_many_values_and_flags_may_come_again(manifests: Manifests) -> None:
    """--to of a deploy is a list; a flag says the same twice; a value may look like an option."""
    words = "deploy shop/api:1.5.0 --to dev --to test --dry-run --dry-run --reason --to"

    assert manifests.gitops(*words.split()).code == 0
