"""The page in a real Chromium, on real Git over HTTP: what people see, and with which keys."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops.server.service import Service
from servers.git_http import GitServer

sys.path.insert(0, str(Path(__file__).parent))
from browsing import Tab
from live import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = ("/", "/e/prod", "/e/prod/api", "/a/api", "/proposals", "/holds", "/audit", "/preferences")


@pytest.fixture(scope="module")
def served(
    chromium: Browser, story: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The page of the story, which Git serves over HTTP; it looks twice a second."""
    root = tmp_path_factory.mktemp("served")
    shutil.copytree(story, root / "shop.git")
    with GitServer(root) as git, serving(f"{git.url}/shop.git", every=0.5) as service:
        yield service


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(chromium: Browser, served: Service, scheme: str) -> None:
    """axe finds nothing on any page, and the browser complains of nothing under our policy."""
    with Tab(chromium, served, color_scheme=scheme) as tab:
        found = {}
        for address in PAGES:
            answer = tab.page.goto(address)
            assert answer is not None
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            if violations := tab.violations():
                found[address] = violations

        assert found == {}
        assert tab.wrong == []


def test_a_phone_shows_a_card_for_each_app(chromium: Browser, served: Service) -> None:
    """At 360 pixels nothing is wider than the screen, and what one taps is large enough."""
    with Tab(chromium, served, viewport={"width": 360, "height": 740}, has_touch=True) as tab:
        wide = []
        for address in PAGES:
            tab.page.goto(address)
            if tab.page.evaluate("document.documentElement.scrollWidth") > 360:
                wide.append(address)
        assert wide == []

        tab.page.goto("/")
        assert tab.page.locator("tr[data-row]").count() == 6
        assert (
            tab.page.locator("tr[data-row]").first.evaluate("row => getComputedStyle(row).display")
            == "block"
        )
        button = tab.page.get_by_role("link", name="Roll back").first.bounding_box()
        assert button is not None
        assert button["height"] >= 32


def test_a_phone_shows_the_page_that_is_open(chromium: Browser, served: Service) -> None:
    """Its name stands in the row of pages, which is wider than a phone; and no words run together
    where a table is a list of cards."""
    with Tab(chromium, served, viewport={"width": 360, "height": 740}) as tab:
        tab.page.goto("/audit")
        here = tab.page.locator("#nav [aria-current]").bounding_box()
        assert here is not None
        assert 0 <= here["x"] <= 360 - here["width"]
        mark = "one => getComputedStyle(one, '::before').content"
        assert "·" in tab.page.locator("td br + .muted").first.evaluate(mark)


def test_on_paper_nothing_is_some_time_ago(chromium: Browser, served: Service) -> None:
    """The audit prints when it was, black on white also for whoever reads in the dark."""
    with Tab(chromium, served, color_scheme="dark") as tab:
        tab.page.goto("/audit")
        tab.page.emulate_media(media="print", color_scheme="dark")
        time = tab.page.locator(".audit time").first
        told = time.evaluate("one => getComputedStyle(one, '::after').content")
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", told)
        assert "0px" == time.evaluate("one => getComputedStyle(one).fontSize")
        assert not tab.page.locator(".filters").is_visible()
        muted = tab.page.locator(".audit .muted").first
        assert "rgb(60, 72, 84)" == muted.evaluate("one => getComputedStyle(one).color")


def test_what_pods_said_comes_by_itself(chromium: Browser, served: Service) -> None:
    """An overlay's page that did not wait for it asks again when it is there."""
    with Tab(chromium, served) as tab:
        with tab.page.expect_response("**/events*"):
            tab.page.goto("/e/prod/api")
        with tab.page.expect_response("**/e/prod/api"):
            served.hub.publish("words", "api/prod")


def test_all_of_it_with_keys(chromium: Browser, served: Service) -> None:
    """Search, next, open, help, roll back; and in a field the keys are letters."""
    with Tab(chromium, served) as tab:
        page = tab.page
        page.goto("/")
        page.keyboard.press("/")
        page.keyboard.type("jr?")
        assert page.locator("#q").input_value() == "jr?"
        page.locator("#q").fill("5.3.1")
        page.wait_for_url(re.compile(r"\?q=5\.3\.1"))
        page.wait_for_function("document.querySelectorAll('tr[data-row]').length === 1")
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/a/web")
        page.keyboard.press("?")
        assert page.locator("dialog[open]").is_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.wait_for_url(re.compile(r":\d+/$"))
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        assert page.locator("tr.selected a[data-open]").inner_text() == "api"
        page.locator("td.cell.bad a.body").last.focus()
        page.keyboard.press("r")
        page.wait_for_url("**/e/dev/web/rollback*")


def test_without_javascript_it_is_whole(chromium: Browser, served: Service) -> None:
    """Lists, search and filters are plain links and forms."""
    with Tab(chromium, served, java_script_enabled=False) as tab:
        page = tab.page
        page.goto("/")
        assert page.locator("tr[data-row]").count() == 6
        page.locator("#q").fill("payments")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url("**/?q=payments*")
        assert page.locator("tr[data-row]").count() == 1
        page.goto("/")
        page.get_by_role("link", name="Needs a look").click()
        page.wait_for_url("**/?show=bad")
        assert page.locator("tr[data-row]").count() == 2
        page.goto("/preferences")
        page.get_by_label("한국어").check()
        page.get_by_label("Dark").check()
        page.get_by_role("button", name="Keep").click()
        page.wait_for_selector("html[lang=ko][data-theme=dark]", state="attached")
        assert page.get_by_role("link", name="현황판").is_visible()


def test_a_korean_browser_reads_korean(chromium: Browser, served: Service) -> None:
    """By the browser's language, also what the script tells again: ages."""
    with Tab(chromium, served, locale="ko-KR") as tab:
        tab.page.goto("/e/prod/api")

        assert "Ana 님이 보류함" in tab.page.locator("main").inner_text()
        assert re.search(r"\d+(분|시간) 전", tab.page.locator(".timeline time").first.inner_text())
        assert tab.wrong == []


def test_what_lands_is_seen_without_a_press(chromium: Browser, served: Service) -> None:
    """A hold of somebody else comes into an open board, with the search that stands there."""
    with Tab(chromium, served) as tab:
        page = tab.page
        page.goto("/?q=mail")
        assert page.locator(".badge.held").count() == 0
        with served.open_session() as session:
            from gitops.actions.context.named import Named
            from gitops.actions.hold import hold

            hold(session, Named(("mail/test",)), reason="<b>looking</b> into it")

        page.wait_for_selector("td[data-env=test] .badge.held", timeout=20_000)
        assert page.locator("tr[data-row]").count() == 1
        assert "looking" in (page.locator(".badge.held").first.get_attribute("title") or "")
        assert page.locator("#nav").get_by_role("link", name="Holds 3").is_visible()
        assert tab.wrong == []


def test_a_tab_that_slept_is_told_at_once(chromium: Browser, served: Service) -> None:
    """Whoever shows an older board than the one that is known gets the whole region."""
    with Tab(chromium, served) as tab:
        events = []
        tab.page.on("request", lambda one: events.append(one.url))
        tab.page.route(
            "**/events*",
            lambda route: route.continue_(url=f"{served.settings.listen.url}/events?mark=old"),
        )
        tab.page.goto("/")
        with tab.page.expect_response(lambda one: one.url.endswith("/") and one.status == 200):
            pass
        assert sum("/events" in one for one in events) == 1
