"""Tabs of a real Chromium, and what can be wrong in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops.server.service import Service

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NARROW = 360  # pixels of a small phone


class Tab:
    """A tab, and what went wrong in it."""

    def __init__(self, browser: Browser, service: Service, **options: Any) -> None:
        self.context = browser.new_context(
            base_url=service.settings.listen.url,
            **({"locale": "en-US", "reduced_motion": "reduce"} | options),
        )
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on(
            "console",
            lambda said: (
                self.wrong.append(said.text) if said.type in ("error", "warning") else None
            ),
        )

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def violations(self, *rules: str) -> str:
        """Return what axe finds on the page that is open, in words; "" for nothing.

        `rules`: only by these.
        """
        from axe_playwright_python.sync_playwright import Axe

        told = Axe().run(self.page, options={"runOnly": [*rules]} if rules else {})
        return str(told.generate_report()[:2000]) if told.response["violations"] else ""

    def faults(self) -> list[str]:
        """Return what is wrong with the page that is open: for axe, its colours also in the dark,
        and where it is wider than a small phone."""
        size = self.page.viewport_size
        found = [one for one in [self.violations()] if one]
        self.page.emulate_media(color_scheme="dark")
        found += [f"dark: {one}" for one in [self.violations("color-contrast")] if one]
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size({"width": NARROW, "height": 740})
        if (width := self.page.evaluate("document.documentElement.scrollWidth")) > NARROW:
            found.append(f"{width} pixels wide")
        if size is not None:
            self.page.set_viewport_size(size)
        return found
