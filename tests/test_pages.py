"""What the pages print is typed: each call that needs neither cluster nor forge runs, in order.

In a shop with a past, at the address that the pages name. Ids that a page made up stand for
commits of that shop, by where they stand.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from manifests import Manifests, Result, run_gitops
from printed import FENCED, printed_calls

ROOT = Path(__file__).parents[1]
URL = "https://git.example.com/shop/manifests.git"
BEN = {"GITOPS_AUTHOR": "Ben <ben@example.com>"}
PAST = (
    "deploy shop/api:1.4.1 --ref main",
    "deploy shop/api:1.4.1 --ref release/1.4",
    "qa stage --pass --release newest",
    "promote --to prod",
    "approve prod",
    "deploy shop/api:1.4.2 --ref main",
    "deploy shop/api:1.4.2 --ref release/1.4",
    "promote --to prod",
    "approve prod",
    "deploy shop/api:1.5.1 shop/web:2.4.0 --ref main",
    "deploy shop/api:1.5.1 --ref release/1.5",
)
BEFORE: Mapping[str, tuple[str, ...]] = {
    "README.md": (),
    "docs/for/approver.md": ("promote --to prod",),
    "docs/for/ci.md": (),
    "docs/for/on-call.md": ("rollback prod --no-hold",),
    "docs/for/platform.md": (),
    "docs/for/qa.md": (),
    "docs/for/security.md": (),
    "docs/how-to/approve.md": ("promote --to prod",),
    "docs/how-to/bring-your-repository.md": (),
    "docs/how-to/bump-from-ci.md": (),
    "docs/how-to/check.md": (),
    "docs/how-to/data.md": (),
    "docs/how-to/freeze.md": (),
    "docs/how-to/gitea.md": (),
    "docs/how-to/hold.md": (),
    "docs/how-to/images.md": ("deploy shop/api:1.5.0 --ref main",),
    "docs/how-to/insights.md": (),
    "docs/how-to/many-jobs.md": (),
    "docs/how-to/promote.md": (),
    "docs/how-to/qa.md": ("promote --to prod",),
    "docs/how-to/release-branches.md": (),
    "docs/how-to/roll-back.md": (),
    "docs/how-to/several-at-once.md": ("deploy a/api:2 a/web:2 --ref release/2",),
    "docs/how-to/undo-a-rollback.md": ("rollback prod --reason network",),
}
"""Page -> what was done before somebody reads it."""
NEEDS = re.compile(
    r"wait |.* --wait|watch|serve|notify|workflow|alerts|doctor|data reset (?!.*--dry-run)|"
    r"images (show|prune|update|list .)|validate --forge|init|.* --(html|plot|csv) |"
    r"insights (--source|--app)|set-image"
)
"""Needs a cluster, a forge, a registry, a file, or apps; or is played elsewhere."""
ANSWERS: Mapping[str, tuple[int, ...]] = {
    "diff stage prod": (0, 1),
    "release cut 1.5 --source": (1,),  # the other way to do what the line before it did
}
"""Beginning of a call -> its exit codes, where they are not 0."""


@dataclass(frozen=True)
class Shop:
    """The repository, and somebody who types."""

    manifests: Manifests
    environ: Mapping[str, str]
    releases: dict[str, list[str]] = field(default_factory=dict)

    def type(self, *words: str) -> Result:
        """Run a call in the checkout, as whoever may."""
        someone = BEN if words[0] == "approve" else {}
        return run_gitops(words, self.manifests.checkout, {**self.environ, **someone})

    def git(self, *words: str) -> str:
        """Run git in the checkout."""
        return subprocess.check_output(
            ["git", *words], cwd=self.manifests.checkout, env=self.environ, text=True
        )

    def meant(self, word: str, call: list[str]) -> str:
        """Return the commit that an id of a page stands for, as the page begins."""
        before = call[call.index(word) - 1]
        if before == "--commit":
            return self.git("ls-remote", "https://git.example.com/shop/api.git", "main")[:40]
        if before == "--head":
            return self.git("ls-remote", "origin", "gitops/prod")[:40]
        environment = next(one for one in call[1:] if one in ("dev", "stage", "prod"))
        if environment not in self.releases:
            found = self.type("history", environment, "-o", "json").json["releases"]
            self.releases[environment] = [one["commit"] for one in found]
        return self.releases[environment][before == "--to"]


def opened(folder: Path) -> Shop:
    """Return the shop that lies in a folder; addresses of the pages lead there."""
    manifests = Manifests(
        folder / "shop/manifests.git", folder / "shop/checkout", folder / "shop/elsewhere"
    )
    environ = {
        **os.environ,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{folder}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://git.example.com/",
    }
    return Shop(manifests, environ)


@pytest.fixture(scope="session")
def past(manifests_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that has released for a while, with a repository that its api is built from."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(manifests_template, folder / "shop", symlinks=True)
    shop = opened(folder)
    shop.git("init", "-q", "--bare", str(folder / "shop/api.git"))
    shop.git("init", "-q", "--bare", str(folder / "shop/web.git"))
    shop.git("remote", "set-url", "origin", URL)
    built = shop.git("commit-tree", "-m", "Begin", "HEAD^{tree}").strip()
    for name in ("api", "web"):
        address = f"https://git.example.com/shop/{name}.git"
        for branch in ("main", "release/1.4"):
            shop.git("push", "-q", address, f"{built}:refs/heads/{branch}")
    for call in PAST:
        done = shop.type(*call.split())
        assert 0 == done.code, (call, done.err)
    return folder


def prepared(shop: Shop, page: str) -> None:
    """Bring the shop to where a page begins."""
    text = (ROOT / page).read_text()
    if page.endswith("several-at-once.md"):
        (config,) = [body for kind, body in FENCED.findall(text) if kind == "yaml"]
        overlays = {
            f"clusters/{place}/apps/{app}/kustomization.yaml": (
                f"images:\n  - name: a/{app}\n    newTag: '1'\n"
            )
            for place in ("stage", "prod-eu", "prod-us")
            for app in ("api", "web")
        }
        head = "apiVersion: gitops/v1\nkind: Config\nbranch: main\n"
        shop.manifests.commit("Regions", {"gitops.yaml": head + config, **overlays})
    if page.endswith("release-branches.md"):
        (config,) = [body for kind, body in FENCED.findall(text) if body.startswith("images:")]
        whole = shop.manifests.file("gitops.yaml") + config
        shop.manifests.commit("Sources", {"gitops.yaml": whole})
    for call in BEFORE[page]:
        done = shop.type(*call.split())
        assert 0 == done.code, (call, done.err)
    shop.git("pull", "-q", "origin", "main")


def calls_of(shop: Shop, page: str) -> list[list[str]]:
    """Return the calls of a page that can be run here, with commits of the shop in them."""
    known = {
        **{"GITHUB_SHA": shop.meant("x", ["--commit", "x"]), "IMAGE": "shop/api:1.6.0"},
        **{"BEFORE": "HEAD~1", "AFTER": "HEAD", "GITHUB_REF_NAME": "main"},
    }
    found = []
    # What the READMEs show of a terminal is played by scripts/screens.py.
    for call in printed_calls(ROOT / page, screens=page != "README.md"):
        words = [re.sub(r"\$\{?(\w+)\}?", lambda one: known[one[1]], word) for word in call]
        ids = [one for one in words if re.fullmatch(r"[0-9a-f]{7,40}", one)]
        if not NEEDS.match(" ".join(words)):
            found.append([shop.meant(one, words) if one in ids else one for one in words])
    return found


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("page", BEFORE)
def test_what_a_page_prints_can_be_typed(
    page: str, past: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call ends as the page says, one after the other."""
    shutil.copytree(past, tmp_path / "w", symlinks=True)
    shop = opened(tmp_path / "w")
    for name, value in shop.environ.items():
        monkeypatch.setenv(name, value)
    prepared(shop, page)
    calls = calls_of(shop, page)
    environ = {**shop.environ, "GITOPS_REF": "main", "GITOPS_COMBINE_KEY": "0" * 64}
    if "GITOPS_REPO=" in (ROOT / page).read_text():
        environ["GITOPS_REPO"] = URL
    shop = Shop(shop.manifests, environ)
    wrong = {}
    for words in calls:
        done = shop.type(*words)
        wanted = [codes for begin, codes in ANSWERS.items() if " ".join(words).startswith(begin)]
        if done.code not in next(iter(wanted), (0,)):
            wrong[" ".join(words)] = (done.code, done.err)

    assert not wrong, wrong
    assert calls
