"""Every command that gitops tells people to type is one: it is read, and it runs."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import gitops
from gitops.cli.app import app
from gitops.cli.catalogue import VERBS
from gitops.cli.lazy_group import load_all
from gitops.core.environments.environment import Environment, Overlay
from manifests import Manifests

GROUP = load_all(app)
PACKAGE = Path(gitops.__file__).parent
ELSEWHERE = (
    "cli/commands/demo.py",
    "cli/catalogue.py",
    "cli/completion/scripts.py",
    "config/keys.py",
    "adapters/workflows/definition.py",
)
READERS = {
    "ENV": "dev",
    "REASON": "x",
    "TEXT": "x",
    "RELEASE": "1.4.1",
    "DIR": "x",
    "COMMAND": "status",
    "TEMPLATE": "gitops-promote",
    "IMAGE": "registry.example.com/gitops:1",
    "URL": "https://git.example.com/shop/manifests.git",
}
"""What people put in place of a word in capitals."""
SLOW = ("demo", "watch", "wait", "init")
_SHOWN = re.compile(r"`(gitops [^`]+)`")
_BARE = re.compile(r"^(?:.*(?:, or |: ))?(gitops (?:[a-z-]+)(?: (?:--)?[\w./:@={}-]+)*)$")


def texts(tree: ast.Module) -> Iterator[str]:
    """Yield what a module may print: its strings, with `{…}` for what is put in; no docstrings."""
    nodes = [*ast.walk(tree)]
    holders = (ast.Module, ast.FunctionDef, ast.ClassDef)
    skipped = {
        id(node.body[0].value)
        for node in nodes
        if isinstance(node, holders) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(one) for one in ast.walk(node) if one is not node}
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                one.value if isinstance(one, ast.Constant) else f"{{{ast.unparse(one)}}}"
                for one in node.values
            )


def commands() -> list[str]:
    """Return the commands, with an environment of the sample in place of what is put in."""
    found: dict[str, None] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if str(path.relative_to(PACKAGE)) in ELSEWHERE:
            continue
        source = path.read_text()
        # Every worker reads the package to know its tests: most modules show no command.
        for text in texts(ast.parse(source)) if "gitops " in source else ():
            for command in [*_SHOWN.findall(text), *_BARE.findall(text)]:
                plain = re.sub(r"\{[^{}]*app[^{}]*\}", "", command)
                environment = "prod" if "promote" in command else "dev"
                plain = re.sub(r"\{+[^{}]*near[^{}]*\}+", "rollback", plain)
                plain = re.sub(r"\{.*?\}+", environment, plain)
                words = [READERS.get(word, word) for word in shlex.split(plain)]
                if words[1] in VERBS:
                    found[shlex.join(words)] = None
    return [*found]


COMMANDS = commands()


def test_there_are_some() -> None:
    """The search finds what hints say, and would fail to if they were written another way."""
    assert {"gitops resume dev", "gitops validate", "gitops history dev"} <= {*COMMANDS}
    assert len(COMMANDS) > 25


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_that_is_shown_is_one(line: str, manifests: Manifests) -> None:
    """Whole ones are read as typed, and run; a name alone is a command."""
    verb, *words = line.split()[1:]
    command: click.Command = GROUP.commands[verb]
    if not words:
        return
    while isinstance(command, click.Group):
        command, words = command.commands[words[0]], words[1:]
    if words != ["--help"] and verb != "help":
        command.make_context(verb, shlex.split(shlex.join(words)))
    if verb not in SLOW and "--forge" not in words:
        done = manifests.gitops(*shlex.split(line)[1:])
        assert done.code != 2, done.err
        assert done.code != 70, done.err


def test_an_overlay_of_an_app_is_typed_with_it() -> None:
    """What hints put behind a command names the app where there are several."""
    row = Environment("prod", "apps/{app}/prod")

    assert Overlay(row, "shop").typed == "prod --app shop"
    assert Overlay(Environment("prod", "prod")).typed == "prod"


ASKED_FOR = {"find_release", "find_bad", "choose", "choose_undo"}
_ASKS = re.compile(rf"\b(?:{'|'.join(sorted(ASKED_FOR))})\b")
ONLY_MESSAGES = ("core/audit/", "actions/releases/claimed_rollback.py")
"""Where such an error's words are told, and its hint is not."""


def test_who_looks_for_a_release_says_what_is_typed() -> None:
    """No hint is left with ENV in it: whoever asks knows the environment, and the app."""
    silent = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = str(path.relative_to(PACKAGE))
        source = path.read_text()
        for node in ast.walk(ast.parse(source)) if _ASKS.search(source) else ():
            called = node.func if isinstance(node, ast.Call) else None
            if not isinstance(called, ast.Name) or called.id not in ASKED_FOR:
                continue
            given = {one.arg for one in node.keywords} if isinstance(node, ast.Call) else set()
            if "command" not in given and not name.startswith(ONLY_MESSAGES):
                silent.append(f"{name}:{node.lineno}")
    assert [] == silent


@pytest.mark.parametrize(
    "words",
    [
        ("diff", "stage", "--since", "9.9.9"),
        ("qa", "stage", "--release", "9.9.9", "--pass"),
        ("rollback", "stage", "--to", "9.9.9"),
        ("rollback", "stage", "--bad", "9.9.9"),
        ("undo", "stage"),
    ],
)
def test_a_release_that_is_not_there_names_what_lists_them(
    words: tuple[str, ...], manifests: Manifests
) -> None:
    """The printed command runs as it stands."""
    told = manifests.gitops(*words).err
    (shown, *_) = _SHOWN.findall(told)
    assert "ENV" not in told
    assert "stage" in shown
    assert manifests.gitops(
        *shlex.split(shown)[1:],
        "--dry-run" if "roll" in shown else "-o",
        *(() if "roll" in shown else ("text",)),
    ).code in (0, 1)
