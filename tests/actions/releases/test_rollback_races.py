"""A rollback that loses the race for the branch: what it chose stays, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from argo_world import ArgoWorld
from gitops.actions.context.named import Named
from gitops.actions.releases.rollback_plan import RollbackRequest
from gitops.actions.rollback import rollback
from gitops.actions.undo import UndoRequest, undo
from gitops.core.git.commit import Identity
from gitops.core.report import WriteReport
from gitops.errors import Refused
from gitops.ports import Lost, RefUpdate

BEN = Identity("Ben", "ben@example.com")


def back(world: ArgoWorld, *, who: Identity | None = None, bad: str | None = None) -> WriteReport:
    """Roll dev back."""
    session = world.session(who, intent="other") if who is not None else world.session()
    return rollback(session, RollbackRequest(Named(("dev",)), bad=bad, reason="INC-1"))


def meanwhile(world: ArgoWorld, happens: Callable[[], object]) -> None:
    """Let something land right before the next push."""
    push = world.repository.push

    def late(updates: Sequence[RefUpdate]) -> Lost | None:
        world.repository.push = push  # type: ignore[method-assign]
        happens()
        return push(updates)

    world.repository.push = late  # type: ignore[method-assign]


@pytest.fixture
def played() -> ArgoWorld:
    """Dev went from 1.0 to 1.1 and to 1.2."""
    world = ArgoWorld()
    world.push("1.1")
    world.push("1.2")
    return world


def test_two_at_once_make_one_commit(played: ArgoWorld) -> None:
    """Both chose the same release: the second finds it there, and writes not even a hold."""
    meanwhile(played, lambda: back(played, who=BEN))

    report = back(played)

    head = played.repository.branches["main"]
    assert ("unchanged", None) == (report.outcome, report.commit)
    assert "is what already runs" in report.notes[0]
    assert any(note.startswith("landed meanwhile and is taken") for note in report.notes)
    assert b"Ben" in played.repository.commits[head].files[".gitops/holds/dev.yaml"]


def test_what_was_chosen_is_restored_whatever_lands(played: ArgoWorld) -> None:
    """A deploy that wins the race is taken back too, and that is said."""
    meanwhile(played, lambda: played.push("1.3"))

    report = back(played)

    (change,) = report.changes
    assert ("committed", "1.3", "1.1") == (
        report.outcome,
        change.change.before.tag,
        change.change.after.tag,
    )
    assert any("landed meanwhile and is taken back too" in note for note in report.notes)


def test_a_bad_release_is_looked_at_again(played: ArgoWorld) -> None:
    """With `--bad` a deploy that wins the race is not touched: refused, nothing is written."""
    bad = played.repository.branches["main"]
    meanwhile(played, lambda: played.push("1.3"))

    with pytest.raises(Refused, match="does not run"):
        back(played, bad=bad)

    head = played.repository.commits[played.repository.branches["main"]]
    assert head.info.message == "dev 1.3\n"


def test_an_undo_does_not_undo_under_a_newer_release(played: ArgoWorld) -> None:
    """What lands while the undo is pushed stays, and it is named."""
    back(played)
    meanwhile(played, lambda: played.push("1.3"))

    with pytest.raises(Refused, match="landed since"):
        undo(played.session(intent="undo"), UndoRequest(Named(("dev",))))


def test_two_undos_at_once_undo_one(played: ArgoWorld) -> None:
    """The second is told that it was undone already; an older rollback stays."""
    back(played)
    back(played, who=BEN)
    meanwhile(
        played, lambda: undo(played.session(BEN, intent="undo-1"), UndoRequest(Named(("dev",))))
    )

    report = undo(played.session(intent="undo-2"), UndoRequest(Named(("dev",))))

    assert "unchanged" == report.outcome
    assert "was undone already" in report.notes[0]
