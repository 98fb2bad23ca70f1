"""`gitops serve --demo` and the browser that it opens."""

from __future__ import annotations

import threading
import webbrowser

import pytest

from gitops.cli.commands.serve import _open_browser

SCREENS = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")


def test_no_browser_keeps_the_server_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends when it has the page is not waited for: the server has still to answer it."""
    asked, ends = threading.Event(), threading.Event()

    def opens(_url: str) -> bool:
        asked.set()
        return ends.wait(60)

    monkeypatch.setenv("BROWSER", "some")
    monkeypatch.setattr(webbrowser, "open", opens)
    _open_browser("http://127.0.0.1:8080")

    assert asked.wait(60)
    ends.set()


def test_no_browser_takes_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a screen there are only those that would; nothing is opened."""
    opened: list[str] = []
    for name in SCREENS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(webbrowser, "open", opened.append)
    before = threading.active_count()
    _open_browser("http://127.0.0.1:8080")

    assert (opened, before) == ([], threading.active_count())
