"""Acts in a real Chromium: pages that everybody can read, keys alone, no script, two people on one
button, a tab that slept, and whatever may be away."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops.actions.deploy import DeployRequest, deploy
from gitops.adapters.signin import keys
from gitops.server.board import keeper
from gitops.server.pages import act_pages
from gitops.server.service import Service
from gitops.server.settings import parse_settings
from gitrepos import Repo
from identity_world import sign_in_settings
from servers.git_http import GitServer
from servers.openid import OpenIdServer

sys.path.insert(0, str(Path(__file__).parent))
from browsing import Tab
from live import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LONG = 60_000  # milliseconds that a busy machine may need
ADDRESSES = (
    *("/e/dev/web/rollback", "/e/prod/api/undo", "/e/dev/mail/hold", "/e/prod/worker/approve"),
    *("/e/stage/worker/qa", "/e/dev/mail/deploy", "/e/dev/mail/deploy?image=shop/mail&tag=9.9.9"),
    *("/e/prod/payments/promote", "/e/dev/hold", "/nowhere", "/releases", "/alerts"),
)
"""An act of each shape, what cannot be done, errors, and pages with nothing on them."""


@dataclass(frozen=True)
class Shop:
    """A server of the story, which people act on.

    Attributes:
        git: what serves its repository.
        repo: the repository.
    """

    service: Service
    git: GitServer
    repo: Repo

    def count(self, path: str) -> int:
        """How many commits changed a path."""
        return int(self.repo.git("rev-list", "--count", "main", "--", path))


@pytest.fixture(scope="module")
def shop(
    chromium: Browser, story: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """Its people are those of the demo; in test one types the name; it looks twice a second."""
    root = tmp_path_factory.mktemp("acting")
    shutil.copytree(story, root / "shop.git")
    repo = Repo(root / "shop.git")
    config = repo.show("gitops.yaml")
    named = config.replace(b"[main], deploy: auto}\n  - name", b"[main], confirm: name}\n  - name")
    assert config != named
    repo.commit({"gitops.yaml": named})
    with (
        GitServer(root) as git,
        serving(f"{git.url}/shop.git", every=0.5, demo=True) as service,
    ):
        yield Shop(service, git, repo)


def press(page: Page, name: str) -> None:
    """Press the button of an act, and do not wait for what comes."""
    page.get_by_role("button", name=name, exact=True).click(no_wait_after=True, timeout=LONG)


def overlay(app: str, environment: str) -> str:
    """Where an overlay lies."""
    return f"apps/{app}/overlays/{environment}/kustomization.yaml"


def test_everybody_can_read_acts(chromium: Browser, shop: Shop) -> None:
    """axe finds nothing on previews, on what follows, on errors; a phone is wide enough."""
    found = {}
    with Tab(chromium, shop.service) as tab:
        for address in ADDRESSES:
            tab.page.goto(address)
            if faults := tab.faults():
                found[address] = faults
        tab.page.goto("/e/test/mail/rollback")
        assert tab.page.get_by_label("Type mail/test").is_visible()

        tab.page.goto("/e/dev/mail/hold")
        tab.page.get_by_label("Why").fill("a reason")
        press(tab.page, "Hold")
        tab.page.get_by_role("heading", name="mail/dev is held").wait_for(timeout=LONG)
        if faults := tab.faults():
            found["followed"] = faults

        tab.page.goto("/e/test/mail/rollback")
        tab.page.get_by_label("Type mail/test").fill("mail")
        press(tab.page, "Roll back now")
        tab.page.get_by_role("alert").wait_for(timeout=LONG)
        assert "type mail/test" in tab.page.get_by_role("alert").inner_text()
        if faults := tab.faults():
            found["a wrong name"] = faults
    assert found == {}, found


def test_keys_alone_roll_back(chromium: Browser, shop: Shop) -> None:
    """From the board to what follows, without a pointer; the reason is in the commit."""
    with Tab(chromium, shop.service) as tab:
        page = tab.page
        page.goto("/")
        for _ in range(5):
            page.keyboard.press("j")
        assert page.locator("tr.selected a[data-open]").inner_text() == "web"
        page.keyboard.press("r")
        page.wait_for_url("**/e/dev/web/rollback", timeout=LONG)
        reach(page, "#reason")
        page.keyboard.type("by keys")
        reach(page, "form.panel button.danger")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="web/dev is rolled back").wait_for(timeout=LONG)
        assert tab.wrong == []
    assert "by keys" in shop.repo.git("log", "--format=%B", "main", "--", overlay("web", "dev"))


def reach(page: Page, selector: str) -> None:
    """Press Tab until something has the focus, which must be seen to have it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.locator(f"{selector}:focus")
        if focused.count():
            assert focused.evaluate("one => getComputedStyle(one).outlineStyle") != "none"
            return
    raise AssertionError(f"no key leads to {selector}")


def test_without_javascript_one_acts(chromium: Browser, shop: Shop) -> None:
    """Rolled back and undone by links and forms alone."""
    with Tab(chromium, shop.service, java_script_enabled=False) as tab:
        page = tab.page
        page.goto("/e/stage/payments")
        page.get_by_role("link", name="Roll back", exact=True).click()
        press(page, "Roll back now")
        page.get_by_role("heading", name="payments/stage is rolled back").wait_for(timeout=LONG)
        page.get_by_role("link", name="Undo", exact=True).click()
        press(page, "Undo it now")
        page.get_by_role("heading", name="The rollback of payments/stage is undone").wait_for(
            timeout=LONG
        )
    assert b"newTag: 4.0.0" in shop.repo.show(overlay("payments", "stage"))


