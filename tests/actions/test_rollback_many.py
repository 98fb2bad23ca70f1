"""`rollback` of several overlays: one commit, each with its own release, all or nothing."""

from __future__ import annotations

import pytest

from gitops.actions.context.named import Named
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.rollback_plan import RollbackRequest
from gitops.actions.rollback import Preview, rollback
from gitops.actions.undo import UndoRequest, undo
from gitops.core.git.message import trailers
from gitops.core.hold import parse_hold
from gitops.errors import NotFound, Refused
from groups_world import APPS, BEN, PRODUCTION, GroupsWorld, path_of, pinned

GROUP = Named(("production",))


@pytest.fixture
def played() -> GroupsWorld:
    """Both prods went from 1.0 to 1.1 at once, and the api of prod-us to 1.2 by itself."""
    world = GroupsWorld()
    world.ship("1.1", *PRODUCTION)
    world.ship("1.2", "prod-us", apps=("api",))
    return world


def tags(world: GroupsWorld) -> set[tuple[str, str]]:
    """Return what runs in production, and where it is not the same everywhere."""
    return {(app, world.tag(app, name)) for app in APPS for name in PRODUCTION}


def test_a_group_goes_back_by_one_commit(played: GroupsWorld) -> None:
    """Each overlay to the release before its own newest one, held, and asked about once."""
    before = played.commits
    asked: list[Preview] = []

    def confirm(preview: Preview) -> bool:
        asked.append(preview)
        return True

    request = RollbackRequest(GROUP, reason="INC-42")
    report = rollback(played.session(), request, confirm=confirm)

    assert (1, "committed", 1) == (played.commits - before, report.outcome, len(asked))
    assert ["1.1", *["1.0"] * 5] == [
        played.tag("api", "prod-us"),
        *(played.tag(app, "prod-eu") for app in APPS),
        *(played.tag(app, "prod-us") for app in ("cart", "web")),
    ]
    assert 6 == len(report.holds)
    for held in report.holds:
        assert held.overlay is not None
        path = f".gitops/holds/{held.overlay.label}.yaml"
        content = played.repository.show(path)
        assert content is not None
        assert (held.hold.restores, "INC-42") == (
            parse_hold(content, path).restores,
            held.hold.reason,
        )


def test_the_message_says_what_each_restores(played: GroupsWorld) -> None:
    """One trailer for all where they agree, else one for each; history reads its own."""
    report = rollback(played.session(), RollbackRequest(GROUP))
    said = trailers(played.repository.commits[report.commit or ""].info.message)

    restored = {one.overlay.label: one.hold.restores for one in report.holds if one.overlay}
    assert sorted(f"{label} {commit}" for label, commit in restored.items()) == sorted(
        said["Gitops-Restores"]
    )
    for held in report.holds:
        assert held.overlay is not None
        newest = newest_of(played, held.overlay.label)
        assert (report.commit, "rollback", restored[held.overlay.label]) == (
            newest.commit,
            newest.action,
            newest.restores,
        )

    request = RollbackRequest(Named(("cart/production",)), to="1.1", override="x")
    again = rollback(played.session(), request)
    shared = trailers(played.repository.commits[again.commit or ""].info.message)
    assert 1 == len(shared["Gitops-Restores"])
    assert newest_of(played, "cart/prod-us").restores == shared["Gitops-Restores"][0]


def newest_of(world: GroupsWorld, label: str):  # type: ignore[no-untyped-def]
    """Return the newest release of an overlay."""
    from gitops.actions.context.named import find_overlay
    from gitops.actions.context.policy_branch import open_tip
    from gitops.actions.context.view import view_of

    session = world.session()
    tip = open_tip(session)
    return next(releases_of(view_of(session, tip, find_overlay(tip, label))))


def test_one_that_cannot_go_back_keeps_all(played: GroupsWorld) -> None:
    """All reasons are told, with the command that rolls back the others; nothing is written."""
    played.repository.commit({path_of("web", "prod-us"): b"images: [\n"})
    before = played.commits

    with pytest.raises(Refused, match="nothing was rolled back: web/prod-us cannot be") as error:
        rollback(played.session(), RollbackRequest(GROUP))

    assert before == played.commits
    assert error.value.reasons[0].startswith("web/prod-us: ")
    assert "`gitops rollback api/prod-eu" in (error.value.hint or "")
    assert "web/prod-us" not in (error.value.hint or "")


def test_an_app_with_one_release_stays(played: GroupsWorld) -> None:
    """It has nothing to go back to, and does not keep the others from going."""
    played.repository.commit({path_of("new", "prod-us"): pinned("new", "1.0")})

    report = rollback(played.session(), RollbackRequest(Named(("prod-us",))))

    assert "new/prod-us: it has had one release only, and stays" in report.notes
    assert ("committed", 3) == (report.outcome, len(report.changes))


def test_bad_takes_back_where_it_runs(played: GroupsWorld) -> None:
    """What it never reached stays; where something newer runs, nothing is done at all."""
    bad = played.ship("1.3", "prod-eu")

    report = rollback(played.session(), RollbackRequest(GROUP, bad=bad))
    again = rollback(played.session(), RollbackRequest(GROUP, bad=bad))

    assert {"prod-eu"} == {
        change.overlay.environment.name for change in report.changes if change.overlay
    }
    assert ("unchanged", "1.1") == (again.outcome, played.tag("api", "prod-eu"))
    other = played.ship("1.4", *PRODUCTION)
    played.ship("1.5", "prod-eu", apps=("web",))
    with pytest.raises(Refused, match="web/prod-eu cannot be"):
        rollback(played.session(), RollbackRequest(GROUP, bad=other))
    with pytest.raises(NotFound):
        rollback(played.session(), RollbackRequest(GROUP, bad="0" * 40))


