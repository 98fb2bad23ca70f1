"""`qa` of several environments and apps: the word is on the release of each."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gitops.actions.context.named import Named
from gitops.actions.history import history
from gitops.actions.qa import QaPreview, QaRequest, qa
from gitops.errors import NotFound, Refused
from groups_world import APPS, GroupsWorld

STAGE = Named(("stage",))


def words(world: GroupsWorld) -> dict[str, list[str]]:
    """Return app -> the verdicts on the newest release of stage."""
    found = {}
    for app in APPS:
        report = history(world.session(), "stage", app=app)
        newest = report.releases[0].commit
        found[app] = [word.verdict for word in report.words.get(newest, ())]
    return found


def test_every_app_gets_the_word() -> None:
    """Asked once about the newest release of each; said again it stands already."""
    world = GroupsWorld()
    world.ship("1.1", "stage")
    asked: list[Sequence[QaPreview]] = []

    def confirm(previews: Sequence[QaPreview]) -> bool:
        asked.append(previews)
        return True

    report = qa(world.session(), QaRequest(STAGE, "qa-passed"), confirm=confirm)
    again = qa(world.session(), QaRequest(STAGE, "qa-passed", "newest"))

    assert {app: ["qa-passed"] for app in APPS} == words(world)
    assert ([3], "committed", "unchanged") == (
        [len(one) for one in asked],
        report.outcome,
        again.outcome,
    )


def test_a_release_is_of_the_apps_that_had_it() -> None:
    """The others are told, and get no word; one that nobody had is an error."""
    world = GroupsWorld()
    landed = world.ship("1.1", "stage", apps=("api", "web"))

    report = qa(world.session(), QaRequest(STAGE, "qa-passed", landed))

    assert {"api": ["qa-passed"], "cart": [], "web": ["qa-passed"]} == words(world)
    assert any(note.startswith("cart/stage: ") for note in report.notes)
    with pytest.raises(NotFound):
        qa(world.session(), QaRequest(STAGE, "qa-passed", "f" * 40))


def test_what_is_expected_is_looked_for_in_all() -> None:
    """Nothing is recorded unless each image is what was tested, wherever it is."""
    world = GroupsWorld()
    world.ship("1.1", "stage", apps=("api",))

    with pytest.raises(Refused, match=r"web/stage: shop/web is 1\.0, not 1\.1"):
        qa(
            world.session(),
            QaRequest(STAGE, "qa-passed", "newest", expect=("shop/api:1.1", "shop/web:1.1")),
        )
    assert {app: [] for app in APPS} == words(world)
    qa(
        world.session(),
        QaRequest(STAGE, "qa-passed", "newest", expect=("shop/api:1.1", "shop/web:1.0")),
    )
    assert {app: ["qa-passed"] for app in APPS} == words(world)
