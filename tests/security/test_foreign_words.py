"""Whatever is foreign is one line, escaped for its place: comment, CI page, terminal, JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gitops.cli.render.terminal import json_text
from gitops.core.text.plain import harmless, split_lines
from manifests import Manifests, Result

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PATH = {"PATH": f"{BIN}:{os.environ['PATH']}"}
BREAKS = ("\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r", "\n")


def commit(checkout: Path, message: str) -> None:
    """Commit all that lies in the checkout."""
    for words in (("add", "-A"), ("commit", "-q", "-m", message)):
        subprocess.run(["git", "-C", str(checkout), *words], check=True)


def with_apps(manifests: Manifests) -> Path:
    """Make it a repository of apps by folder, on main; return the checkout, on another branch."""
    checkout = manifests.checkout
    for name in ("base", "overlays"):
        shutil.rmtree(checkout / name)
    folder = checkout / "apps" / "shop" / "overlays" / "prod"
    folder.mkdir(parents=True)
    (folder / "cm.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    (folder / "kustomization.yaml").write_text(
        'resources: [cm.yaml]\nimages: [{name: x, newTag: "1"}]\n'
    )
    (checkout / "gitops.yaml").write_text(
        "apiVersion: gitops/v1\nkind: Config\nenvironments:\n"
        '- {name: prod, overlay: "apps/{app}/overlays/prod", change: pull-request}\n'
    )
    commit(checkout, "Start")
    subprocess.run(["git", "-C", str(checkout), "push", "-q", "origin", "main"], check=True)
    subprocess.run(["git", "-C", str(checkout), "checkout", "-q", "-b", "pr"], check=True)
    return checkout


APPS = {
    "new lines": "x\n\n## Approved by the security team\n\n@octocat please merge\n\ny",
    "command": "::error title=pwned::x",
    "old command": "##[error]x",
    "azure": "##vso[task.setvariable variable=a]b",
    "other line ends": "x\u2028::error title=pwned::y\u2029::notice::z\x85##[error]w\x0b::debug::v",
    "markdown": "x`<b>@octocat<b> <img src=x> [a](http:b) ``` | &lt; y",
    "terminal": "x\x1b[2J\x1b]0;pwned\x07\u202ey",
    "long": "x" * 200,
}


def hold_back(result: Result) -> None:
    """No line of the output is a command of a runner, and none holds what a terminal obeys."""
    for text in (result.out + "\n" + result.err).split("\n"):
        assert not text.lstrip().startswith("::"), text
        assert re.search(r"##\w*\[", text) is None, text
        assert text.isprintable() or not text, text


@pytest.mark.parametrize("name", APPS.values(), ids=lambda name: name[:9].encode().hex())
def test_app_that_is_called_so(manifests: Manifests, name: str) -> None:
    """The name of an app's folder is one harmless line in text, comment and document."""
    checkout = with_apps(manifests)
    shutil.copytree(checkout / "apps" / "shop", checkout / "apps" / name)
    commit(checkout, f"Add {name}")
    repo = str(checkout)
    words = ("validate", "--against", "origin/main", "--comment", "c.md")

    hold_back(manifests.gitops(*words, repo=repo, env=PATH))
    document = manifests.gitops(*words, "-o", "json", repo=repo, env=PATH)
    hold_back(document)
    assert name in [one["app"] for one in document.json["environments"]]
    comment = (manifests.elsewhere / "c.md").read_text()
    assert all(text.isprintable() for text in comment.split("\n"))
    assert not re.search(r"^(#|@[a-z]|<b>)", comment, re.MULTILINE)
    assert "<code>x`<b>" not in comment
    hold_back(manifests.gitops("check", repo=repo))
    hold_back(manifests.gitops("check", "-o", "json", repo=repo))
    hold_back(manifests.gitops("validate", repo=repo))


@pytest.mark.parametrize("stop", BREAKS, ids=ascii)
def test_branch_that_is_called_so(manifests: Manifests, stop: str) -> None:
    """The name of a source branch that ends a line somewhere ends none here."""
    branch = f"feature/x{stop}::error title=pwned::y"
    result = manifests.gitops("deploy", "shop/api:9", "--ref", branch, "--to", "stage")

    assert result.code != 0
    hold_back(result)


def test_branches_with_other_line_ends(manifests: Manifests) -> None:
    """Branches of the repository whose names hold such line ends are read as one line each."""
    tip = manifests.git("rev-parse", "main").strip()
    for stop in ("\u2028", "\u2029", "\x85"):
        manifests.git(
            "update-ref", f"refs/heads/a{stop}{tip} refs/heads/main".replace(" ", "_"), tip
        )

    for repo in (None, f"file://{manifests.path}", str(manifests.checkout)):
        for words in (("status",), ("history", "prod"), ("check",)):
            result = manifests.gitops(*words, repo=repo)
            assert result.code in (0, 1), result.err
    assert 0 == manifests.gitops("deploy", "shop/api:1.4.9", "--to", "dev").code


def test_subjects_and_messages(manifests: Manifests) -> None:
    """What a commit says of itself is shown, and obeyed by nobody."""
    manifests.commit("::error::x\u202e ##[error] \x1b[31m", {"overlays/prod/x.yaml": "a: 1\n"})
    for words in (("check",), ("check", "-o", "json"), ("history", "prod")):
        hold_back(manifests.gitops(*words))


def test_json_is_the_same_data() -> None:
    """Escapes change nothing for whoever reads the document."""
    text = "a\u2028\u202e ##[error] ##vso[x] é 😀 \ud800 #"
    shown = json_text({"a": text})

    assert {"a": text} == json.loads(shown)
    assert "é 😀" in shown
    assert shown.isprintable()
    assert "##" not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::x", "' ::x"),
        ("\t ::x", "' \t ::x"),
        ("a ##[b", "a ## [b"),
        ("###[b", "### [b"),
        ("##vso[b ##teamcity[c", "## vso[b ## teamcity[c"),
        ("a::b # [x", "a::b # [x"),
    ],
)
def test_harmless(text: str, shown: str) -> None:
    """Every form of a runner's command is broken, and nothing else is touched."""
    assert shown == harmless(text)


def test_lines_end_at_newlines() -> None:
    """`split_lines` is `splitlines` for newlines, and for nothing else."""
    assert ["a\u2028b\x0bc\r", "", "d"] == split_lines("a\u2028b\x0bc\r\n\nd\n")
    assert [] == split_lines("")


def test_nobody_else_splits_lines() -> None:
    """No module uses `str.splitlines`, which ends lines in the middle of names."""
    found = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gitops").rglob("*.py")
        if ".splitlines(" in path.read_text()
    ]

    assert [] == found


@pytest.mark.parametrize("name", ["x" * 10_000, "host:" + "x" * 10_000, "x/" * 5_000])
def test_repository_of_a_name_that_no_file_has(manifests: Manifests, name: str) -> None:
    """A path longer than any file's is a repository that is not there, and no bug."""
    result = manifests.gitops(
        "history", "dev", "-o", "json", repo=name, env={"GIT_SSH_COMMAND": "false"}
    )

    assert result.code in (3, 75), result.err


def test_overlay_of_a_name_that_no_file_has(manifests: Manifests) -> None:
    """An overlay whose path is longer than any file's is told as a problem."""
    config = manifests.checkout / "gitops.yaml"
    config.write_text(config.read_text().replace("overlays/dev", "overlays/" + "x" * 10_000))
    result = manifests.gitops("validate", "-o", "json", repo=str(manifests.checkout))

    assert result.code in (2, 3), result.err
