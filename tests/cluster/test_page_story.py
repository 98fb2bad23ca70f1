"""The page as people use it: Gitea says who they are, Argo CD runs what Git says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster.gitops import Gitops
from cluster.shop import Shop
from gitops.server.service import Service
from gitops.server.settings import parse_settings
from manifests import Result
from server.browsing import Tab
from server.live import serving
from servers.gitea import GiteaServer
from servers.processes import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LONG = 60_000  # milliseconds that a busy machine may need
CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - name: stage
    overlay: overlays/stage
    accepts: [main]
    deploy: auto
    database: real
    wait: {soak: 0s}
  - name: prod
    overlay: overlays/prod
    accepts: [main]
    deploy: manual
    change: pull-request
    after: [stage]
    requires: [qa-passed]
    database: real
access:
  - {may: [rollback, undo, qa, promote], environments: [stage, prod], who: ["user:ana@example.com"]}
  - {may: [approve], environments: [prod], who: ["user:ben@example.com"]}
"""


@pytest.fixture
def gitops(gitea: GiteaServer, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Gitops:
    """CI's gitops on a shop that lies in Gitea; Argo CD begins to follow stage and prod."""
    repository = gitea.new_repository("ana", writers=("ben", "ci"))
    shop.manifests.commit("Stage, and prod after it", {"gitops.yaml": CONFIG})
    shop.manifests.git("push", "-q", gitea.clone_url(repository, user="ana"), "main")
    gitea.settle(repository)
    rule = {"rule_name": "main", "required_approvals": 1, "enable_push": True}
    gitea.call("POST", f"/repos/{repository}/branch_protections", rule, user="ana")
    shop.url = gitea.clone_url(repository, user="ci")
    made = Gitops(shop)
    made.environ |= {"GITEA_TOKEN": gitea.users["ci"].token, "GITOPS_AUTHOR": "CI <ci@example.com>"}
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    done(made("deploy", "shop/api:1.5.0", "--to", "stage"))
    shop.url = gitea.clone_url(repository)
    shop.register()
    for environment in ("stage", "prod"):
        shop.follow(environment)
    shop.url = gitea.clone_url(repository, user="ci")
    return made


def done(result: Result) -> None:
    """Check that a call did what it was to do."""
    assert 0 == result.code, result.err


@contextmanager
def page_of(gitops: Gitops, gitea: GiteaServer, folder: Path) -> Iterator[Service]:
    """Serve the shop's page, where Gitea signs people in."""
    port = free_port(set())
    url = f"http://127.0.0.1:{port}"
    client = gitea.call(
        "POST",
        "/user/applications/oauth2",
        {"name": url, "redirect_uris": [f"{url}/sign-in/back"], "confidential_client": True},
    )
    (folder / "secret").write_text(client["client_secret"])
    settings = (
        f"signIn:\n  issuer: {gitea.url}\n  clientId: {client['client_id']}\n"
        f"  clientSecretFile: {folder}/secret\n"
    )
    file = parse_settings(settings.encode(), "settings.yaml")
    with serving(gitops.shop.url, every=0.5, file=file, port=port) as service:
        yield service


def sign_in(page: Page, gitea: GiteaServer, name: str) -> None:
    """Sign in at Gitea, and come back to the board."""
    page.goto("/")
    page.get_by_role("link", name="Sign in with").click()
    page.locator("input[name=user_name]").fill(name)
    page.locator("input[name=password]").fill(gitea.users[name].password)
    page.locator("input[name=password]").press("Enter")
    page.locator("button[name=granted][value=true]").click()
    page.locator("#board").wait_for()


def press(page: Page, name: str, heading: str) -> None:
    """Press the button of an act, and wait for the page that follows it."""
    page.get_by_role("button", name=name, exact=True).click(no_wait_after=True)
    page.get_by_role("heading", name=heading, exact=True).wait_for()


def healthy(page: Page, shop: Shop, environment: str) -> None:
    """Wait until the page that follows an act says that the last step is done."""
    from playwright.sync_api import Error  # only where a browser is

    try:
        page.locator("ol.plain li .word.ok", has_text="Healthy").wait_for()
    except Error:
        told = shop.application(environment)
        raise AssertionError(f"{page.inner_text('main')}\n{told}") from None


@pytest.mark.timeout(300)
def test_from_a_bad_release_to_prod(
    chromium: Browser, gitea: GiteaServer, gitops: Gitops, tmp_path: Path
) -> None:
    """Ana sees a release break, takes it back and undoes that; the next one passes QA, is proposed
    by her, approved by Ben in his own name, and runs in prod."""
    shop = gitops.shop
    with page_of(gitops, gitea, tmp_path) as service:
        with Tab(chromium, service) as tab:
            page = tab.page
            page.set_default_timeout(LONG)
            sign_in(page, gitea, "ana")
            done(gitops("wait", "stage"))
            with gitops.running("deploy", "shop/api:1.6.0-broken", "--to", "stage", "--wait") as ci:
                page.locator("tr.bad", has_text="1.6.0-broken").wait_for()
                page.get_by_role("link", name="stage", exact=True).click()
                page.get_by_text("CrashLoopBackOff").first.wait_for()
                told, _ = ci.communicate(timeout=LONG / 1000)
            assert 1 == ci.returncode, told
            page.get_by_role("link", name="Roll back", exact=True).click()
            page.get_by_label("Why").fill("INC-7")
            press(page, "Roll back now", "stage is rolled back")
            healthy(page, shop, "stage")
            assert 2 == page.locator("ol.plain time").count()
            assert "shop/api:1.5.0" == shop.live_image("stage")
            page.get_by_role("link", name="Undo", exact=True).click()
            press(page, "Undo it now", "The rollback of stage is undone")

            done(gitops("deploy", "shop/api:1.7.0", "--to", "stage"))
            page.goto("/e/stage/qa")
            page.get_by_label("It passed").check()
            press(page, "Record it", "QA's word on stage is recorded")
            page.goto("/e/prod/promote")
            press(page, "Promote", "Proposed for prod")

        with Tab(chromium, service) as tab:
            page = tab.page
            page.set_default_timeout(LONG)
            sign_in(page, gitea, "ben")
            page.goto("/proposals")
            page.get_by_text("waits for you").wait_for()
            page.get_by_role("link", name="Approve", exact=True).click()
            press(page, "Approve and merge", "The proposal of prod is approved")
            healthy(page, shop, "prod")
    assert "shop/api:1.7.0" == shop.live_image("prod")
    repository = shop.url.partition("@")[2].partition("/")[2].removesuffix(".git")
    (review,) = gitea.call("GET", f"/repos/{repository}/pulls/1/reviews", user="ana")
    assert ("ben", "APPROVED") == (review["user"]["login"], review["state"])
