"""The whole server with a real Gitea: as OpenID provider, and as the forge beside it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from gitops.actions.deploy import DeployRequest, deploy
from gitops.server.app import create_app
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings, parse_settings
from gitops.wiring import open_session
from manifests import Manifests
from servers.gitea import GiteaServer

URL = "https://gitops.example.com"
ACCESS = """\
access:
  - {may: [rollback, hold], environments: [test], who: ["group:%s:oncall"]}
  - {may: [hold], environments: [dev], who: ["user:ben@example.com"]}
"""
SAME = {"Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class Signing:
    """The server, who asks it, and the provider."""

    client: TestClient
    service: Service
    gitea: GiteaServer
    manifests: Manifests
    organization: str


PROD = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: prod, overlay: overlays/prod, change: pull-request}
access:
  - {may: [approve], environments: [prod], who: ["user:ana@example.com", "user:ben@example.com"]}
"""


@pytest.fixture
def signing(gitea: GiteaServer, manifests: Manifests, tmp_path: Path) -> Iterator[Signing]:
    """A server where Gitea signs people in; Ana is on call."""
    with serving(gitea, manifests, tmp_path, str(manifests.path), ACCESS) as made:
        yield made


@contextmanager
def serving(
    gitea: GiteaServer, manifests: Manifests, folder: Path, repository: str, access: str
) -> Iterator[Signing]:
    """Serve a repository, with Gitea's word for who people are."""
    organization = f"shop-{time.time_ns() % 10**9}"
    gitea.call("POST", "/orgs", {"username": organization})
    team = {"name": "oncall", "permission": "read", "units": ["repo.code"]}
    number = gitea.call("POST", f"/orgs/{organization}/teams", team)["id"]
    gitea.call("PUT", f"/teams/{number}/members/ana")
    client = gitea.call(
        "POST",
        "/user/applications/oauth2",
        {
            "name": organization,
            "redirect_uris": [f"{URL}/sign-in/back"],
            "confidential_client": True,
        },
    )
    (folder / "secret").write_text(client["client_secret"])
    settings = (
        f"publicUrl: {URL}\nsignIn:\n  issuer: {gitea.url}\n  clientId: {client['client_id']}\n"
        f"  clientSecretFile: {folder}/secret\n"
    )
    if access:
        text = manifests.file("gitops.yaml") + access % organization
        manifests.commit("rights", {"gitops.yaml": text})
    file = parse_settings(settings.encode(), "settings.yaml")
    listen = Listen("127.0.0.1", 8080)
    service = Service(ServerSettings(repository, listen, public_url=URL, file=file))
    with TestClient(create_app(service), URL, follow_redirects=False) as browser:
        wait_for_board(service)
        yield Signing(browser, service, gitea, manifests, organization)


def wait_for_board(service: Service) -> None:
    """Wait for the first look."""
    end = time.monotonic() + 20
    while service.board.current() is None:
        assert time.monotonic() < end, service.board.trouble
        time.sleep(0.01)


def page_with(signing: Signing, text: str) -> str:
    """Return the page of proposals as soon as it has a text."""
    end = time.monotonic() + 60
    while text not in (page := signing.client.get("/proposals").text):
        assert time.monotonic() < end, page
        time.sleep(0.05)
    return page


def sign_in(signing: Signing, name: str) -> httpx.Response:
    """Do what a person with a browser does; return our answer to whoever came back."""
    begun = signing.client.get("/sign-in", params={"next": "/"})
    assert begun.status_code == 303, begun.text
    user = signing.gitea.users[name]
    with httpx.Client(follow_redirects=False, timeout=20) as browser:
        page = browser.get(f"{signing.gitea.url}/user/login").text
        fields = {"_csrf": hidden(page).get("_csrf", ""), "user_name": name}
        browser.post(f"{signing.gitea.url}/user/login", data={**fields, "password": user.password})
        answer = browser.get(begun.headers["location"])
        if answer.status_code == 200:  # the first time it asks whether they agree
            form = {**hidden(answer.text), "granted": "true"}
            answer = browser.post(f"{signing.gitea.url}/login/oauth/grant", data=form)
    back = answer.headers["location"]
    assert back.startswith(f"{URL}/sign-in/back?"), back
    query = dict(parse_qsl(urlsplit(back).query))
    return signing.client.get("/sign-in/back", params=query)


