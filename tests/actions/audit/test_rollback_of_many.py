"""`check` and a commit that says it is a rollback of several overlays: it must be one of each."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gitops.actions.check import check
from gitops.actions.context.named import Named
from gitops.actions.releases.rollback_plan import RollbackRequest
from gitops.actions.rollback import rollback
from gitops.actions.undo import UndoRequest, undo
from gitops.core.audit.findings import CheckReport
from groups_world import PRODUCTION, GroupsWorld, path_of, pinned

PATH = path_of("web", "prod-us")


@pytest.fixture
def played() -> GroupsWorld:
    """Protected prods went from 1.0 to 1.1, one app of one of them to 1.2, and all went back."""
    world = GroupsWorld(", change: pull-request")
    world.ship("1.1", *PRODUCTION)
    world.ship("1.2", "prod-us", apps=("api",))
    rollback(world.session(), RollbackRequest(Named(("production",)), reason="INC-42"))
    return world


def again(
    world: GroupsWorld, files: Mapping[str, bytes | None], message: str | None = None
) -> None:
    """Make the newest commit anew with more in it, as somebody would who pretends."""
    newest = world.repository.commits[world.repository.branches["main"]]
    parent = newest.info.parents[0]
    before = world.repository.commits[parent].files
    changed = {
        path: content for path, content in newest.files.items() if before.get(path) != content
    }
    world.repository.commit(
        {**changed, **files}, message or newest.info.message, parents=newest.info.parents
    )


def said(world: GroupsWorld) -> str:
    """Return the message of the newest commit."""
    return world.repository.commits[world.repository.branches["main"]].info.message


def words(report: CheckReport) -> str:
    """Return what is wrong, as one text."""
    return "\n".join(f"{one.path}: {one.message}" for one in report.errors)


def test_a_right_one_needs_no_word(played: GroupsWorld) -> None:
    """Neither does its undo."""
    report = check(played.session(), None)
    undo(played.session(), UndoRequest(Named(("production",))))
    undone = check(played.session(), None)

    assert ((), ["rollback"]) == (report.findings, [one.standing for one in report.commits])
    assert ((), ["rollback"]) == (undone.findings, [one.standing for one in undone.commits])


def test_its_holds_tell_what_a_squash_drops(played: GroupsWorld) -> None:
    """Without trailers the holds say of each overlay what it restores."""
    again(played, {}, "squashed\n")

    report = check(played.session(), None)

    assert ((), ["rollback"]) == (report.findings, [one.standing for one in report.commits])


@pytest.mark.parametrize(
    ("files", "old", "new", "path", "match"),
    [
        ({PATH: pinned("web", "6.6")}, "", "", PATH, "does not have shop/web 6.6"),
        (
            {PATH: pinned("web", "1.0") + b"namePrefix: x-\n"},
            "",
            "",
            PATH,
            "more than image values",
        ),
        (
            {},
            "Gitops-Environment: web/prod-us\n",
            "",
            PATH,
            "changes its image values and writes its hold, nothing else",
        ),
        (
            {path_of("web", "stage"): pinned("web", "6.6")},
            "",
            "",
            path_of("web", "stage"),
            "nothing else",
        ),
        (
            {},
            "Gitops-Environment: web/prod-us\n",
            "Gitops-Environment: web/prod-us\nGitops-Environment: web/stage\n",
            path_of("web", "stage"),
            "it restores nothing",
        ),
        (
            {},
            "Gitops-Environment: web/prod-us\n",
            "Gitops-Environment: web/prod-us\nGitops-Environment: web/prod\n",
            None,
            "web/prod, which it names, is no environment here",
        ),
        ({".gitops/holds/web/stage.yaml": b"by: x\nreason: y\n"}, "", "", None, ""),
    ],
)
def test_a_claim_smuggled_in_is_reported(
    played: GroupsWorld,
    files: Mapping[str, bytes | None],
    old: str,
    new: str,
    path: str | None,
    match: str,
) -> None:
    """Of a value, a line, an overlay that it does not name, or one that it only names."""
    assert old in said(played)
    again(played, files, said(played).replace(old, new) if old else None)

    report = check(played.session(), None)

    assert match in words(report)
    assert report.errors
    assert path is None or path in {one.path for one in report.errors}
    assert "rollback" not in {one.standing for one in report.commits}


def test_the_release_of_another_overlay_proves_nothing(played: GroupsWorld) -> None:
    """What it says of one overlay is looked for in that overlay's own history."""
    message = said(played)
    lines = [line for line in message.splitlines() if line.startswith("Gitops-Restores: ")]
    commits = {line.split()[1]: line.split()[2] for line in lines}
    assert 6 == len(commits)
    mine = f"Gitops-Restores: web/prod-us {commits['web/prod-us']}"
    other = f"Gitops-Restores: web/prod-us {commits['api/prod-us']}"
    again(played, {}, message.replace(mine, other))

    report = check(played.session(), None)

    assert PATH in {one.path for one in report.errors}