def test_two_people_on_one_button(chromium: Browser, shop: Shop) -> None:
    """Pressed at once in two browsers: one commit, and the other is told that it was done."""
    path = overlay("search", "prod")
    before = shop.count(path)
    with Tab(chromium, shop.service) as ana, Tab(chromium, shop.service) as ben:
        url = shop.service.settings.listen.url
        for tab, name in ((ana, "ana@example.com"), (ben, "ben@example.com")):
            tab.context.add_cookies([{"name": "gitops-demo-person", "value": name, "url": url}])
            tab.page.goto("/e/prod/search/rollback")
        for tab in (ana, ben):
            press(tab.page, "Roll back now")
        told = []
        for tab in (ana, ben):
            tab.page.wait_for_url("**/acts/rollback/*", timeout=LONG)
            heading = tab.page.get_by_role(
                "heading", name=re.compile("is rolled back|Nothing was written")
            )
            heading.wait_for(timeout=LONG)
            told.append(heading.inner_text())
    assert before + 1 == shop.count(path)
    assert sorted(told) == ["Nothing was written: search/prod", "search/prod is rolled back"]


def test_a_tab_that_slept_over_a_change(chromium: Browser, shop: Shop) -> None:
    """What runs now is another release than the one that was shown: nothing is done but to show
    that, and the next press does what is shown then."""
    with Tab(chromium, shop.service) as tab:
        page = tab.page
        page.goto("/e/dev/api/rollback")
        with shop.service.open_session() as session:
            deploy(session, DeployRequest(("shop/api:1.6.0",), to=("api/dev",)))
        press(page, "Roll back now")
        page.get_by_role("alert").wait_for(timeout=LONG)
        assert "is newer" in page.get_by_role("alert").inner_text()
        assert b"newTag: 1.6.0" in shop.repo.show(overlay("api", "dev"))
        assert tab.faults() == []
        press(page, "Roll back now")
        page.get_by_role("heading", name="api/dev is rolled back").wait_for(timeout=LONG)
    assert b"newTag: 1.5.1" in shop.repo.show(overlay("api", "dev"))


def test_git_is_away(chromium: Browser, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The board stays, and says as of when; a press is kept and done when Git is back; open tabs
    see both by themselves."""
    monkeypatch.setattr(keeper, "STALE", 0.5)
    monkeypatch.setattr(act_pages, "_PATIENCE", 0.5)
    with Tab(chromium, shop.service) as looking, Tab(chromium, shop.service) as acting:
        looking.page.goto("/")
        acting.page.goto("/e/dev/search/hold")
        shop.git.behaviour.status = 503
        try:
            banner = looking.page.get_by_text("Git does not answer")
            banner.wait_for(timeout=LONG)
            assert looking.page.locator("tr[data-row]").count() == 6
            acting.page.get_by_label("Why").fill("INC-8")
            press(acting.page, "Hold")
            acting.page.get_by_role("heading", name="Being written").wait_for(timeout=LONG)
            assert acting.faults() == []
        finally:
            shop.git.behaviour.status = None
        acting.page.get_by_role("heading", name="search/dev is held").wait_for(timeout=LONG)
        banner.wait_for(state="detached", timeout=LONG)
    assert b"INC-8" in shop.repo.show(".gitops/holds/search/dev.yaml")


def test_the_sign_in_service_is_away(
    chromium: Browser, story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page with words and the way to try again, 503; and it leads there when it is back."""
    with OpenIdServer() as provider:
        provider.silent = True
        settings = sign_in_settings(tmp_path, provider.url).replace("publicUrl", "#")
        file = parse_settings(settings.encode(), "settings.yaml")
        with serving(str(story), file=file) as service, Tab(chromium, service) as tab:
            tab.page.goto("/e/prod/api")
            assert tab.page.get_by_text("sign in to see this").is_visible()
            assert tab.faults() == []
            link = tab.page.get_by_role("link", name="Sign in with")
            with tab.page.expect_response(lambda one: "/sign-in?next=" in one.url) as answered:
                link.click()
            assert answered.value.status == 503
            assert "the sign-in service" in tab.page.locator("main").inner_text()
            assert tab.faults() == []
            provider.silent = False
            monkeypatch.setattr(keys, "_PAUSE", 0.0)
            tab.page.reload()
            assert tab.page.url.startswith(f"{provider.url}/authorize?")


def test_the_server_is_away(chromium: Browser, story: Path) -> None:
    """An open page says that it may be old, and no longer once there is a server again."""
    with contextlib.ExitStack() as both:
        with serving(str(story), every=0.5) as service:
            tab = both.enter_context(Tab(chromium, service))
            with tab.page.expect_response("**/events*"):
                tab.page.goto("/")
        lost = tab.page.locator("#lost")
        lost.wait_for(state="visible", timeout=LONG)
        assert tab.faults() == []
        with serving(str(story), every=0.5, port=service.settings.listen.port):
            lost.wait_for(state="hidden", timeout=LONG)