def hidden(page: str) -> dict[str, str]:
    """Return the hidden fields of a form."""
    found = {}
    for tag in re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", page):
        pairs = dict(re.findall(r"(name|value)=\"([^\"]*)\"", tag))
        found[pairs.get("name", "")] = unescape(pairs.get("value", ""))
    return found


def test_the_team_of_gitea_gives_the_right(signing: Signing) -> None:
    """Signed in by the real provider; a right that a commit takes away is gone at once."""
    client, service = signing.client, signing.service
    assert client.get("/").status_code == 401
    assert client.get("/healthz").status_code == 200
    assert sign_in(signing, "ana").status_code == 303
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]

    sent = "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)
    person = service.identity.cookies.person(sent)
    assert person is not None
    assert ("user:ana@example.com", "Ana") == (person.id, person.name)
    assert (f"{signing.organization}:oncall",) == person.groups
    assert service.may(person, "rollback", "test").allowed
    assert not service.may(person, "rollback", "prod").allowed
    assert not service.may(person, "hold", "dev").allowed

    text = signing.manifests.file("gitops.yaml").replace("rollback, hold", "hold")
    signing.manifests.commit("no more", {"gitops.yaml": text})
    looks = service.board.looks
    service.board.wake()
    end = time.monotonic() + 20
    while service.board.looks <= looks or service.may(person, "rollback", "test").allowed:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert client.get("/").status_code == 200
    assert client.post("/sign-out", headers=SAME).status_code == 303
    assert client.get("/").status_code == 401


def test_who_is_in_no_team_looks(signing: Signing) -> None:
    """Whoever signs in looks; what they may is what a row says of them."""
    assert sign_in(signing, "ben").status_code == 303
    sent = "; ".join(f"{one.name}={one.value}" for one in signing.client.cookies.jar)
    person = signing.service.identity.cookies.person(sent)
    assert person is not None
    assert () == person.groups
    assert not signing.service.may(person, "rollback", "test").allowed
    assert signing.service.may(person, "hold", "dev").allowed


def test_an_approval_is_the_persons_own(
    gitea: GiteaServer, manifests: Manifests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ben's review and ben's merge, with the token of his sign-in; the server's account gives none.

    The proposal is the CI system's, so Gitea counts him, and whoever saw another head is refused.
    """
    repository = gitea.new_repository("ana", writers=("ben", "ci"))
    manifests.commit("rights", {"gitops.yaml": PROD})
    manifests.git("push", "-q", gitea.clone_url(repository, user="ana"), "main")
    gitea.settle(repository)
    rule = {"rule_name": "main", "required_approvals": 1, "enable_push": True}
    gitea.call("POST", f"/repos/{repository}/branch_protections", rule, user="ana")
    monkeypatch.setenv("GITEA_TOKEN", gitea.users["ci"].token)
    monkeypatch.setenv("GITOPS_AUTHOR", "CI <ci@example.com>")
    url = gitea.clone_url(repository, user="ci")
    with open_session(url, None, writes=True) as session:
        request = DeployRequest(images=("shop/api:9.9.9",), to=("prod",))
        (proposal,) = deploy(session(), request).proposals
    with serving(gitea, manifests, tmp_path, url, "") as signing:
        assert sign_in(signing, "ben").status_code == 303

        def approve(head: str) -> httpx.Response:
            return signing.client.post(
                "/v1/environments/prod/approve", json={"head": head}, headers=SAME
            )

        page = page_with(signing, f"#{proposal.number}</a>")
        assert "the forge asks for 1" in page
        assert "waits for you" in page
        preview = signing.client.get("/e/prod/approve").text
        assert "would be approved in your name" in preview
        assert "Approve and merge</button>" in preview
        early = approve("a" * 40)
        assert early.status_code == 409, early.text
        path = f"/repos/{repository}/pulls/{proposal.number}"
        assert [] == gitea.call("GET", f"{path}/reviews", user="ana")
        answer = approve(proposal.commit or "")
    assert answer.status_code == 200, answer.text
    assert ("committed", True) == (answer.json()["outcome"], "in your name" in answer.text)
    (review,) = gitea.call("GET", f"{path}/reviews", user="ana")
    assert ("ben", "APPROVED", True) == (
        *(review["user"]["login"], review["state"]),
        review["official"],
    )
    pull = gitea.call("GET", path, user="ana")
    assert ("ben", True) == (pull["merged_by"]["login"], pull["merged"])
