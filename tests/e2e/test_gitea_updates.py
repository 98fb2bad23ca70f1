"""A real Gitea whose main takes only what is up to date: the button, `--update`, and who counts."""

from __future__ import annotations

import subprocess

import pytest

from e2e.test_gitea_story import PROD, Shop, shop

__all__ = ["shop"]  # the fixture


@pytest.fixture
def strict(shop: Shop) -> Shop:
    """Main asks for one approval and a branch that is up to date; going back is proposed."""
    config = (shop.folder / "checkout" / "gitops.yaml").read_text()
    (shop.folder / "checkout" / "gitops.yaml").write_text(
        config.replace("rollback: commit ", "rollback: pull-request ")
    )
    checkout = str(shop.folder / "checkout")
    for words in (
        ("-c", "user.name=CI", "-c", "user.email=ci@example.com", "commit", "-qam", "Ask"),
        ("push", "-q", shop.url("ci"), "HEAD:main"),
    ):
        subprocess.run(["git", "-C", checkout, *words], check=True, capture_output=True)
    shop.api(
        "PATCH",
        "/branch_protections/main",
        {"enable_status_check": False, "block_on_outdated_branch": True},
    )
    return shop


def press_update(shop: Shop, number: int, user: str = "ben") -> None:
    """Press "Update branch by merge"."""
    before = shop.head("gitops/prod")
    shop.api("POST", f"/pulls/{number}/update?style=merge", user=user)
    assert shop.server.wait_for(lambda: shop.head("gitops/prod") != before)


def main_goes_on(shop: Shop, tag: str) -> None:
    """Have CI bring something to dev; what waits is behind after it."""
    assert 0 == shop.gitops("deploy", f"shop/api:{tag}", "--to", "dev").code
    shop.server.wait_until_behind(shop.repository)


def test_button_and_update(strict: Shop) -> None:
    """Behind: refused with the way. The button hides nothing, `--update` does it, both land."""
    shop = strict
    shop.stage("1.5.0")
    first = shop.gitops("promote", "--to", "prod", "--reason", "spring", "-o", "json")
    assert 0 == first.code, first.err
    main_goes_on(shop, "2.0.0")
    shop.approve_in_the_page(1)
    behind = shop.gitops("approve", "prod", "-o", "json", user="ben")
    assert (1, "refused") == (behind.code, behind.json["error"]["code"])
    assert "`gitops approve prod --update`" in behind.json["error"]["hint"]

    press_update(shop, 1)
    row = shop.gitops("status", "prod", "-o", "json").json["environments"][0]["proposals"][0]
    assert ("shop CI", 1) == (row["by"], row["number"])
    same = shop.gitops("promote", "--to", "prod", "-o", "json")
    assert ("unchanged", 1) == (same.json["outcome"], same.json["proposals"][0]["number"])
    done = shop.let_in(1)  # by ben, who pressed it: that made nothing
    assert "committed" == done.json["outcome"]
    assert '"1.5.0"' in shop.file(PROD)
    released = shop.gitops("history", "prod", "-o", "json").json["releases"][0]
    assert ("promote", done.json["commit"]) == (released["action"], released["commit"])

    shop.stage("1.6.0")
    assert 0 == shop.gitops("promote", "--to", "prod").code
    main_goes_on(shop, "2.1.0")
    updated = shop.gitops("approve", "prod", "--update", "-o", "json", user="ben")
    assert (0, "proposed") == (updated.code, updated.json["outcome"]), updated.err
    assert updated.json["commit"] == shop.head("gitops/prod")
    assert any("brought up to date with main" in note for note in updated.json["notes"])
    assert ["1 approval (the forge asks for 1)"] == updated.json["proposals"][0]["waits_for"][:1]
    assert "committed" == shop.let_in(2).json["outcome"]
    assert '"1.6.0"' in shop.file(PROD)
    assert "newTag: 2.1.0" in shop.file("overlays/dev/kustomization.yaml")


def test_a_rollback_keeps_its_right_of_way(strict: Shop) -> None:
    """A rollback that waits and was brought up to date still bars what would go before it."""
    shop = strict
    shop.stage("1.5.0")
    assert 0 == shop.gitops("promote", "--to", "prod").code
    shop.let_in(1)
    shop.server.wait_until_deleted(shop.repository, "gitops/prod")
    back = shop.gitops("rollback", "prod", "--reason", "INC-3", "--yes", "-o", "json")
    assert "proposed" == back.json["outcome"], back.err
    main_goes_on(shop, "2.0.0")
    press_update(shop, 2)
    shop.stage("1.6.0")
    barred = shop.gitops("promote", "--to", "prod", "-o", "json")
    assert (1, "refused") == (barred.code, barred.json["error"]["code"])
    assert "a rollback by shop CI waits" in barred.json["error"]["reasons"][0]
    assert 0 == shop.gitops("approve", "prod", "--update", user="ben").code
    done = shop.let_in(2)
    assert "committed" == done.json["outcome"]
    assert '"1.4.0"' in shop.file(PROD)
    assert "INC-3" in shop.file(".gitops/holds/prod.yaml")


def test_who_pushed_to_it_does_not_approve_it(strict: Shop) -> None:
    """Ben pushes a commit in another name, and approves: Gitea counts him, gitops does not."""
    shop = strict
    shop.stage("1.5.0")
    assert 0 == shop.gitops("promote", "--to", "prod").code
    checkout = str(shop.folder / "checkout")
    shop.git("checkout", "-q", "-B", "mine", "origin/gitops/prod")
    file = shop.folder / "checkout" / PROD
    file.write_text(file.read_text().replace('"1.5.0"', '"1.5.1"'))
    for words in (
        ("-c", "user.name=Zoe", "-c", "user.email=zoe@example.com", "commit", "-qam", "better"),
        ("push", "-q", shop.url("ben"), "HEAD:gitops/prod"),
    ):
        subprocess.run(["git", "-C", checkout, *words], check=True, capture_output=True)
    over = ("approve", "prod", "--override", "INC-1", "-o", "json")

    def refused() -> list[str] | None:
        shop.approve_in_the_page(1)
        said = shop.gitops(*over, user="ci")
        assert said.code in (1, 75), said.out  # 75: not noted yet who pushed
        if said.code == 75:
            return None
        reasons: list[str] = said.json["error"]["reasons"]
        return reasons if any("ben approved" in one for one in reasons) else None

    found = shop.server.wait_for(refused, seconds=60)
    assert "1 approval (the forge asks for 1; ben approved, and made some of it)" in found
