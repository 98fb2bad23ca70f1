"""Edits of `gitops.yaml` leave what people wrote: comments, order, quotes, line ends."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from gitops.adapters.local.config_editor import ConfigEditor
from gitops.config import load_config
from gitops.errors import NotFound, Refused, UsageError

SAMPLE = (Path(__file__).parents[3] / "gitops.yaml").read_bytes()


def changed(before: bytes, after: bytes) -> list[str]:
    """Return the lines that came and went."""
    lines = [text.decode().splitlines() for text in (before, after)]
    return [one for one in difflib.ndiff(*lines) if one[0] in "+-"]


def test_one_line_comes_and_goes() -> None:
    """A key that is added is one line; taken out again the file is what it was, byte for byte."""
    path = ("environments", "prod", "soak")
    more = ConfigEditor(SAMPLE).set(path, "24h")
    less = ConfigEditor(more).unset(path)

    assert ["+     soak: 24h"] == changed(SAMPLE, more)
    assert SAMPLE == less


def test_value_is_replaced() -> None:
    """A value is replaced where it stands, in a flow mapping, too, with the comments around it."""
    after = ConfigEditor(SAMPLE).set(("environments", "dev", "deploy"), "manual")
    both = ConfigEditor(after).set(("branch",), "trunk")

    assert 4 == len(changed(SAMPLE, both))
    assert b"branch: trunk                     # the branch that Argo CD follows" in both
    assert load_config(both).branch == "trunk"


def test_lists_tables_and_new_entries() -> None:
    """What is not there is made, lists by the names of their entries."""
    made = ConfigEditor(SAMPLE).set(("environments", "qa", "overlay"), "overlays/qa")
    made = ConfigEditor(made).set(("groups",), "[{name: all, environments: [dev, qa]}]")
    config = load_config(made)

    assert ["qa", "all"] == [config.environments[-1].name, config.groups[0].name]
    assert b"+" not in b"".join(one.encode()[:1] for one in changed(made, SAMPLE) if "-" not in one)


def test_the_first_entry_of_a_list() -> None:
    """A list that is not there yet is made with the entry, called as its entries are called."""
    made = ConfigEditor(SAMPLE).set(("images", "shop/api", "source"), "https://git.example.com/a")
    made = ConfigEditor(made).set(("branches", "main", "tests"), "advised")
    made = ConfigEditor(made).set(("notify", "oncall", "environments"), "[prod]")
    load_config(made)

    assert b"\n  - name: shop/api\n    source: https://git.example.com/a\n" in made
    assert b"\n  - match: main\n    tests: advised\n" in made
    assert b"\n  - channel: oncall\n    environments: [prod]\n" in made


@pytest.mark.parametrize("offset", ["", "  "])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_form_is_kept(offset: str, newline: str) -> None:
    """However lists are indented and lines end, only what is meant changes; a BOM stays."""
    text = (
        f"# top\nbranch: main\nenvironments:\n{offset}- name: dev # first\n{offset}  overlay: 'a'\n"
    )
    before = b"\xef\xbb\xbf" + text.replace("\n", newline).encode()
    after = ConfigEditor(before).set(("environments", "0", "overlay"), "b")

    assert before.replace(b"'a'", b"'b'") == after


def test_same_value_changes_nothing() -> None:
    """Setting what is there gives the same bytes, whatever the form of the file."""
    odd = b"branch:   main\nenvironments:\n    - {name: dev,   overlay: a}\n"

    assert odd == ConfigEditor(odd).set(("branch",), "main")


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (("environments", "7", "deploy"), "auto", NotFound),
        (("branch", "x"), "1", UsageError),
        (("branch",), "[", UsageError),
    ],
)
def test_what_cannot_be_set(path: tuple[str, ...], value: str, error: type[Exception]) -> None:
    """A place that there is not, and a value that is no YAML, are told."""
    with pytest.raises(error):
        ConfigEditor(SAMPLE).set(path, value)


@pytest.mark.parametrize("content", [b"- a\n", b"a: [\n", b"\xff\xfe", b"a: *x\n", b"a: 1\na: 2\n"])
def test_file_that_cannot_be_edited(content: bytes) -> None:
    """What is no mapping in YAML is refused, without a traceback."""
    with pytest.raises(Refused):
        ConfigEditor(content)
