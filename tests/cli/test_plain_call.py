"""A call that is read without typer is the call that typer would have read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.cli import fast_path
from gitops.cli.fast_path import COMMANDS, understand, verb_of
from gitops.cli.lazy_group import load
from gitops.cli.options import named_options
from manifests import Manifests

LOADED = {name: load(name) for name in ("deploy", "status")}
MANY = {"deploy": ("images", "to"), "status": ("environments",)}
NAMES = sorted(
    {*named_options(verb_of("deploy")), *named_options(verb_of("status")), "-h", "--help"}
)
VALUES = ["json", "text", "yaml", "", "dev", "shop/api:1.2", "-x", "-", "--", "--to", "10s", "main"]
WORD = st.one_of(
    st.sampled_from(VALUES),
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)).map("=".join),
    st.sampled_from(["-ojson", "-vo", "-o=json", "--dry", "--add=true"]),
)
ENVIRONS = [{}, {"GITOPS_REPO": ""}, {"GITOPS_REPO": "https://example.com/other.git"}]


def plain_call(spoken: fast_path.Spoken, environ: dict[str, str]) -> dict[str, Any] | None:
    """Return what the quick reading says, option by option; None where it does not."""
    told = fast_path.plain_call(spoken, environ)
    if told is None:
        return None
    values: dict[str, Any] = {}
    for name, value in told.items():
        fields = getattr(type(value), "__annotations__", None)
        values |= {name: value} if fields is None else {one: getattr(value, one) for one in fields}
    return values


def by_typer(command: str, words: list[str], environ: dict[str, str]) -> dict[str, Any] | None:
    """Return the parameters as typer hands them to the command, None for an error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GITOPS_REPO", raising=False)
        for key, value in environ.items():
            patch.setenv(key, value)
        try:
            context = LOADED[command].make_context(command, list(words))
        except (click.exceptions.ClickException, click.exceptions.Exit):
            return None
        told = {name: getattr(value, "value", value) for name, value in context.params.items()}
        return told | {name: tuple(told[name] or ()) for name in MANY[command]}


@given(st.sampled_from(sorted(LOADED)), st.lists(WORD, max_size=8), st.sampled_from(ENVIRONS))
def test_both_readings_agree(command: str, words: list[str], environ: dict[str, str]) -> None:
    """Whatever is read at once, typer reads the same, and all else stands at its default."""
    spoken = understand([command, *words])
    plain = plain_call(spoken, environ) if spoken is not None else None
    if plain is None:
        return
    told = by_typer(command, words, environ)

    assert told is not None
    defaults = by_typer(command, ["a:1"], {}) or {}
    assert told == {**defaults, **plain}


@pytest.mark.parametrize(
    "words",
    [
        ["shop/api:1.2", "--to", "dev"],
        ["a:1", "b:2", "--to=dev", "--to", "test", "--repo", "https://example.com/m.git"],
        ["a:1", "--ref", "auto", "--commit", "a" * 40, "-o", "json", "-v", "--push-timeout", "5s"],
        ["a:1", "--to", "dev", "--override", "x", "--reason", "--to", "--add", "--dry-run"],
        ["a:1", "--branch", "production", "--app", "shop", "--output=json", "--verbose"],
    ],
)
def test_what_pipelines_write_is_plain(words: list[str]) -> None:
    """These are read at once, and as typer reads them."""
    spoken = understand(["deploy", *words])

    assert spoken is not None
    plain = plain_call(spoken, {})
    assert plain is not None
    assert plain == by_typer("deploy", words, {})


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["prod", "dev"],
        ["--wide", "--failing", "--app", "shop", "prod"],
        ["-o", "json", "--repo", "https://example.com/m.git", "--branch=production"],
    ],
)
def test_what_people_ask_is_plain(words: list[str]) -> None:
    """A status is read at once, with environments and without, and as typer reads it."""
    spoken = understand(["status", *words])

    assert spoken is not None
    plain = plain_call(spoken, {})
    assert plain is not None
    assert plain == by_typer("status", words, {})


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--to", "dev"],
        ["a:1", "--to", "dev", "--wait"],
        ["a:1", "--help"],
        ["a:1", "-o", "yaml"],
        ["a:1", "-o", "json", "--output", "text"],
        ["a:1", "--to"],
        ["a:1", "--", "b:1"],
        ["a:1", "--dry-run=yes"],
    ],
)
def test_everything_else_goes_the_common_way(words: list[str]) -> None:
    """Help, mistakes, and what is not known here are for typer."""
    spoken = understand(["deploy", *words])

    assert spoken is None or plain_call(spoken, {}) is None


def test_other_commands_and_completion_go_the_common_way() -> None:
    """Only a deploy and a status are plain, and not while a shell asks for completions."""
    for name in sorted(COMMANDS.keys() - LOADED.keys()):
        spoken = understand([name, "dev"])
        assert spoken is not None
        assert plain_call(spoken, {}) is None
    for words in (["deploy", "a:1", "--to", "dev"], ["status"]):
        spoken = understand(words)
        assert spoken is not None
        assert plain_call(spoken, {"_GITOPS_COMPLETE": "complete_bash"}) is None


def run(manifests: Manifests, *words: str) -> tuple[int, str, str, list[str]]:
    """Run a real process; return code, output, errors, and what was loaded of these."""
    program = (
        "import atexit, sys; atexit.register(lambda: print('LOADED', *[name for name in "
        "('typer', 'click', 'gitops.actions.proposals.find') if name in sys.modules], "
        "file=sys.stderr)); "
        "from gitops.__main__ import main; main()"
    )
    environ = {key: text for key, text in os.environ.items() if not key.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", program, *words, "--repo", f"file://{manifests.path}"],
        cwd=manifests.elsewhere,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    err, _, loaded = done.stderr.rpartition("LOADED")
    return done.returncode, done.stdout, err, loaded.split()


def test_a_plain_deploy_loads_no_typer(manifests: Manifests) -> None:
    """It writes the commit and says so, and neither typer nor click was loaded."""
    code, out, err, loaded = run(manifests, "deploy", "shop/api:1.4.2", "--to", "dev")

    assert (code, err) == (0, "")
    assert "-> 1.4.2" in out
    assert "newTag: 1.4.2" in manifests.git("show", "main:overlays/dev/kustomization.yaml")
    assert loaded == []


def test_a_plain_status_loads_no_typer(manifests: Manifests) -> None:
    """It shows what is where; neither typer nor click, nor what reads proposals, was loaded."""
    code, out, err, loaded = run(manifests, "status", "dev")

    assert (code, err) == (0, "")
    assert out.startswith("dev")
    assert loaded == []


def test_errors_are_the_same_both_ways(manifests: Manifests) -> None:
    """An error of a plain deploy has the words, the JSON and the code of the common way."""
    words = ("deploy", "shop/api:1.4.2", "--to", "nowhere", "-o", "json")
    plain = run(manifests, *words)
    common = run(manifests, *words, "--no-wait")

    assert plain[3] == []
    assert "typer" in common[3]
    assert plain[:3] == common[:3]
    assert plain[0] != 0
    assert "nowhere" in json.loads(plain[1])["error"]["message"]
