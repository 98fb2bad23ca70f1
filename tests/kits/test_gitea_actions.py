"""The composite action in a workflow that a real Gitea starts and the engine of its runner runs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from kits.runners import bare
from manifests import ROOT, Manifests
from servers.actions import ActionsRunner, Job
from servers.gitea import GiteaServer
from servers.lanes import absent, leave_out
from servers.registry import DockerRegistry

DEV = "overlays/dev/kustomization.yaml"
GITOPS = str(Path(sys.executable).parent / "gitops")

# What docs/how-to/bump-from-ci.md shows, in one job; a stand-in builds and pushes the image.
WORKFLOW = """\
name: deliver
on: {{push: {{branches: ["**"]}}}}
jobs:
  deploy:
    runs-on: host
    steps:
      - id: build
        env: {{PYTHON: "${{{{ vars.PYTHON }}}}", PYTHONPATH: "${{{{ vars.TESTS }}}}"}}
        run: |
          git clone -q "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" app
          git -C app checkout -q "$GITHUB_SHA"
          "$PYTHON" app/build.py "${{GITHUB_SHA}}" >>"$GITHUB_OUTPUT"
      - id: gitops
        uses: {kit}
        with:
          image: shop/api=${{{{ steps.build.outputs.image }}}}
          repo: {manifests}
          token: ${{{{ secrets.MANIFESTS_TOKEN }}}}
          author: shop CI <ci@example.com>
          gitops: ${{{{ vars.GITOPS }}}}
      - if: steps.gitops.outputs.changed == 'true'
        env: {{COMMIT: "${{{{ steps.gitops.outputs.commit }}}}"}}
        run: echo "landed as $COMMIT"
"""

BUILD = """\
import sys
from gitops.core.images.name import ImageName
from images import HttpShelf, push_index
name = ImageName("{host}", "{path}")
pushed = push_index(HttpShelf(name.host), name, "2.0.0", salt=sys.argv[1])
print(f"image={{name}}:2.0.0@{{pushed.digest}}")
"""


@dataclass(frozen=True)
class Shop:
    """An application and its manifests on one server, and the kit beside them."""

    server: GiteaServer
    manifests: Manifests
    manifest_url: str
    app: str
    checkout: Path
    runner: ActionsRunner
    image: str

    def push(self, branch: str, build: str = BUILD) -> str:
        """Push a commit of the application, which is built so; return it."""
        host, path = self.image.split("/", 1)
        (self.checkout / "build.py").write_text(build.format(host=host, path=path))
        _git(self.checkout, "commit", "-q", "--allow-empty", "-am", f"Work on {branch}")
        _git(self.checkout, "push", "-q", "origin", f"HEAD:{branch}")
        return _git(self.checkout, "rev-parse", "HEAD")

    def next_job(self) -> Job:
        """Run the job that the push started; no token is in its log."""
        job = self.runner.run_next({})
        assert self.server.users["ci"].token not in job.log
        return job

    def head(self, form: str = "%H") -> str:
        """Return what `git log` says of the last commit of the manifests."""
        self.manifests.git("fetch", "-q", self.manifest_url, "main")
        return self.manifests.git("log", "-1", f"--format={form}", "FETCH_HEAD").strip()

    def conclusion(self, commit: str) -> str:
        """Return what the server says of the jobs of a commit."""
        path = f"/repos/{self.app}/commits/{commit}/status"
        return str(self.server.call("GET", path, user="ana")["state"])


@pytest.fixture
def shop(
    gitea: GiteaServer, docker_registry: DockerRegistry, manifests: Manifests, tmp_path: Path
) -> Shop:
    """`ci` may write the manifests; the application is Ana's."""
    if reason := absent("actions"):
        leave_out("actions", reason)
    where = gitea.new_repository(writers=("ci",))
    config = manifests.file("gitops.yaml")
    config = config.replace("environments:", "registries: {}\nenvironments:", 1)
    manifests.commit("Ask the registry", {"gitops.yaml": config})
    manifests.git("push", "-q", gitea.clone_url(where, user="ana"), "main")
    kit = gitea.new_repository()
    _push_files(
        tmp_path / "kit",
        gitea.clone_url(kit, user="ana"),
        {name: (ROOT / name).read_text() for name in ("action.yml", "ci/deploy.sh")},
    )
    pinned = _git(tmp_path / "kit", "rev-parse", "HEAD")
    app = gitea.new_repository()
    gitea.call("PATCH", f"/repos/{app}", {"has_actions": True}, user="ana")
    about = f"/repos/{app}/actions"
    secret = {"data": gitea.users["ci"].token}
    gitea.call("PUT", f"{about}/secrets/MANIFESTS_TOKEN", secret, user="ana")
    told = {"PYTHON": sys.executable, "GITOPS": GITOPS, "TESTS": str(ROOT / "tests")}
    for name, value in told.items():
        gitea.call("POST", f"{about}/variables/{name}", {"value": value}, user="ana")
    path = docker_registry.new_path()
    workflow = WORKFLOW.format(kit=f"{gitea.url}/{kit}@{pinned}", manifests=gitea.clone_url(where))
    files = {
        ".gitea/workflows/deliver.yml": workflow,
        "build.py": BUILD.format(host=docker_registry.open, path=path),
    }
    runner = ActionsRunner.register(gitea, app, tmp_path)
    checkout = tmp_path / "app"
    _push_files(checkout, gitea.clone_url(app, user="ana"), files, branch="unfollowed")
    image = f"{docker_registry.open}/{path}"
    return Shop(gitea, manifests, gitea.clone_url(where, user="ana"), app, checkout, runner, image)


def test_push_of_an_application(shop: Shop) -> None:
    """A push ends in a commit of the manifests where its branch is followed, or in a red job."""
    before = shop.head()
    unfollowed = _git(shop.checkout, "rev-parse", "HEAD")
    first = shop.next_job()
    assert first.code == 0, first.log
    assert before == shop.head()
    assert "| landed as " not in first.log
    shop.server.wait_for(lambda: shop.conclusion(unfollowed) == "success", seconds=60)

    commit = shop.push("main")
    second = shop.next_job()
    assert second.code == 0, second.log
    assert f"| landed as {shop.head()}" in second.log
    message = shop.head("%an%n%B")
    assert message.startswith("shop CI\n")
    assert f"Source-Revision: main@sha1:{commit}" in message
    pinned = shop.manifests.git("show", f"FETCH_HEAD:{DEV}")
    assert f"newName: {shop.image}" in pinned
    assert "digest: sha256:" in pinned
    shop.server.wait_for(lambda: shop.conclusion(commit) == "success", seconds=60)

    landed = shop.head()
    for _ in range(3):  # a job of a busy machine may fail before it comes to the action
        lost = shop.push("main", BUILD + 'print(f"image={{name}}:never-pushed")\n')
        third = shop.next_job()
        assert third.code != 0, third.log
        if "has no tag never-pushed" in third.log:
            break
    assert "has no tag never-pushed" in third.log, third.log
    assert landed == shop.head()
    shop.server.wait_for(lambda: shop.conclusion(lost) == "failure", seconds=60)


def _push_files(folder: Path, url: str, files: dict[str, str], branch: str = "main") -> None:
    """Make a repository of files in `folder`, and push it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    _git(folder, "init", "-q", "-b", branch)
    _git(folder, "remote", "add", "origin", url)
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "Start")
    _git(folder, "push", "-q", "origin", branch)


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", folder, *words], env=bare({}), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
