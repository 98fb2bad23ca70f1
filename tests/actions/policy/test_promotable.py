"""What `gitops resume` says will go to the environment once nobody holds it."""

from __future__ import annotations

from forge_world import PROD, World, make_world, overlay
from gitops.actions.context.named import Named
from gitops.actions.hold import hold, resume
from gitops.actions.rollback import RollbackRequest, rollback


def notes(world: World, environment: str = "prod") -> list[str]:
    """Lift the hold and return what is said beside the hold itself."""
    said = resume(world.session(), Named((environment,))).notes
    return [text for text in said if "held by" not in text and "automation may" not in text]


def held(prod: str = "", top: str = "") -> World:
    """prod got 1.5.0 from stage, was rolled back to 1.4.0, and is held."""
    world = make_world(prod, top)
    world.stage()
    world.repository.commit({PROD: overlay("1.5.0")}, "by hand\n")
    rollback(world.session(), RollbackRequest(Named(("prod",)), reason="INC-42"))
    return world


def test_it_warns_of_what_a_rollback_took_away() -> None:
    """The very images that were rolled back would be promoted again: that is said."""
    assert [
        "`gitops promote --to prod` would carry from stage: shop/api 1.4.0 -> 1.5.0",
        "a rollback took this away from prod: shop/api 1.5.0",
    ] == notes(held())


def test_what_came_since_is_named() -> None:
    """A newer release in stage is what would go, and no rollback took that away."""
    world = held()
    world.stage("shop/api:1.5.1")

    assert [
        "`gitops promote --to prod` would carry from stage: shop/api 1.4.0 -> 1.5.1",
    ] == notes(world)


def test_policy_is_asked() -> None:
    """What policy asks besides the hold is said now, not at the next promotion."""
    world = held("requires: [qa-passed], deploy: auto")
    found = notes(world)

    assert found[0].startswith("`gitops promote --eligible` would carry from stage: ")
    assert "until then policy says no: stage has no qa-passed for shop/api 1.5.0" in found


def test_nothing_to_carry() -> None:
    """Both environments have the same: nothing will be promoted."""
    world = make_world()
    hold(world.session(), Named(("prod",)), reason="INC-42")

    assert ["prod has what stage has: `gitops promote --to prod` changes nothing"] == notes(world)


def test_an_environment_that_follows_a_branch() -> None:
    """There the next build decides."""
    world = make_world()
    hold(world.session(), Named(("stage",)), reason="INC-42")

    assert ["the next build of release/{version} goes to stage by itself"] == notes(world, "stage")


def test_what_cannot_be_read_stops_nobody() -> None:
    """The hold goes though nobody knows what comes next."""
    world = held()
    world.repository.commit({"overlays/stage/kustomization.yaml": b"images: [\n"}, "x\n")
    (found,) = notes(world)

    assert found.startswith("what can be promoted to prod is not known: ")
    assert world.repository.show(".gitops/holds/prod.yaml") is None
