"""`gitops doctor`: what is missing is named with the way to get it; nothing secret is told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gitops.adapters.local.machine import LocalMachine
from gitops.core.text.extras import EXTRAS
from manifests import Manifests
from servers.git_http import GitServer

SECRET = "hunter2-planted"


def states(document: dict[str, object]) -> dict[str, str]:
    """Return the state of each thing that was looked at."""
    checks = document["checks"]
    assert isinstance(checks, list)
    return {one["name"]: one["state"] for one in checks}


def test_nothing_is_missing(manifests: Manifests) -> None:
    """On the sample all is well without cluster, forge and registry: exit 0, in text and JSON."""
    said = manifests.gitops("doctor")
    told = manifests.gitops("doctor", "-o", "json")

    assert (0, 0) == (said.code, told.code), said.out
    assert "nothing is missing" in said.out
    found = states(told.json)
    assert {"ok"} == {found[name] for name in ("Python", "Git", "repository", "rights", "author")}
    assert "optional" == found["cluster"]
    assert told.json["missing"] == 0


def test_no_git(manifests: Manifests, tmp_path: Path) -> None:
    """Without git nothing else is tried, and the way to it is told."""
    said = manifests.gitops("doctor", env={"PATH": str(tmp_path)})

    assert said.code == 3
    assert "install Git 2.30" in said.out
    assert "repository" not in said.out
    assert "error: 1 thing missing: Git" in said.err


def test_no_repository(tmp_path: Path, manifests: Manifests) -> None:
    """A folder that is no repository is a finding, with the option that names another one."""
    said = manifests.gitops("doctor", repo=str(tmp_path))

    assert said.code == 3
    assert "no  repository" in said.out


def test_token_that_may_not_push(manifests: Manifests) -> None:
    """Reading works, a push is refused: rights are missing, nothing is pushed, no secret told."""
    manifests.git("config", "http.receivepack", "false")
    before = manifests.git("for-each-ref")
    with GitServer(manifests.path.parent) as server:
        address = server.repo.replace("http://", f"http://ci:{SECRET}@")
        said = manifests.gitops("doctor", "-o", "json", repo=address)
        text = manifests.gitops("doctor", repo=address)
        manifests.git("config", "http.receivepack", "true")
        allowed = manifests.gitops("doctor", "-o", "json", repo=address)

    assert (3, 3, 0) == (said.code, text.code, allowed.code), allowed.out
    found = states(said.json)
    assert ("ok", "missing") == (found["repository"], found["rights"])
    assert "ok" == states(allowed.json)["rights"]
    assert "ok" == states(allowed.json)["clock"]
    assert before == manifests.git("for-each-ref")
    assert SECRET not in said.out + said.err + text.out + text.err + allowed.out


def test_wanted_things(manifests: Manifests) -> None:
    """A registry without a login and a cluster without a context are told where they are wanted."""
    config = manifests.file("gitops.yaml")
    more = "registries: {hosts: [registry.example.com]}\nclusters: [{context: nowhere}]\n"
    manifests.commit("Want more", {"gitops.yaml": f"{config}\n{more}"})
    said = manifests.gitops("doctor", "-o", "json", env={"DOCKER_AUTH_CONFIG": f'"{SECRET}"'})

    assert said.code == 3
    found = states(said.json)
    assert ("optional", "missing") == (found["registry"], found["cluster"])
    assert SECRET not in said.out + said.err


def test_config_that_is_wrong(manifests: Manifests) -> None:
    """A `gitops.yaml` that does not parse is one finding, with the place."""
    manifests.commit("Break", {"gitops.yaml": "apiVersion: gitops/v1\nkind: Config\nno: 1\n"})
    said = manifests.gitops("doctor", "-o", "json")

    (one,) = [one for one in said.json["checks"] if one["name"] == "repository"]
    assert (3, "missing") == (said.code, one["state"])
    assert "gitops.yaml" in one["found"]


@pytest.mark.parametrize(("shift", "wrong"), [(0, False), (3600, True), (-7200, True)])
def test_clock(shift: int, wrong: bool, tmp_path: Path) -> None:
    """The clock is compared with the server's Date."""
    machine = LocalMachine({}, lambda: time.time() + shift)
    with GitServer(tmp_path) as server:
        ahead = machine.clock_ahead(server.repo)

    assert ahead is not None
    assert wrong == (abs(ahead) > 60)
    assert abs(ahead - shift) < 5