def test_an_image_names_the_apps(played: GroupsWorld) -> None:
    """Of all apps those go back that have it; one that nobody has is an error."""
    report = rollback(played.session(), RollbackRequest(GROUP, images=("shop/web",)))

    assert ["web/prod-eu", "web/prod-us"] == [
        change.overlay.label for change in report.changes if change.overlay
    ]
    with pytest.raises(NotFound, match="shop/wab"):
        rollback(played.session(), RollbackRequest(GROUP, images=("shop/wab",)))


def test_a_lost_race_restores_what_was_chosen(played: GroupsWorld) -> None:
    """Whatever landed in one of them meanwhile is taken back too, and that is said."""
    push = played.repository.push

    def late(updates):  # type: ignore[no-untyped-def]
        played.repository.push = push  # type: ignore[method-assign]
        played.ship("1.9", "prod-eu", apps=("web",))
        return push(updates)

    played.repository.push = late  # type: ignore[method-assign]
    report = rollback(played.session(BEN), RollbackRequest(GROUP))

    assert ("committed", "1.0") == (report.outcome, played.tag("web", "prod-eu"))
    assert any(
        note.startswith("web/prod-eu: landed meanwhile and is taken back too")
        for note in report.notes
    )


def test_what_was_chosen_outlives_its_row(played: GroupsWorld) -> None:
    """A row of gitops.yaml that changes meanwhile makes no other choice, of none of the calls."""
    push = played.repository.push

    def late(updates):  # type: ignore[no-untyped-def]
        played.repository.push = push  # type: ignore[method-assign]
        config = played.repository.show("gitops.yaml") or b""
        played.repository.commit({"gitops.yaml": b"# words\n" + config}, "words\n")
        played.ship("1.9", "prod-eu", apps=("web",))
        return push(updates)

    played.repository.push = late  # type: ignore[method-assign]
    report = rollback(played.session(BEN), RollbackRequest(GROUP))

    assert ("committed", "1.0") == (report.outcome, played.tag("web", "prod-eu"))

    played.repository.push = late  # type: ignore[method-assign]
    played.ship = lambda *_, **__: ""  # type: ignore[method-assign]
    assert "committed" == undo(played.session(BEN), UndoRequest(GROUP)).outcome


def test_a_dry_run_shows_all_and_writes_nothing(played: GroupsWorld) -> None:
    """The same plan, the files of all overlays in it."""
    before = played.commits
    report = rollback(played.session(dry_run=True), RollbackRequest(GROUP))

    assert ("planned", before, 12) == (report.outcome, played.commits, len(report.diffs))


def test_undo_takes_back_what_one_call_did(played: GroupsWorld) -> None:
    """Images and holds are as they were before it, by one commit; an older rollback stays."""
    played.ship("1.1", "stage")
    rollback(played.session(), RollbackRequest(Named(("web/stage",)), reason="INC-1"))
    was = {(app, name): played.tag(app, name) for app in APPS for name in PRODUCTION}
    rollback(played.session(), RollbackRequest(GROUP, reason="INC-2"))
    before = played.commits

    every = Named(("stage", "production"))
    report = undo(played.session(), UndoRequest(every))

    assert (1, "committed") == (played.commits - before, report.outcome)
    assert was == {(app, name): played.tag(app, name) for app in APPS for name in PRODUCTION}
    assert {"web/stage"} == held(played)
    assert "1.0" == played.tag("web", "stage")
    assert any("web/stage: no part of that rollback: it stays" in one for one in report.notes) or (
        any("and 1 more: no part" in one or "no part of that" in one for one in report.notes)
    )
    again = undo(played.session(), UndoRequest(GROUP))
    assert "unchanged" == again.outcome
    assert all("was undone already" in note for note in again.notes)


def held(world: GroupsWorld) -> set[str]:
    """Return the labels that have a hold of their own."""
    files = world.repository.commits[world.repository.branches["main"]].files
    found = {path for path in files if path.startswith(".gitops/holds/")}
    return {path.removeprefix(".gitops/holds/").removesuffix(".yaml") for path in found}


def test_undo_does_nothing_where_something_landed_since(played: GroupsWorld) -> None:
    """In one of them: all stays as it is, and what landed is named."""
    rollback(played.session(), RollbackRequest(GROUP))
    played.ship("1.9", "prod-eu", apps=("cart",))
    before = played.commits

    with pytest.raises(Refused, match="nothing was undone: cart/prod-eu cannot be") as error:
        undo(played.session(), UndoRequest(GROUP))

    assert before == played.commits
    assert "landed since" in error.value.reasons[0]
    part = undo(played.session(), UndoRequest(Named(("prod-us",))))
    assert ("committed", "1.1") == (part.outcome, played.tag("web", "prod-us"))


def test_undo_names_what_runs_where_there_is_no_rollback(played: GroupsWorld) -> None:
    """Nothing is guessed."""
    with pytest.raises(Refused, match="none of these runs a rollback") as error:
        undo(played.session(), UndoRequest(GROUP))

    assert 6 == len(error.value.reasons)
