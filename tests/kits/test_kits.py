"""The kits for CI systems: their files fit the published schemas, and their steps do the work."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from kits.runners import bare, play_action, play_component
from manifests import Manifests
from servers.git_http import GitServer

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GITOPS = str(Path(sys.executable).parent / "gitops")
TOKEN = "hunter2-planted"
SHA = "5f2c" * 10
BRANCH = {"GITHUB_REF_NAME": "main", "GITHUB_REF_TYPE": "branch", "GITHUB_SHA": SHA}
DEV = "overlays/dev/kustomization.yaml"


def published(name: str) -> Draft7Validator:
    """Return a schema as SchemaStore has it; check-jsonschema brings it along."""
    text = (files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{name}.json").read_text()
    return Draft7Validator(json.loads(text))


@pytest.fixture
def server(manifests: Manifests) -> Iterator[GitServer]:
    """The repository of the test over HTTP, for whoever has the token."""
    manifests.git("config", "http.receivepack", "true")
    with GitServer(manifests.path.parent) as running:
        running.behaviour.credentials = ("x-access-token", TOKEN)
        yield running


def inputs(server: GitServer, **more: str) -> dict[str, str]:
    """What a job gives the action."""
    given = {"image": "shop/api:1.9.0", "repo": server.repo, "token": TOKEN}
    return given | {"author": "shop CI <ci@example.com>", "gitops": GITOPS} | more


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_fit_their_schema(path: Path) -> None:
    """Each workflow is one by the published schema, with rights, limits and pinned actions."""
    told = yaml.safe_load(path.read_text())
    workflow = {"on" if name is True else name: one for name, one in told.items()}

    assert [] == [str(one.message) for one in published("github-workflows").iter_errors(workflow)]
    assert {} == workflow["permissions"]
    for job in workflow["jobs"].values():
        assert "timeout-minutes" in job
        for step in job["steps"]:
            assert "@" not in step.get("uses", "") or len(step["uses"].split("@")[1]) == 40
            assert "${{" not in step.get("run", ""), "a value that is pasted into a script is code"


def test_action_fits_its_schema() -> None:
    """action.yml is one by the published schema."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())

    assert [] == [str(one.message) for one in published("github-actions").iter_errors(action)]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "templates").glob("*.yml")), ids=lambda one: one.name
)
def test_components_fit_their_schema(path: Path) -> None:
    """The jobs of a component are jobs by GitLab's published schema; so is what it asks for."""
    head, body = path.read_text().split("\n---\n")
    validator = published("gitlab-ci")

    assert [] == [str(one.message) for one in validator.iter_errors(yaml.safe_load(head))]
    assert [] == [str(one.message) for one in validator.iter_errors(yaml.safe_load(body))]


def test_action_deploys(manifests: Manifests, server: GitServer, tmp_path: Path) -> None:
    """The action commits for the branch and the commit of the job, and tells it in every way."""
    played = play_action(ROOT, inputs(server), BRANCH, tmp_path)

    assert played.code == 0, played.said
    head = manifests.git("rev-parse", "main").strip()
    assert {"commit": head, "changed": "true", "outcome": "committed", "skipped": ""} == {
        name: played.outputs[name] for name in ("commit", "changed", "outcome", "skipped")
    }
    message = manifests.git("log", "-1", "--format=%an%n%B", "main")
    assert message.startswith("shop CI\n")
    assert f"Source-Revision: main@sha1:{SHA}" in message
    assert "gitops deploy: committed" in played.summary
    assert TOKEN not in played.said + played.summary


def test_action_for_nobody(manifests: Manifests, server: GitServer, tmp_path: Path) -> None:
    """A branch that nothing follows is unchanged; a refusal fails the job and says so."""
    manifests.gitops("hold", "dev", "--reason", "INC-42")
    feature = BRANCH | {"GITHUB_REF_NAME": "feature/x"}
    unchanged = play_action(ROOT, inputs(server), feature, tmp_path)
    (tmp_path / "again").mkdir()
    refused = play_action(ROOT, inputs(server, to="dev"), BRANCH, tmp_path / "again")

    assert (0, "false", "unchanged") == (
        unchanged.code,
        unchanged.outputs["changed"],
        unchanged.outputs["outcome"],
    )
    assert (1, "false", "refused") == (
        refused.code,
        refused.outputs["changed"],
        refused.outputs["outcome"],
    )
    assert "INC-42" in refused.summary


