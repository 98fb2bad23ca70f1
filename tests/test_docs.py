"""Docs that fail the build: everything has its place in the reference, links resolve, and the
tutorial runs."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import pytest

from gitops import errors
from gitops.cli.app import app
from gitops.cli.catalogue import EXAMPLES
from gitops.cli.lazy_group import load_all
from gitops.config import config_schema
from printed import FENCED, printed_calls

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def flat(group: click.Command, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its words: `deploy`, `release cut`."""
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from flat(command, f"{before} {name}".strip())
    else:
        yield before, group


GROUP = load_all(app)
COMMANDS = dict(flat(GROUP))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    """Return the text of a page of docs/."""
    return (DOCS / name).read_text()


def section(command: str) -> str:
    """Return what the reference says of one command."""
    found = re.search(
        rf"^## gitops {command}\n(.*?)(?=^## |\Z)", page("reference/cli.md"), re.M | re.S
    )
    assert found is not None, f"docs/reference/cli.md has no section about {command}"
    return found[1]


def config_keys(schema: dict[str, Any]) -> Iterator[str]:
    """Yield the name of every key of gitops.yaml."""
    for name, value in schema.get("properties", {}).items():
        yield name
        yield from config_keys(value)
        yield from config_keys(value.get("items", {}))


def classes(base: type[errors.GitopsError]) -> Iterator[type[errors.GitopsError]]:
    """Yield every error class of `gitops.errors` below `base`; rooms have kinds of their own."""
    for found in base.__subclasses__():
        if found.__module__ == errors.__name__:
            yield found
        yield from classes(found)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def broken_links(path: Path) -> list[str]:
    """Return the links of a page that lead nowhere on this side of the network."""
    found = []
    for target in LINK.findall(FENCE.sub("", path.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (path.parent / name).resolve() if name else path
        if not goal.exists() or (anchor and anchor not in anchors(goal.read_text())):
            found.append(target)
    return found


def outline(path: Path) -> list[str]:
    """Return the marks of the headings, tables, lists and pictures of a page, in order."""
    text = FENCE.sub("```", path.read_text())
    return re.findall(r"^(#+|```|\|(?=-)|-)(?=[ \w|-]|$)", text, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_in_the_reference(name: str) -> None:
    """Each command has a section that names all its arguments and options, with their meaning."""
    text = section(name)
    for entry in COMMANDS[name].params:
        words = [*entry.opts, *entry.secondary_opts] if isinstance(entry, click.Option) else []
        words = words or [(entry.metavar or "").strip("[]")]
        for word in words:
            assert f"`{word}`".replace("|", "\\|") in text
        assert getattr(entry, "help", None), f"{name}: {words} has no help"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_arguments_is_shown(name: str) -> None:
    """`--help` tells what the arguments mean (click 8.5 with typer 0.25 would not)."""
    command = COMMANDS[name]
    context = click.Context(command, info_name=name)
    shown = " ".join(command.get_help(context).split())

    for entry in command.params:
        if isinstance(entry, click.Argument):
            assert " ".join((getattr(entry, "help", None) or "?").split()) in shown


@pytest.mark.parametrize("key", sorted(set(config_keys(config_schema()))))
def test_every_config_key_is_in_the_reference(key: str) -> None:
    """Each key that gitops.yaml may have stands in the table of keys."""
    rows = [line for line in page("reference/config.md").splitlines() if line.startswith("| `")]

    assert [row for row in rows if re.match(rf"\| `(?:[\w.\[\]]+\.)?{key}` ", row)]


@pytest.mark.parametrize("found", sorted(classes(errors.GitopsError), key=str))
def test_every_error_and_exit_code_is_in_the_reference(found: type[errors.GitopsError]) -> None:
    """Each error class, its code and its exit code stand on the errors page and in the README."""
    text = page("reference/errors.md")

    assert f"`{found.__name__}`" in text
    assert f"`{found.code}`" in text
    assert f"| `{found.exit_code}` |" in text
    assert f"| {found.exit_code} |" in (ROOT / "README.md").read_text()


def test_every_variable_is_in_the_reference() -> None:
    """Each variable that the outer modules read by name stands under Environment variables."""
    table = page("reference/cli.md").partition("## Environment variables")[2]
    read = {
        name
        for folder in ("cli", "adapters")
        for path in (ROOT / "gitops" / folder).rglob("*.py")
        for name in re.findall(
            r'["`]((?:GITOPS|GITHUB|GITLAB|CI|BUILD\w*)_[A-Z_]*[A-Z])["`=]', path.read_text()
        )
    }

    assert {"GITOPS_REPO", "GITOPS_AUTHOR"} <= read
    assert {name for name in read if f"`{name}`" not in table} == set()


def test_the_reference_is_what_the_code_says() -> None:
    """The generated pages are not stale."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/docs_reference.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_resolve(path: Path) -> None:
    """Every link to a file or a heading of this repository leads there."""
    assert broken_links(path) == []


def test_broken_links_are_seen(tmp_path: Path) -> None:
    """A link to a missing file, and one to a missing heading, are found."""
    (tmp_path / "a.md").write_text("# One\n[x](b.md) [y](#two) [z](#one) [w](a.md#one)\n")

    assert broken_links(tmp_path / "a.md") == ["b.md", "#two"]


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff reads manual pages")
def test_the_manual_is_what_groff_understands() -> None:
    """groff warns about no page, and each shows the examples of its command whole."""
    for page in (DOCS / "man").glob("gitops-*.1"):
        done = subprocess.run(
            ["groff", "-ww", "-man", "-Tascii", "-P-cbou", str(page)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert (done.stderr, page.name) == ("", page.name)
        words = page.stem.removeprefix("gitops-")
        examples = EXAMPLES.get(words) or EXAMPLES[words.replace("-", " ")]
        assert all(example in done.stdout for example in examples), page.name


def test_every_page_is_in_the_index() -> None:
    """docs/index.md links every page of docs/, docs/decisions/README.md every decision."""
    linked = {
        (DOCS / name).parent.joinpath(target.partition("#")[0]).resolve()
        for name in ("index.md", "decisions/README.md")
        for target in LINK.findall(page(name))
    }

    assert {path for path in DOCS.rglob("*.md") if path.name != "index.md"} - linked == set()


CONTROL = {"|", "||", "&&", ";", ">", ">>", "<", "&", "2>&1", "2>", ")"}
TYPED = sorted(path for path in PAGES if "decisions" not in path.parts)


def typed(text: str) -> Iterator[list[str]]:
    """Yield the words of each gitops command that a shell block tells to type."""
    for kind, block in FENCE.findall(text):
        if kind != "sh":
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.shlex(line, posix=True, punctuation_chars=True)
            words.whitespace_split = True
            try:
                found = list(words)
            except ValueError:
                continue  # a text over several lines
            while found:
                part = list(itertools.takewhile(lambda one: one not in CONTROL, found))
                found = found[len(part) + 1 :]
                while part and re.fullmatch(r"\w+=.*", part[0]):
                    part = part[1:]
                if part[:1] == ["gitops"]:
                    yield part[1:]


@pytest.mark.parametrize("path", TYPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_can_be_typed(path: Path) -> None:
    """Each gitops command in a shell block has options and arguments that there are."""
    for words in typed(path.read_text()):
        command: click.Command = GROUP
        rest = list(words)
        while rest and isinstance(command, click.Group) and rest[0] in command.commands:
            command = command.commands[rest.pop(0)]
        assert command is not GROUP or not rest or rest[0].startswith("-"), words
        if not {"--help", "-h", "--version", "…", "..."} & set(rest) and command is not GROUP:
            command.make_context("gitops", rest)


def test_wrong_commands_are_seen() -> None:
    """What is typed is found between assignments, pipes and comments."""
    first = "A=1 gitops status -o json | jq . # gitops x"
    text = f"```sh\n{first}\nB=2 && gitops hold dev \\\n  --reason 'a b'\n```\n"

    assert [["status", "-o", "json"], ["hold", "dev", "--reason", "a b"]] == list(typed(text))


KOREAN = {
    "README.ko.md": "README.md",
    "docs/ko/tutorial.md": "docs/tutorial.md",
    "docs/ko/bump-from-ci.md": "docs/how-to/bump-from-ci.md",
    "docs/ko/deploy-on-push.md": "docs/how-to/deploy-on-push.md",
    "docs/ko/promote.md": "docs/how-to/promote.md",
    "docs/ko/qa.md": "docs/how-to/qa.md",
    "docs/ko/roll-back.md": "docs/how-to/roll-back.md",
    "docs/ko/serve.md": "docs/how-to/serve.md",
    "docs/ko/for/on-call.md": "docs/for/on-call.md",
    "docs/ko/for/qa.md": "docs/for/qa.md",
}
"""A page in Korean -> the English one."""


def test_every_korean_page_is_compared() -> None:
    """Each page of docs/ko/ stands in the table above."""
    assert set(DOCS.glob("ko/**/*.md")) == {
        ROOT / name for name in KOREAN if name.startswith("docs/")
    }


@pytest.mark.parametrize("name", KOREAN)
def test_korean_pages_are_in_step(name: str) -> None:
    """Both languages have the same blocks of code and pictures, and the same outline."""
    english, korean = ROOT / KOREAN[name], ROOT / name
    blocks = [FENCE.findall(path.read_text()) for path in (english, korean)]
    without_comments = [
        [(kind, re.sub(r"\s+#.*|\|[^|]+\|", "", text)) for kind, text in found if kind != "mermaid"]
        for found in blocks
    ]

    assert without_comments[0] == without_comments[1]
    assert [kind for kind, _ in blocks[0]] == [kind for kind, _ in blocks[1]]
    assert outline(english) == outline(korean)


@pytest.mark.slow
def test_screens_of_the_readme_are_real() -> None:
    """What the READMEs show of a terminal is what the demo prints today."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/screens.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path) -> None:
    """Every shell block of the tutorial works, in order, in one shell, and does what it says."""
    blocks = [text for kind, text in FENCE.findall(page("tutorial.md")) if kind == "sh"]
    steps = (f"echo '== block {number}' >&2\n{text}" for number, text in enumerate(blocks, 1))
    installed = shutil.which("gitops", path=str(Path(sys.executable).parent))
    assert installed, "gitops is not installed beside this Python: run scripts/test"
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input="".join(steps),
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(installed).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def pinned(environment: str) -> str:
        path = f"main:overlays/{environment}/kustomization.yaml"
        bare = str(tmp_path / "manifests.git")
        return subprocess.check_output(["git", "-C", bare, "show", path], text=True)

    assert len(blocks) > 10
    assert "1.6.1" in pinned("dev")
    assert "1.6.1" in pinned("test")
    assert "1.5.0" in pinned("stage")
    assert "1.5.0" in pinned("prod")
    assert "exit code 1: they differ" in done.stdout
    assert done.stdout.count("exit code 1: refused") == 3
    assert "INC-42" in done.stdout


SHELL_PAGES = [
    path for path in PAGES if "```sh" in path.read_text() and path.parent.name != "decisions"
]


def parse(words: list[str]) -> None:
    """Have the command line read a call, and run nothing. Raises click.ClickException."""
    command: click.Command | None = GROUP
    while isinstance(command, click.Group):
        if not words or words[0].startswith("-"):
            return
        command = command.get_command(click.Context(command), words[0])
        words = words[1:]
    if command is None:
        raise click.UsageError("there is no such command")
    with suppress(click.exceptions.Exit):  # --help
        command.make_context("gitops", words)


@pytest.mark.parametrize("path", SHELL_PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_printed_call_can_be_typed(path: Path) -> None:
    """The parser of the command line takes each call that a page shows, and a shell each block.

    Whole stories are run: the tutorial and the screens of the READMEs, below; calls that need
    neither forge nor cluster one by one (tests/test_pages.py).
    """
    wrong = {}
    for words in printed_calls(path):
        try:
            parse(words)
        except click.ClickException as error:
            wrong[" ".join(words)] = error.format_message()
    blocks = "".join(text for kind, text in FENCED.findall(path.read_text()) if kind == "sh")
    typed = subprocess.run(["bash", "-n"], input=blocks, capture_output=True, text=True)

    assert {} == wrong
    assert (0, "") == (typed.returncode, typed.stderr)


@pytest.mark.parametrize(
    "call", ["deploy a:1 --tro dev", "deplore a:1", "hold", "hold dev -r a -r b"]
)
def test_a_call_that_cannot_be_typed(call: str) -> None:
    """A wrong word of a page is found."""
    with pytest.raises(click.ClickException):
        parse(call.split())


NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
MODEL = page("explanation/threat-model.md")


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED_TEST.findall(MODEL))))
def test_tests_of_the_threat_model_exist(path: str, name: str) -> None:
    """Each test that the threat model names is there, under this name."""
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


def test_every_attack_names_its_test() -> None:
    """Each row of the tables of attacks ends with the test that plays it."""
    attacks = MODEL.partition("## Tokens and rights")[0]
    rows = [line for line in attacks.splitlines() if line.startswith("| ")]
    heads = [row for row in rows if row.endswith("| test |")]

    assert 7 == len(heads)
    assert [] == [row for row in rows if row not in heads and not NAMED_TEST.search(row)]


@pytest.mark.parametrize("command", ["check", "validate", "deploy", "approve", "rollback"])
def test_rights_of_each_command_are_told(command: str) -> None:
    """The commands that touch prod stand in the table of tokens and rights."""
    table = MODEL.partition("## Tokens and rights")[2]

    assert re.search(rf"^\|[^|]*`{command}", table, re.MULTILINE)
