"""Takes the pictures of docs/how-to/pictures: the page of `gitops serve --demo` in a real Chromium.

Run it with the test environment's Python, from the root of the checkout:
`.venv/bin/python scripts/pictures.py`. It needs chromium-headless-shell.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parents[1] / "docs" / "how-to" / "pictures"


class _Picture(NamedTuple):
    name: str
    address: str
    width: int
    height: int
    scheme: str = "light"
    locale: str = "en-US"


PICTURES = (
    _Picture("board", "/", 1200, 740),
    _Picture("timeline", "/e/prod/api", 1200, 800, "dark"),
    _Picture("rollback", "/e/dev/web/rollback", 1200, 760),
    _Picture("insights", "/insights", 1200, 1180),
    _Picture("phone", "/", 360, 720, "dark"),
    _Picture("korean", "/", 1200, 740, "light", "ko-KR"),
)


def main() -> int:
    """Take all pictures; return the exit code."""
    browser_path = shutil.which("chromium-headless-shell")
    if browser_path is None:
        print("chromium-headless-shell is not installed", file=sys.stderr)
        return 3
    FOLDER.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "gitops", "serve", "--demo", "--listen", "127.0.0.1:0"]
    environ = os.environ | {"BROWSER": "true"}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as server:
        try:
            _take(_address(server), browser_path)
        finally:
            server.terminate()
    return 0


def _address(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r" at (http://\S+)", line):
            return found[1]
    raise SystemExit("the demo did not start")


def _take(url: str, browser_path: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for one in PICTURES:
            context = browser.new_context(
                viewport={"width": one.width, "height": one.height},
                color_scheme="dark" if one.scheme == "dark" else "light",
                locale=one.locale,
            )
            page = context.new_page()
            page.goto(f"{url}{one.address}")
            page.wait_for_selector("h1", state="attached")
            page.screenshot(path=FOLDER / f"{one.name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
