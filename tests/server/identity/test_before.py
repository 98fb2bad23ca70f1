"""People whom a proxy or Argo CD signed in, and all who only say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops.core.environments.environment import Config, Environment
from identity_world import World

SECRET, OTHER = "s" * 40, "o" * 40
PROXY = {
    "X-Gitops-Secret": SECRET,
    "X-Auth-Request-Email": "ana@example.com",
    "X-Auth-Request-Groups": "shop:oncall, unknown",
}
ARGO = {
    "X-Gitops-Proof": SECRET,
    "Argocd-Username": "ana@example.com",
    "Argocd-Application-Name": "argocd:shop-prod",
    "Argocd-User-Groups": "admins",
}


def proxied(folder: Path) -> World:
    """Return a server behind a proxy at 10.1.2.0/24."""
    (folder / "secret").write_text(SECRET)
    return World(
        "trustedProxies: [10.1.2.0/24, '::ffff:0:1/128']\n"
        f"proxySignIn: {{secretHeader: X-Gitops-Secret, secretFile: {folder}/secret}}\n"
    )


def in_argo(folder: Path, *patterns: str) -> World:
    """Return a server that Argo CD hands requests on to."""
    (folder / "rollback").write_text(SECRET)
    (folder / "look").write_text(OTHER)
    words = ", ".join(f"'{one}'" for one in patterns or ("{app}-{environment}",))
    return World(
        f"argocd:\n  applications: [{words}]\n  extensions:\n"
        f"    - {{name: gitops-rollback, secretFile: {folder}/rollback}}\n"
        f"    - {{name: gitops-look, secretFile: {folder}/look}}\n"
    )


def test_the_proxy_says_who(tmp_path: Path) -> None:
    """With both proofs, and nothing of it kept: the next request says it again."""
    client = proxied(tmp_path).client()
    told = client.get("/", headers=PROXY).json()
    assert ("user:ana@example.com", "proxy") == (told["id"], told["via"])
    assert ["shop:oncall", "unknown"] == told["groups"]
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        ({**PROXY, "X-Gitops-Secret": "guess"}, "10.1.2.3"),
        ({**PROXY, "X-Gitops-Secret": ""}, "10.1.2.3"),
        (PROXY, "10.1.3.3"),
        (PROXY, "evil"),
        ({**PROXY, "X-Forwarded-For": "10.1.2.3"}, "10.9.9.9"),
        ({**PROXY, "X-Auth-Request-Email": ""}, "10.1.2.3"),
    ],
)
def test_a_forged_header_is_nobody(tmp_path: Path, headers: dict[str, str], peer: str) -> None:
    """The secret alone, or the address alone, lets nobody name themselves."""
    client = proxied(tmp_path).client(peer=peer)
    assert client.get("/", headers=headers).status_code == 401


def test_a_header_that_comes_twice(tmp_path: Path) -> None:
    """One of the two is the caller's own."""
    client = proxied(tmp_path).client()
    twice = [*PROXY.items(), ("x-auth-request-email", "boss@example.com")]
    assert client.get("/", headers=twice).status_code == 401


def test_argo_cd_says_who(tmp_path: Path) -> None:
    """Who, by which extension, about which overlay; its groups are never read."""
    told = in_argo(tmp_path).client().get("/", headers=ARGO).json()
    assert ("user:argocd:ana@example.com", "argocd") == (told["id"], told["via"])
    assert ["argocd:gitops-rollback"] == told["groups"]
    assert ["prod", "shop"] == told["application"]
    other = in_argo(tmp_path).client().get("/", headers={**ARGO, "X-Gitops-Proof": OTHER}).json()
    assert ["argocd:gitops-look"] == other["groups"]


@pytest.mark.parametrize(
    "headers",
    [
        {**ARGO, "X-Gitops-Proof": "guess"},
        {**ARGO, "X-Gitops-Proof": ""},
        {**ARGO, "Argocd-Application-Name": "argocd:shop-stage"},
        {**ARGO, "Argocd-Application-Name": "argocd:other-prod"},
        {**ARGO, "Argocd-Application-Name": ""},
        {**ARGO, "Argocd-Username": ""},
    ],
)
def test_what_does_not_come_from_argo_cd(tmp_path: Path, headers: dict[str, str]) -> None:
    """Or is about an Application that is no overlay here."""
    assert in_argo(tmp_path).client().get("/", headers=headers).status_code == 401


def test_an_application_that_could_be_two(tmp_path: Path) -> None:
    """Is neither, unless only one of them is there; another namespace is another Application."""
    world = in_argo(tmp_path)
    rows = (Environment("prod", "a/{app}/p"), Environment("eu-prod", "a/{app}/e"))
    world.config = Config(None, rows)
    two = {**ARGO, "Argocd-Application-Name": "argocd:shop-eu-prod"}
    world.overlays = {("prod", "shop-eu"), ("eu-prod", "shop")}
    assert world.client().get("/", headers=two).status_code == 401
    world.overlays = {("eu-prod", "shop")}
    assert ["eu-prod", "shop"] == world.client().get("/", headers=two).json()["application"]

    own = in_argo(tmp_path, "team/{app}-{environment}")
    assert own.client().get("/", headers=ARGO).status_code == 401
    there = {**ARGO, "Argocd-Application-Name": "team:shop-prod"}
    assert own.client().get("/", headers=there).status_code == 200


def test_nobody_is_known_by_headers_unless_that_is_set(tmp_path: Path) -> None:
    """Without the settings they are headers like any other."""
    assert proxied(tmp_path).client().get("/", headers=ARGO).status_code == 401
    assert in_argo(tmp_path).client().get("/", headers=PROXY).status_code == 401
    told = World("{}").client().get("/", headers=PROXY | ARGO).json()
    assert ("user:me", "loopback") == (told["id"], told["via"])


def test_names_of_argo_cd_are_its_own(tmp_path: Path) -> None:
    """Who is called like somebody on its page, or in a group like its extension's, is not that."""
    client = proxied(tmp_path).client()
    groups = {**PROXY, "X-Auth-Request-Groups": "argocd:gitops-rollback, shop:oncall, argocd"}
    assert ["shop:oncall", "argocd"] == client.get("/", headers=groups).json()["groups"]
    name = {**PROXY, "X-Auth-Request-Email": "argocd:admin"}
    assert 401 == client.get("/", headers=name).status_code