def test_nobody_tells_the_time() -> None:
    """Where no server answers with a date, or it is asked over SSH, nothing is said."""
    machine = LocalMachine({})

    assert machine.clock_ahead("ssh://git.example.com/shop") is None
    assert machine.clock_ahead("http://127.0.0.1:9/shop") is None


def test_extras_are_those_of_the_project() -> None:
    """Every extra of pyproject.toml has a module and a purpose."""
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]

    assert {*EXTRAS} == {*project["optional-dependencies"]} - {"test"}


CI_JOBS = {
    "GitHub": {"GITHUB_REF_NAME": "main", "GITHUB_REF_TYPE": "branch", "GITHUB_SHA": "5f2c" * 10},
    "GitLab": {"CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": "5f2c" * 10},
    "Jenkins": {"BRANCH_NAME": "main", "GIT_BRANCH": "main", "GIT_COMMIT": "5f2c" * 10},
    "Buildkite": {"BUILDKITE_BRANCH": "main", "BUILDKITE_COMMIT": "5f2c" * 10},
    "CircleCI": {"CIRCLE_BRANCH": "main", "CIRCLE_SHA1": "5f2c" * 10},
    "Azure Pipelines": {
        **{"BUILD_SOURCEBRANCH": "refs/heads/main", "BUILD_SOURCEVERSION": "5f2c" * 10}
    },
    "Bitbucket": {"BITBUCKET_BRANCH": "main", "BITBUCKET_COMMIT": "5f2c" * 10},
    "Drone": {"DRONE_BRANCH": "main", "DRONE_COMMIT_SHA": "5f2c" * 10},
    "Woodpecker": {"CI": "woodpecker", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": "5f2c" * 10},
    "GITOPS_REF": {"GITOPS_REF": "main", "GITOPS_SOURCE_COMMIT": "5f2c" * 10},
}


@pytest.mark.parametrize("system", CI_JOBS)
def test_ci_job(manifests: Manifests, system: str) -> None:
    """In a job of each system it is told what is built, and what `--ref auto` would deploy to."""
    told = manifests.gitops("doctor", "-o", "json", env=CI_JOBS[system])

    (row,) = [one for one in told.json["checks"] if one["name"] == "CI job"]
    assert told.code == 0
    assert ("ok", f"{system} builds main at 5f2c5f2: --ref auto deploys to dev, test") == (
        row["state"],
        row["found"],
    )


def test_ci_job_that_deploys_nothing(manifests: Manifests) -> None:
    """Nobody's branch, a tag and a fork are told before a job stumbles; none is an error here."""
    feature = {"GITHUB_REF_NAME": "feature/x", "GITHUB_REF_TYPE": "branch"}
    tag = {"GITHUB_REF_NAME": "v1", "GITHUB_REF_TYPE": "tag"}
    fork = {"CHANGE_BRANCH": "main", "CHANGE_FORK": "mallory"}
    said = [manifests.gitops("doctor", env=env) for env in (feature, tag, fork)]

    assert [0, 0, 0] == [one.code for one in said]
    assert "builds feature/x: --ref auto deploys to no environment" in said[0].out
    assert "builds the tag v1, and environments follow branches" in said[1].out
    assert "--ref release/1.4" in said[1].out
    assert "--ref auto is refused: Jenkins builds a pull request of a fork" in said[2].out
    assert "CI job" not in manifests.gitops("doctor").out
