"""`hold` and `resume` of several overlays: one commit, all or nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gitops.actions.context.named import Named
from gitops.actions.hold import hold, resume
from gitops.adapters.gitrepo.cache.index import KeptIndex
from gitops.core.git.message import trailers
from gitops.errors import NotFound, Refused, UsageError
from groups_world import APPS, PRODUCTION, GroupsWorld, path_of, pinned


def held(world: GroupsWorld) -> set[str]:
    """Return the labels that have a hold of their own."""
    files = world.repository.commits[world.repository.branches["main"]].files
    found = {path for path in files if path.startswith(".gitops/holds/")}
    return {path.removeprefix(".gitops/holds/").removesuffix(".yaml") for path in found}


@pytest.mark.parametrize(
    ("words", "apps", "wanted"),
    [
        (("production",), (), [f"{app}/{name}" for name in PRODUCTION for app in APPS]),
        (("api/production",), (), ["api/prod-eu", "api/prod-us"]),
        (("prod-us",), ("api", "web"), ["api/prod-us", "web/prod-us"]),
        (("prod-us", "web/stage"), (), ["web/stage", *(f"{app}/prod-us" for app in APPS)]),
        (("prod-us", "production"), ("web",), ["web/prod-eu", "web/prod-us"]),
    ],
)
def test_what_is_named_is_held_by_one_commit(
    words: tuple[str, ...], apps: tuple[str, ...], wanted: list[str]
) -> None:
    """Each gets a hold with the release that runs there; the commit names all of them."""
    world = GroupsWorld()
    before = world.commits

    report = hold(world.session(), Named(words, apps), reason="INC-42")

    assert set(wanted) == held(world)
    assert (1, "committed") == (world.commits - before, report.outcome)
    message = world.repository.commits[report.commit or ""].info.message
    assert tuple(wanted) == trailers(message)["Gitops-Environment"]
    assert wanted == [one.overlay.label for one in report.holds if one.overlay is not None]
    assert all(one.hold.release is not None for one in report.holds)


def test_the_index_names_the_same_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many overlays its page is read: cold, moved on, and without one every hold is the same."""
    monkeypatch.setattr("gitops.actions.hold._MANY", 2)
    told = []
    for index, changes in ((None, 0), (KeptIndex(None), 0), (KeptIndex(None), 1)):
        world = GroupsWorld()
        session = replace(world.session(), index=index, dry_run=bool(changes))
        if changes:
            hold(session, Named(PRODUCTION), reason="INC-42")
        path = f"apps/{APPS[0]}/prod-eu/kustomization.yaml"
        assert world.repository.show(path) is not None
        world.repository.commit({path: b"images: [{name: shop/api, newTag: v9}]\n"})
        session = replace(session, dry_run=False)
        report = hold(session, Named(PRODUCTION), reason="INC-42")
        told.append([(one.overlay, one.hold) for one in report.holds])
    assert told[0] == told[1] == told[2]
    assert told[0]


def test_one_that_is_held_already_refuses_all() -> None:
    """Nothing is held by half; who holds it is told, and how the others are held."""
    world = GroupsWorld()
    hold(world.session(), Named(("web/prod-us",)), reason="INC-1")

    with pytest.raises(Refused, match="web/prod-us of these are already held") as error:
        hold(world.session(), Named(("prod-us",)), reason="INC-2")

    assert ("web/prod-us is held by Ana: INC-1",) == error.value.reasons
    assert "`gitops hold api/prod-us cart/prod-us --reason TEXT`" in (error.value.hint or "")
    assert {"web/prod-us"} == held(world)


def test_resume_lifts_what_is_held_of_a_group() -> None:
    """By one commit; what was not held is told, and the hold of another environment stays."""
    world = GroupsWorld()
    hold(world.session(), Named(("production",), ("api", "cart")), reason="INC-1")
    hold(world.session(), Named(("web/stage",)), reason="INC-2")
    before = world.commits

    report = resume(world.session(), Named(("production",)))
    again = resume(world.session(), Named(("production",)))

    assert {"web/stage"} == held(world)
    assert (1, "committed") == (world.commits - before, report.outcome)
    assert "api/prod-eu was held by Ana: INC-1" in report.notes
    assert "web/prod-us is not held" in report.notes
    assert "unchanged" == again.outcome


def test_many_are_told_in_one_line() -> None:
    """Of hundreds nobody reads each; a command to type names a few overlays, or none of them."""
    world = GroupsWorld()
    more = [f"app-{number}" for number in range(20)]
    world.repository.commit({path_of(app, "prod-us"): pinned(app, "1.0") for app in more})
    hold(world.session(), Named(("prod-us",), ("api",)), reason="INC-1")
    with pytest.raises(Refused) as error:
        hold(world.session(), Named(("prod-us",)), reason="INC-2")
    several = resume(world.session(), Named(("prod-us",)))
    hold(world.session(), Named(("prod-us",)), reason="INC-3")
    all_of_them = resume(world.session(), Named(("prod-us",)))

    assert "`gitops resume api/prod-us` lifts it; then the same again holds all" == error.value.hint
    assert "api/prod-us was held by Ana: INC-1" in several.notes
    assert "app-0/prod-us, app-1/prod-us and 20 more are not held" in several.notes
    assert "api/prod-us, app-0/prod-us and 21 more were held by Ana: INC-3" == all_of_them.notes[0]


def test_what_is_not_there_is_refused_whole() -> None:
    """A misspelled app or group holds nothing; of a group it is enough that one has the app."""
    world = GroupsWorld()
    world.repository.commit({"apps/api/prod-eu/kustomization.yaml": None})

    for words, apps, error, match in (
        (("prod",), (), NotFound, "there are stage, prod-eu, prod-us, production"),
        (("production",), ("apo",), NotFound, "no app 'apo' in any of prod-eu, prod-us"),
        (("prod-eu",), ("api",), NotFound, "no app 'api' in environment prod-eu"),
        (("../prod-eu",), (), NotFound, "no app '..' in environment prod-eu"),
        (("api/production",), ("api",), UsageError, "leave out --app"),
    ):
        with pytest.raises(error, match=match):
            hold(world.session(), Named(words, apps), reason="INC-1")
    assert not held(world)

    hold(world.session(), Named(("api/production",)), reason="INC-1")
    assert {"api/prod-us"} == held(world)
