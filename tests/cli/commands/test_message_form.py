"""`message:` of `gitops.yaml` and Git's `format.signOff`: what commits say."""

from __future__ import annotations

from gitops.core.git.message import trailers
from manifests import Manifests

FORM = 'message: {subject: "chore(deploy): {summary} [skip ci]", trailers: ["Team: shop"]}\n'


def test_every_verb_writes_in_the_form(manifests: Manifests) -> None:
    """Deploy, hold and rollback say it in the team's words; history reads them as before."""
    config = manifests.file("gitops.yaml")
    manifests.commit("A form", {"gitops.yaml": config + FORM})
    for words in (
        ["deploy", "shop/api:1.4.2", "--to", "dev"],
        ["rollback", "dev", "--yes"],
        ["resume", "dev"],
    ):
        assert manifests.gitops(*words).code == 0
        text = manifests.git("log", "-1", "--format=%B", "main")
        assert text.startswith("chore(deploy): dev: ")
        assert text.split("\n")[0].endswith(" [skip ci]")
        assert trailers(text)["Team"] == ("shop",)
        assert trailers(text)["Gitops-Action"] == (words[0],)

    releases = manifests.gitops("history", "dev", "-o", "json").json["releases"]
    assert ["rollback", "deploy"] == [one["action"] for one in releases[:2]]


def test_sign_off_as_git_is_told(manifests: Manifests) -> None:
    """With `format.signOff` the committer signs off, once."""
    variables = {
        "GITOPS_AUTHOR": "Ana <ana@example.com>",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "format.signOff",
        "GIT_CONFIG_VALUE_0": "true",
    }
    manifests.gitops("deploy", "shop/api:1.4.2", "--to", "dev", env=variables)
    found = trailers(manifests.git("log", "-1", "--format=%B", "main"))

    assert found["Signed-off-by"] == ("Ana <ana@example.com>",)
