"""Many lines at once: aligned, dated and harmless as if each were printed alone."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gitops.cli.render.terminal import columns, json_text, lines, minute


def test_rows_of_any_length_are_aligned() -> None:
    """Short rows, empty ones, and texts that look like a format."""
    rows = [("a", "%s", "x"), ("long", "b"), ("", "", ""), (), ("100%", "", "end")]
    assert columns(rows) == ["a     %s  x", "long  b", "", "", "100%      end"]
    assert columns([("가", "b"), ("abc", "c")]) == ["가   b", "abc  c"]
    assert columns([]) == []
    # Nothing stands behind the end of a row, so a sentence there makes no column wider.
    assert columns([("a", "b", "c"), ("prod", "no branch")]) == ["a     b  c", "prod  no branch"]


def test_a_minute_is_one_of_utc() -> None:
    """Whatever offset a commit has, and in every year there is."""
    east = timezone(timedelta(hours=9))
    assert minute(datetime(2026, 1, 1, 3, 4, 59, tzinfo=east)) == "2025-12-31 18:04"
    assert minute(datetime(31, 2, 3, 4, 5, tzinfo=UTC)) == "0031-02-03 04:05"
    assert minute(None) == "unknown date"


@pytest.mark.parametrize("command", ["::error::x", "a ##[command]", "##teamcity[x]"])
def test_no_line_of_many_is_a_command(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """A runner obeys none of them, wherever it stands, and the others stay as they are."""
    lines(["first", command, "last"])
    lines([])
    first, shown, last = capsys.readouterr().out.splitlines()
    assert (first, last) == ("first", "last")
    assert not shown.startswith("::")
    assert "##[" not in shown
    assert "##team" not in shown


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "document",
    [
        {"a": [], "b": {}, "c": [None, True, {"d": [1, -2.5, 1.0]}], "e": "", "": "/"},
        {"text": 'é 한 😀 "\\ / \b\f\n\r\t\x00\x1f'},
        {"half of a pair": "\ud800"},
        [{"name": "dev", "app": None}] * 3,
        "plain",
    ],
)
def test_json_is_laid_out_as_the_standard_library_does(
    document: object, indent: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, in UTF-8 and where standard output is something else; it is the same data."""
    for encoding, plain in (("utf-8", False), ("ascii", True)):
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
        shown = json_text(document, indent)
        wanted = json.dumps(document, indent=indent, ensure_ascii=plain)
        assert shown == wanted.replace("\ud800", "\\ud800")
        assert json.loads(shown) == document
