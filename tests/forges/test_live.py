"""Real services are reached as they would be, shown on the Gitea that is at hand."""

from __future__ import annotations

from pathlib import Path

from forges.live import PREFIX, live_world, named
from gitops.ports import Merged, PullText
from servers.gitea import GiteaServer


def test_a_named_repository_is_a_world(gitea: GiteaServer, tmp_path: Path) -> None:
    """With a repository and three tokens the contract can run; each test has its own branches."""
    repository = gitea.new_repository("ana", writers=("ben", "ci"), empty=False)
    environ = {
        f"{PREFIX}GITEA": repository,
        f"{PREFIX}GITEA_URL": gitea.url,
        f"{PREFIX}GITEA_TOKEN": gitea.users["ci"].token,
        f"{PREFIX}GITEA_OWNER_TOKEN": gitea.users["ana"].token,
        f"{PREFIX}GITEA_SECOND_TOKEN": gitea.users["ben"].token,
    }
    with live_world("gitea", environ, tmp_path) as world:
        world.people.require(world.base, 1, ())
        world.propose()
        pull = world.forge.open(world.branch, world.base, PullText("prod: api 1 -> 2", "text"))
        world.people.approve(pull.number)
        answer = world.forge.merge(pull.number, pull.head, "merge", "Merge", "text")

        assert isinstance(answer, Merged)
        assert answer.commit == world.hands.head(world.base)
        assert world.base.startswith("gitops-test/")
        assert ("ci", "ben") == (world.bot, world.second)


def test_nobody_is_asked_unless_named() -> None:
    """Without variables there are no real services, and with one only that one."""
    assert () == named({})
    assert ("gitlab",) == named({f"{PREFIX}GITLAB": "shop/m", f"{PREFIX}GITHUB": ""})