HOSTILE = [
    *(("image", "$(touch owned)"), ("image", "--override=x"), ("image", "*")),
    *(("ref", "`touch owned`"), ("ref", '"; touch owned; "'), ("ref", "--override=x")),
    *(("to", "$(touch owned)"), ("to", "--override=x"), ("commit", "$(touch owned)")),
]


@pytest.mark.parametrize(("name", "text"), HOSTILE)
def test_values_are_no_code(
    manifests: Manifests, server: GitServer, tmp_path: Path, name: str, text: str
) -> None:
    """Whatever a branch is called, nothing of it runs, is an option, or is written."""
    before = manifests.git("rev-parse", "main").strip()
    played = play_action(ROOT, inputs(server, **{name: text}), BRANCH, tmp_path)

    assert played.code in (1, 2, 3) or (name, played.code) == ("ref", 0), played.said
    assert before == manifests.git("rev-parse", "main").strip()
    assert [] == list(tmp_path.rglob("owned"))
    assert TOKEN not in played.said


def test_token_goes_nowhere_else(tmp_path: Path) -> None:
    """A token is refused for an address without TLS that is not this machine's."""
    given = {
        "image": "a:1",
        "repo": "http://git.example.com/m.git",
        "token": TOKEN,
        "gitops": GITOPS,
    }
    played = play_action(ROOT, given, BRANCH, tmp_path)

    assert played.code == 2
    assert "https only" in played.said
    assert TOKEN not in played.said


def test_pull_request_of_a_fork(manifests: Manifests, server: GitServer, tmp_path: Path) -> None:
    """A stranger's branch called main deploys nothing."""
    event = tmp_path / "event.json"
    head = {"repo": {"full_name": "mallory/api"}, "sha": SHA}
    base = {"repo": {"full_name": "shop/api"}}
    event.write_text(json.dumps({"pull_request": {"head": head, "base": base}}))
    job = {"GITHUB_HEAD_REF": "main", "GITHUB_REF_NAME": "7/merge", "GITHUB_EVENT_PATH": str(event)}
    played = play_action(ROOT, inputs(server), job, tmp_path)

    assert (2, "usage") == (played.code, played.outputs["outcome"])
    assert "fork" in played.summary


