"""A registry for each environment: names stay where they are, tag and digest are what goes."""

from __future__ import annotations

import pytest

from forge_world import PROD, STAGE, World, make_world
from gitops.actions.context.named import Named
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.diff import diff
from gitops.actions.promote import PromoteRequest, promote
from gitops.actions.qa import QaRequest, qa
from gitops.actions.rollback import RollbackRequest, rollback
from gitops.core.kustomization import image_values
from gitops.core.kustomization.image import ImageValue
from gitops.errors import Refused

DIGEST = "sha256:" + "ab" * 32


def pinned(name: str | None, tag: str, digest: str = "") -> bytes:
    """An overlay whose only image comes from `name`."""
    lines = ["images:", "  - name: shop/api"]
    lines += [f"    newName: {name}"] if name else []
    lines += [f"    newTag: '{tag}'"] + ([f"    digest: {digest}"] if digest else [])
    return ("\n".join(lines) + "\n").encode()


def world_of(prod: str, name: str | None = "prod.example.com/api") -> World:
    """Stage has 1.5.0 of its registry, prod 1.4.0 of another one."""
    world = make_world(prod)
    files = {STAGE: pinned("stage.example.com/api", "1.5.0", DIGEST), PROD: pinned(name, "1.4.0")}
    world.repository.commit(files, "by hand\n")
    return world


def go(world: World, override: str | None = None) -> str:
    """Promote to prod; return what the proposal has then."""
    promote(world.session(), PromoteRequest(("prod",), override=override))
    return world.pins("gitops/prod")


def test_an_own_registry_keeps_its_name() -> None:
    """Tag and digest go to prod, and `newName` stays."""
    found = image_values(go(world_of("registry: own")).encode(), PROD)

    assert {"shop/api": ImageValue("prod.example.com/api", "1.5.0", DIGEST)} == found


def test_what_is_required_is_asked_of_tag_and_digest() -> None:
    """`after` and `requires` see the same release under another name, in the past of stage too."""
    world = world_of("registry: own, requires: [qa-passed]")
    with pytest.raises(Refused, match="stage has no qa-passed"):
        go(world)
    qa(world.session(), QaRequest(Named(("stage",)), "qa-passed", "newest"))
    assert "1.5.0" in go(world)

    world.stage("shop/api=stage.example.com/api:1.6.0")
    report = deploy(world.session(), DeployRequest((f"shop/api:1.5.0@{DIGEST}",), ("prod",)))
    assert "unchanged" == report.outcome  # the proposal that waits already


def test_what_a_rollback_took_away_is_taken_away_under_any_name() -> None:
    """A tag that stage went back from is no release for prod either."""
    world = world_of("registry: own")
    world.repository.commit({STAGE: pinned("stage.example.com/api", "1.6.0")}, "by hand\n")
    rollback(world.session(), RollbackRequest(Named(("stage",)), reason="INC-42"))

    with pytest.raises(Refused) as refused:
        deploy(world.session(), DeployRequest(("shop/api:1.6.0",), ("prod",)))
    assert "a rollback of stage took shop/api 1.6.0 away" in str(refused.value.reasons)


@pytest.mark.parametrize("name", ["prod.example.com/api", None])
def test_another_registry_is_refused_and_names_the_key(name: str | None) -> None:
    """Without the key no promotion changes where prod pulls from, unless somebody insists."""
    world = world_of("", name)
    with pytest.raises(Refused) as refused:
        go(world)

    assert (
        "prod: newName of shop/api would become stage.example.com/api of stage, and is "
        f"{name or 'shop/api'}: say `registry: own` in the row prod of gitops.yaml to keep it",
    ) == refused.value.reasons
    assert "stage.example.com/api" in go(world, "the registry moved")


def test_an_entry_that_pins_nothing_takes_the_name() -> None:
    """A new entry has no registry of its own yet."""
    world = world_of("")
    world.repository.commit({PROD: b"images:\n  - name: shop/api\n"}, "by hand\n")

    assert "newName: stage.example.com/api" in go(world)


def test_names_are_no_difference() -> None:
    """`diff` shows only what differs beside the registry, where one is a side's own."""
    world = world_of("registry: own")
    world.repository.commit({PROD: pinned("prod.example.com/api", "1.5.0", DIGEST)}, "by hand\n")

    assert () == diff(world.session(), "stage", "prod").differences
    assert () != diff(world_of("").session(), "stage", "prod").differences
