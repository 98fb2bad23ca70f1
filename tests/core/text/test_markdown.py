"""What other people chose stands in Markdown as code, whatever it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from gitops.core.text.markdown import NOTHING, bullets, code, code_block, link, table
from gitops.core.text.plain import one_line

READER = MarkdownIt("commonmark").enable("table").enable("strikethrough")
HOSTILE = [
    "[click](https://evil.example)",
    "<img src=x onerror=alert(1)>",
    "@ana please /approve",
    "closes #1",
    "a | b |",
    "a \\| b",
    "back`tick",
    "``two`` and `one`",
    "`",
    "```\n@ana",
    "trailing\\",
    "line\nbreak",
    "\u202eevil",
    "$`x`$",
    "| --- |",
]
TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(st.sampled_from("ab`\\|<>[]()@#$!*_~ \n-")))


def shown(text: str) -> str:
    """Return what a reader of the page sees of `text`."""
    return one_line(text).replace("|", "¦") or NOTHING


def inline(tokens: list[Token]) -> list[Token]:
    """Return the parts of running text, of all blocks."""
    return [part for token in tokens for part in token.children or ()]


def seen(parts: list[Token]) -> list[tuple[str, str]]:
    """Return type and content of every part that is not empty text."""
    return [(part.type, part.content) for part in parts if part.content or part.type != "text"]


@given(TEXT, TEXT)
@example("a`", "`b")
def test_code_is_nothing_but_code(one: str, two: str) -> None:
    """Two texts side by side in a sentence are two code spans, and nothing else becomes of them."""
    parts = inline(READER.parse(f"From {code(one)} to {code(two)}."))
    expected = [("text", "From ")]
    for text, after in ((one, " to "), (two, ".")):
        if shown(text) == NOTHING:
            expected[-1] = ("text", f"{expected[-1][1]}{NOTHING}{after}")
        else:
            expected += [("code_inline", shown(text)), ("text", after)]

    assert expected == seen(parts)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3))
def test_a_table_keeps_its_cells(rows: list[tuple[str, str]]) -> None:
    """Whatever stands in a cell stays in it: as many cells as were written, each with its text."""
    tokens = READER.parse(table(("one", "two"), [(code(a), code(b)) for a, b in rows]))
    cells = [token for token in tokens if token.type == "inline"][2:]

    assert [shown(text) for row in rows for text in row] == [
        "".join(part.content for part in cell.children or ()) for cell in cells
    ]


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_a_block_ends_where_it_should(lines: list[str]) -> None:
    """A fenced block holds exactly its lines, each one line."""
    tokens = READER.parse(code_block(lines, "sh") + "\n\nafter")

    assert ["fence", "paragraph_open", "inline", "paragraph_close"] == [one.type for one in tokens]
    assert "".join(one_line(line, 5000) + "\n" for line in lines) == tokens[0].content


@given(TEXT)
def test_a_link_leads_only_where_it_says(text: str) -> None:
    """The text of a link cannot change where it leads."""
    parts = inline(READER.parse(link(text, "https://git.example.com/a/b/commit/1234567")))
    links = [part.attrs["href"] for part in parts if part.type == "link_open"]

    assert ["https://git.example.com/a/b/commit/1234567"] == links


@pytest.mark.parametrize(
    "url", [None, "javascript:alert(1)", "https://a/b c", "https://a/<b>", "https://a/`b`", "//a/b"]
)
def test_what_is_no_address_is_no_link(url: str | None) -> None:
    """Only a plain web address becomes a link."""
    assert "`here`" == link("here", url)


def test_long_words_are_cut() -> None:
    """A reason of any length stays one line of bounded length."""
    assert len(code("x" * 10_000)) <= 502
    assert re.fullmatch("`x+…`", code("x" * 10_000))


def test_bullets() -> None:
    """One line for each item."""
    assert "- a\n- b" == bullets(["a", "b"])