def kit_source(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Make the repository that a component clones, whose installer finds gitops installed.

    Return it, and where a component's absolute paths are in this test.
    """
    source, program = tmp_path / "source", tmp_path / "gitops" / "bin"
    program.mkdir(parents=True)
    (program / "gitops").symlink_to(GITOPS)
    (source / "ci").mkdir(parents=True)
    scripts = {name: (ROOT / "ci" / name).read_text() for name in ("deploy.sh", "check.sh")}
    for name, text in {**scripts, "install.sh": '#!/bin/sh\ntest -x "$1/bin/gitops"\n'}.items():
        (source / "ci" / name).write_text(text)
        (source / "ci" / name).chmod(0o755)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "kit"]):
        subprocess.run(["git", "-C", source, *words], check=True, env=bare({}))
    return source, {
        "/tmp/gitops-kit": str(tmp_path / "clone"),
        "/tmp/gitops": str(tmp_path / "gitops"),
    }


def test_component_deploys(manifests: Manifests, server: GitServer, tmp_path: Path) -> None:
    """GitLab's component clones the kit at its pin, and does the same."""
    source, moved = kit_source(tmp_path)
    job = {"CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": SHA, "MANIFESTS_TOKEN": TOKEN}
    given = {
        "image": "shop/api:1.9.0",
        "repo": server.repo,
        "source": str(source),
        "pin": "HEAD",
        "author": "shop CI <ci@example.com>",
    }
    played = play_component(ROOT / "templates" / "deploy.yml", given, job, tmp_path, moved)

    assert played.code == 0, played.said
    assert manifests.git("rev-parse", "main").strip() == played.outputs["GITOPS_COMMIT"]
    assert "true" == played.outputs["GITOPS_CHANGED"]
    assert TOKEN not in played.said


def test_component_checks(manifests: Manifests, tmp_path: Path) -> None:
    """GitLab's other component compares a merge request with its target and writes the comment; a
    push around the approval is red."""
    source, moved = kit_source(tmp_path)
    checkout = tmp_path / "checkout"
    manifests.git("clone", "-q", str(manifests.path), str(checkout))
    given = {"source": str(source), "pin": "HEAD"}
    template = ROOT / "templates" / "check.yml"
    dev = checkout / DEV
    dev.write_text(dev.read_text().replace("1.4.1", "1.5.0"))
    subprocess.run(["git", "-C", checkout, "commit", "-qam", "Raise"], check=True, env=bare({}))
    job = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_COMMIT_BEFORE_SHA": "0" * 40}
    asked = play_component(template, given, job, checkout, moved)

    shutil.rmtree(moved["/tmp/gitops-kit"])
    before = manifests.git("rev-parse", "main").strip()
    prod = manifests.file("overlays/prod/kustomization.yaml")
    manifests.commit("Sneak", {"overlays/prod/kustomization.yaml": prod.replace("1.4.0", "6.6.6")})
    for words in (["fetch", "-q"], ["reset", "-q", "--hard", "origin/main"]):
        subprocess.run(["git", "-C", checkout, *words], check=True, env=bare({}))
    job = {"CI_COMMIT_BRANCH": "main", "CI_COMMIT_BEFORE_SHA": before}
    pushed = play_component(template, given, job, checkout, moved)

    assert asked.code == 0, asked.said
    assert "1.5.0" in (checkout / "comment.md").read_text()
    assert pushed.code == 1, pushed.said
    assert "prod" in pushed.said


def test_check_script(manifests: Manifests, tmp_path: Path) -> None:
    """In the manifest repository a push around the approval fails; a harmless one passes."""
    checkout = tmp_path / "checkout"
    manifests.git("clone", "-q", str(manifests.path), str(checkout))
    harmless = subprocess.run(
        [ROOT / "ci" / "check.sh"],
        cwd=checkout,
        env=bare({"GITOPS": GITOPS, "BEFORE": "0" * 40}),
        capture_output=True,
        text=True,
    )
    prod = manifests.file("overlays/prod/kustomization.yaml")
    before = manifests.git("rev-parse", "main").strip()
    manifests.commit("Sneak", {"overlays/prod/kustomization.yaml": prod.replace("1.4.0", "6.6.6")})
    subprocess.run(["git", "-C", checkout, "pull", "-q"], check=True, env=bare({}))
    sneaked = subprocess.run(
        [ROOT / "ci" / "check.sh"],
        cwd=checkout,
        env=bare({"GITOPS": GITOPS, "BEFORE": before, "MARKS": "github"}),
        capture_output=True,
        text=True,
    )

    assert harmless.returncode == 0, harmless.stdout + harmless.stderr
    assert sneaked.returncode == 1, sneaked.stdout + sneaked.stderr
    assert "::error" in sneaked.stdout


def test_scripts_are_plain_sh() -> None:
    """The kits' scripts parse in the plainest shell that is here."""
    for path in sorted((ROOT / "ci").glob("*.sh")):
        subprocess.run(["sh", "-n", path], check=True)


def test_hooks_are_commands() -> None:
    """The hooks of pre-commit call commands that there are."""
    from gitops.cli.catalogue import VERBS

    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())

    assert {"gitops validate", "gitops check"} == {one["entry"] for one in hooks}
    assert {one["entry"].split()[1] for one in hooks} <= VERBS.keys()
