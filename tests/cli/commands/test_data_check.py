"""The data rules on the way in: validate, check, promote and approve, with the real kustomize."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from checking import BEN, DEV, PROD, check, edited
from manifests import Manifests

BIN = Path(sys.executable).parent
PATH = {"PATH": f"{BIN}:{os.environ['PATH']}"}
CONFIG = "gitops.yaml"
SETTINGS = """\
configMapGenerator:
  - name: other
    literals: [OTHER_HOST=postgres.prod.example.com]

"""


def reach(manifests: Manifests, path: str, host: str) -> str:
    """Return a kustomization of main whose settings have one host more."""
    old = "LOG_LEVEL=warning" if path == PROD else "LOG_LEVEL=debug"
    return edited(manifests, path, old, f"{old}\n      - OTHER_HOST={host}")


def only_git(place: Path) -> str:
    """Return a PATH with git on it and nothing else."""
    git = shutil.which("git")
    assert git is not None
    (place / "git").symlink_to(git)
    return str(place)


def test_validate_and_data_check(manifests: Manifests, tmp_path: Path) -> None:
    """Both tell the line of the source; `data check` with exit 1 and a document, `validate` as a
    file that is wrong. Without a kustomize the one says so, the other looks at the rest."""
    manifests.commit("Reach", {DEV: reach(manifests, DEV, "postgres.prod.example.com")})
    said = manifests.gitops("data", "check", "dev", env=PATH)
    document = manifests.gitops("data", "check", "-o", "json", env=PATH)
    marks = manifests.gitops("data", "check", "--annotations", "github", env=PATH)
    whole = manifests.gitops("validate", env=PATH)
    nothing = manifests.gitops("data", "check", env={"PATH": only_git(tmp_path)})

    line = f"{DEV}:15:20: error: dev: a dummy environment reaches a real database: host "
    assert (1, 3, 3) == (said.code, whole.code, nothing.code)
    assert line in said.out
    assert line in whole.out
    assert f"file={DEV},line=15" in marks.out
    (finding,) = document.json["findings"]
    assert ("dev", "class", DEV, 15) == tuple(
        finding[key] for key in ("environment", "rule", "path", "line")
    )
    assert "refused" == document.json["error"]["code"]
    assert "install kustomize" in nothing.err


def test_check(manifests: Manifests) -> None:
    """`check` reports what a change makes an environment reach, also one that is not protected;
    what a change says of databases does not excuse itself."""
    excuse = edited(manifests, CONFIG, 'hosts: ["postgres.*.example.com"]', "hosts: [nowhere]")
    files = {DEV: reach(manifests, DEV, "postgres.prod.example.com"), CONFIG: excuse}
    commit = manifests.commit("Reach", files)
    document = check(manifests, commit)
    quiet = check(manifests, manifests.commit("Else", {"docs/x.md": "x\n"}))

    data = [one for one in document["findings"] if one["rule"] == "data"]
    assert [("dev", DEV, 15, "error")] == [
        (one["environment"], one["path"], one["line"], one["level"]) for one in data
    ]
    assert [] == [one for one in quiet["findings"] if one["rule"] == "data"]


def test_proposals(manifests: Manifests) -> None:
    """Nothing is proposed for, or approved into, an environment that reaches the other class; an
    override passes it and stands in the commit; a rollback is never barred."""
    manifests.gitops("deploy", "shop/api:1.5.0", "--ref", "release/1.5")
    waiting = manifests.gitops("deploy", "shop/api:1.5.0", "--to", "prod", env=PATH)
    manifests.commit("Reach", {PROD: reach(manifests, PROD, "dummy-db")})
    refused = manifests.gitops("approve", "prod", "-o", "json", env={**PATH, **BEN})
    deploy = manifests.gitops("deploy", "shop/web:9", "--to", "prod", "-o", "json", env=PATH)
    back = manifests.gitops("rollback", "stage", "--yes", env=PATH)
    passed = manifests.gitops("approve", "prod", "--override", "INC-42", env={**PATH, **BEN})

    assert (0, 1, 1) == (waiting.code, refused.code, deploy.code), waiting.err
    words = "prod: a real environment reaches a dummy database: host dummy-db, in ConfigMap shop-"
    for result in (refused, deploy):
        assert any(words in one for one in result.json["error"]["reasons"]), result.json
    assert f"({PROD}:" in refused.json["error"]["reasons"][0]
    assert (0, 0) == (back.code, passed.code), passed.err
    message = manifests.git("log", "-1", "--format=%B", "main")
    assert "Gitops-Override: INC-42 (passed: prod: a real environment reaches" in message


def test_nobody_can_look(manifests: Manifests, tmp_path: Path) -> None:
    """Without a kustomize a promotion goes in all the same, and says that nobody looked."""
    manifests.gitops("deploy", "shop/api:1.5.0", "--ref", "release/1.5")
    manifests.gitops("qa", "stage", "--pass", "--release", "newest")
    found = manifests.gitops("promote", "--to", "prod", env={"PATH": only_git(tmp_path)})

    assert 0 == found.code, found.err
    assert "nobody looked which databases prod reaches" in found.err


def test_against(manifests: Manifests) -> None:
    """What a change makes worse is told by the rules of its base, also where it changes them; what
    was wrong before is not new."""
    manifests.commit("Reach", {DEV: reach(manifests, DEV, "postgres.prod.example.com")})
    excuse = edited(manifests, CONFIG, "hosts: [dummy-db]", "hosts: [dummy-db, nowhere]")
    excuse = excuse.replace('hosts: ["postgres.*.example.com"]', "hosts: [nowhere2]")
    files = {
        "overlays/test/kustomization.yaml": edited(
            manifests, "overlays/test/kustomization.yaml", "images:", f"{SETTINGS}images:"
        ),
        CONFIG: excuse,
        DEV: edited(manifests, DEV, "newTag: 1.4.1", "newTag: 1.4.2"),
    }
    git = ["git", "-C", str(manifests.checkout)]
    subprocess.run([*git, "pull", "-q", "origin", "main"], check=True)
    for path, text in files.items():
        (manifests.checkout / path).write_text(text)
    subprocess.run([*git, "commit", "-q", "-am", "Worse"], check=True)
    words = ("validate", "--against", "origin/main", "-o", "json")
    found = manifests.gitops(*words, repo=str(manifests.checkout), env=PATH)

    told = [
        (one["path"], one["new"])
        for one in found.json["problems"]
        if "reaches a real database" in one["message"]
    ]
    assert [(DEV, False), ("overlays/test/kustomization.yaml", True)] == sorted(told)
    assert 3 == found.code, found.err
