"""What begins before the command line is loaded: the same that the command then asks for."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.cli.app import app
from gitops.cli.fast_path import COMMANDS, understand, verb_of, wanted
from gitops.cli.lazy_group import load_all
from gitops.cli.options import named_options
from manifests import Manifests
from servers.git_http import GitServer

GROUP = load_all(app)
URL = "https://git.example.com/m.git"
TABLES = {name: named_options(verb_of(name)) for name in COMMANDS}
NAMES = sorted({name for table in TABLES.values() for name in table})


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_which_options_take_a_value(name: str) -> None:
    """Whatever it says of an option is so; of one that it does not know nothing is guessed."""
    options = [one for one in GROUP.commands[name].params if isinstance(one, click.Option)]
    flags = {word for one in options if one.is_flag for word in (*one.opts, *one.secondary_opts)}
    values = {word for one in options if not one.is_flag for word in one.opts}

    assert {word for word, field in TABLES[name].items() if field.is_flag} == flags
    assert {word for word, field in TABLES[name].items() if not field.is_flag} == values


WORDS = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(NAMES).map(lambda name: f"{name}={URL}"),
    st.sampled_from([URL, "dev", "shop/api:1", "main", "-", "--", "-ojson", "--help", "--no", "1"]),
)


@given(
    st.sampled_from(sorted(COMMANDS)),
    st.lists(WORDS, max_size=7),
    st.sampled_from([{}, {"GITOPS_REPO": ""}, {"GITOPS_REPO": "https://example.com/other.git"}]),
)
def test_what_is_understood_is_what_the_command_line_says(
    name: str, rest: list[str], environ: dict[str, str]
) -> None:
    """Where the early look and the whole command line both understand, they agree."""
    spoken = understand([name, *rest])
    told = parsed(name, rest, environ)

    if spoken is not None and told is not None:
        assert wanted(spoken, environ)[:2] == told


def parsed(name: str, rest: list[str], environ: dict[str, str]) -> tuple[str, str | None] | None:
    """Return repository and branch as the whole command line reads them, None for an error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GITOPS_REPO", raising=False)
        for key, value in environ.items():
            patch.setenv(key, value)
        try:
            context = GROUP.commands[name].make_context(name, list(rest))
        except (click.exceptions.ClickException, click.exceptions.Exit):
            return None
    return context.params["repo"], context.params["branch"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["deploy", "a:1", "--to", "dev"], (".", None, "remembered")),
        (["deploy", "a:1", "--to", "dev", "--repo", URL], (URL, None, "remembered")),
        (["deploy", f"--repo={URL}", "--branch=x", "a:1"], (URL, "x", "remembered")),
        (["deploy", "a:1", "--to", "dev", "--dry-run"], (".", None, "tip")),
        (["deploy", "a:1", "--to", "dev", "--override", "x"], (".", None, "tip")),
        (["deploy", "a:1", "--to", "dev", "--override=x"], (".", None, "tip")),
        (["rollback", "dev", "-y"], (".", None, "history")),
        (["status"], (".", None, "landed")),
        (["deploy", "a:1", "--reason", f"--repo={URL}"], (".", None, "remembered")),
        (["deploy", "a:1", "--reason", "--repo", URL], (".", None, "remembered")),
        (["deploy", "a:1", "--new-option", URL], None),
        (["deploy", "a:1", "--to"], None),
        (["deploy", "--help"], None),
        (["deploy", "--", "--repo", URL], None),
        (["deploy", "--dry-run=x"], None),
        (["set-image", "."], None),
        (["--version"], None),
        ([], None),
    ],
)
def test_what_begins_early(words: list[str], expected: tuple[str, str | None, str] | None) -> None:
    """Only what stands behind --repo is contacted, and only when every word is understood."""
    spoken = understand(words)

    assert expected == (wanted(spoken, {}) if spoken is not None else None)


def test_a_wrong_command_line_leaves_nothing_behind(manifests: Manifests, tmp_path: Path) -> None:
    """When the command turns out to be wrong the reading stops, and its store is removed."""
    with GitServer(manifests.path.parent) as server:
        server.behaviour.hang = True
        environ = {**os.environ, "TMPDIR": str(tmp_path)}
        environ["GITOPS_REPO"] = server.repo
        done = subprocess.run(
            [sys.executable, "-m", "gitops", "rollback"],
            env=environ,
            cwd=manifests.elsewhere,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    assert 2 == done.returncode
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert [] == list(tmp_path.glob("gitops-store-*"))


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:9/m.git", "no-such-folder", "-x", "ext::sh"]
)
def test_what_is_wrong_is_said_once(manifests: Manifests, location: str) -> None:
    """An address that leads nowhere is told by the command, as if nothing had begun early."""
    done = manifests.gitops("status", "-o", "json", repo=location)

    assert done.code in (2, 3, 75)
    assert 1 == done.err.count("error: ")
    assert "message" in done.json["error"]
    assert tempfile.gettempdir() not in done.err
