"""`promote` and `deploy` into several overlays: one commit, all or nothing."""

from __future__ import annotations

import pytest

from gitops.actions.context.named import Named
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.hold import hold
from gitops.actions.promote import PromoteRequest, promote
from gitops.errors import ManifestError, NotFound, Refused, UsageError
from groups_world import APPS, PRODUCTION, GroupsWorld, path_of, pinned

PROD_WEB = path_of("web", "prod-us")


@pytest.fixture
def played() -> GroupsWorld:
    """Stage has 1.1 of every app, both prods still 1.0."""
    world = GroupsWorld()
    world.ship("1.1", "stage")
    return world


def labels(report) -> list[str]:  # type: ignore[no-untyped-def]
    """Return what changed."""
    return [change.overlay.label for change in report.changes]


def test_a_group_is_promoted_by_one_commit(played: GroupsWorld) -> None:
    """Every app of every environment, from the environment before."""
    before = played.commits

    report = promote(played.session(), PromoteRequest(("production",)))

    assert (1, "committed", 6) == (played.commits - before, report.outcome, len(report.changes))
    assert {"1.1"} == {played.tag(app, name) for app in APPS for name in PRODUCTION}
    assert "unchanged" == promote(played.session(), PromoteRequest(PRODUCTION)).outcome


def test_images_and_apps_name_what_goes(played: GroupsWorld) -> None:
    """An image goes where its app is; a name that no app has is an error."""
    named = promote(played.session(), PromoteRequest(("production",), names=("shop/web",)))
    apps = promote(played.session(), PromoteRequest(("cart/prod-eu", "api/production")))

    assert ["web/prod-eu", "web/prod-us"] == labels(named)
    assert ["cart/prod-eu", "api/prod-eu", "api/prod-us"] == labels(apps)
    with pytest.raises(NotFound, match="shop/wab"):
        promote(played.session(), PromoteRequest(("production",), names=("shop/wab",)))
    with pytest.raises(UsageError, match="are the same environment"):
        promote(played.session(), PromoteRequest(("production",), source="prod-us"))


def test_one_that_is_held_keeps_all(played: GroupsWorld) -> None:
    """The whole call is refused with all reasons."""
    hold(played.session(), Named(("web/prod-us", "api/prod-eu")), reason="INC-1")
    before = played.commits

    with pytest.raises(Refused) as error:
        promote(played.session(), PromoteRequest(("production",)))

    assert before == played.commits
    assert ("api/prod-eu: held by Ana: INC-1", "web/prod-us: held by Ana: INC-1") == (
        error.value.reasons
    )
    command = "gitops promote --to cart/prod-eu --to web/prod-eu --to api/prod-us --to cart/prod-us"
    assert f"; `{command}` does what is free to go" in (error.value.hint or "")
    report = promote(played.session(), PromoteRequest(tuple(command.split()[3::2])))
    assert 4 == len(report.changes)


def test_the_way_of_the_others_of_a_deploy(played: GroupsWorld) -> None:
    """The command that is told can be typed, with the branch that was said."""
    hold(played.session(), Named(("web/prod-us",)), reason="INC-1")
    with pytest.raises(Refused) as error:
        deploy(played.session(), DeployRequest(("shop/web:1.1",), PRODUCTION))

    assert "; `gitops deploy shop/web:1.1 --to web/prod-eu` does" in (error.value.hint or "")


def test_an_app_that_is_not_there_yet_is_told(played: GroupsWorld) -> None:
    """It has nothing to promote, and does not keep the others."""
    played.repository.commit({path_of("new", "prod-us"): pinned("new", "1.0")})

    report = promote(played.session(), PromoteRequest(("prod-us",)))

    assert ["api/prod-us", "cart/prod-us", "web/prod-us"] == labels(report)
    assert any(note.startswith("new/prod-us: nothing to promote") for note in report.notes)


def test_a_build_goes_to_every_app_that_uses_it(played: GroupsWorld) -> None:
    """By name and by policy: each overlay that has the image, in one commit."""
    shared = (
        b"images:\n  - name: shop/proxy\n    newTag: '1'\n  - name: shop/web\n    newTag: '1'\n"
    )
    played.repository.commit({path_of(app, "stage"): shared for app in ("api", "web")})

    report = deploy(played.session(), DeployRequest(("shop/proxy:2",), ref="release/1"))
    again = deploy(played.session(), DeployRequest(("shop/proxy:3",), to=("stage",)))
    one = deploy(played.session(), DeployRequest(("shop/proxy:4",), to=("web/stage",)))

    assert ["api/stage", "web/stage"] == labels(report) == labels(again)
    assert ["web/stage"] == labels(one)


def test_a_broken_overlay_of_another_app_stops_nothing(played: GroupsWorld) -> None:
    """It is passed over, and told; where the image could only be there, it is the error."""
    played.repository.commit({PROD_WEB: b"images: [\n"})

    report = deploy(played.session(), DeployRequest(("shop/api:1.1",), to=("production",)))

    assert ["api/prod-eu", "api/prod-us"] == labels(report)
    assert any(text.startswith("web/prod-us is passed over: ") for text in report.warnings)
    with pytest.raises(ManifestError):
        deploy(played.session(), DeployRequest(("shop/web:1.1",), to=("prod-us",)))


def test_deploy_to_a_group_goes_where_the_image_is(played: GroupsWorld) -> None:
    """Of a group it is enough that one has it; an environment that is named must have it."""
    played.repository.commit({path_of("web", "prod-eu"): None})

    report = deploy(played.session(), DeployRequest(("shop/web:1.1",), to=("production",)))

    assert ["web/prod-us"] == labels(report)
    with pytest.raises(NotFound, match="shop/web"):
        deploy(played.session(), DeployRequest(("shop/web:3",), to=PRODUCTION))
    with pytest.raises(NotFound, match="no app 'wab'"):
        deploy(played.session(), DeployRequest(("shop/web:3",), to=("production",), apps=("wab",)))
