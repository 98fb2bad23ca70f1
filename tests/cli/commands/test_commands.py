"""Every command as a subprocess: text, JSON and exit codes, on a real bare repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from manifests import Manifests

DEV = "overlays/dev/kustomization.yaml"
TEST = "overlays/test/kustomization.yaml"
PROD = "overlays/prod/kustomization.yaml"


def lines_changed(manifests: Manifests, commit: str) -> dict[str, tuple[int, int]]:
    """Return path -> (added, removed) lines of one commit."""
    stat = manifests.git("show", "--numstat", "--format=", commit)
    rows = [row.split("\t") for row in stat.splitlines()]
    return {path: (int(added), int(removed)) for added, removed, path in rows}


def test_deploy_by_ref_changes_one_line_in_each_of_two_files(manifests: Manifests) -> None:
    """A build of main goes to dev and test in one commit, one line each."""
    result = manifests.gitops("deploy", "shop/api:1.9.0", "--ref", "main", "-o", "json")

    document = result.json
    assert result.code == 0
    assert document["outcome"] == "committed"
    assert document["commit"] == manifests.git("rev-parse", "main").strip()
    assert {DEV: (1, 1), TEST: (1, 1)} == lines_changed(manifests, "main")
    assert ["dev", "test"] == [change["environment"] for change in document["changes"]]
    assert {"name": None, "tag": "1.9.0", "digest": None} == document["changes"][0]["after"]


def test_story_of_a_bad_release(manifests: Manifests) -> None:
    """Deploy, roll back with a hold, and CI leaves the held environment alone and says why."""
    before = manifests.file(DEV)
    manifests.gitops("deploy", "shop/api:1.9.0", "--ref", "main")
    back = manifests.gitops("rollback", "dev", "--reason", "INC-42", "-o", "json")
    again = manifests.gitops("deploy", "shop/api:1.9.1", "--ref", "main", "-o", "json")

    assert (back.code, again.code) == (0, 0)
    assert before == manifests.file(DEV)
    assert ".gitops/holds/dev.yaml" in manifests.git("ls-tree", "-r", "--name-only", "main")
    assert ["test"] == [change["environment"] for change in again.json["changes"]]
    assert [{"environment": "dev", "app": None}] == [
        {key: row[key] for key in ("environment", "app")} for row in again.json["skipped"]
    ]
    assert "INC-42" in again.json["skipped"][0]["reason"]


def test_deploy_twice_is_unchanged(manifests: Manifests) -> None:
    """The same call again changes nothing and makes no commit."""
    manifests.gitops("deploy", "shop/api:1.9.0", "--to", "dev")
    head = manifests.git("rev-parse", "main")
    result = manifests.gitops("deploy", "shop/api:1.9.0", "--to", "dev", "-o", "json")

    assert (0, "unchanged", None) == (result.code, result.json["outcome"], result.json["commit"])
    assert head == manifests.git("rev-parse", "main")


def test_text_of_a_deploy_is_two_lines(manifests: Manifests) -> None:
    """A person reads what changed, and where it went."""
    result = manifests.gitops("deploy", "shop/api:1.9.0", "--ref", "main")

    first, second = result.out.splitlines()
    assert "dev, test  shop/api  1.4.1 -> 1.9.0" == first
    assert second.startswith("committed ")
    assert "" == result.err


def test_dry_run_shows_the_difference_and_writes_nothing(manifests: Manifests) -> None:
    """--dry-run prints the changed line and leaves the branch alone."""
    head = manifests.git("rev-parse", "main")
    result = manifests.gitops("deploy", "shop/api:1.9.0", "--to", "dev", "--dry-run")
    document = manifests.gitops("rollback", "dev", "--dry-run", "-o", "json")

    assert 0 == result.code
    assert any(line.startswith("+") and "1.9.0" in line for line in result.out.splitlines())
    assert head == manifests.git("rev-parse", "main")
    assert 1 == document.code  # nothing to go back to yet


def test_prod_becomes_a_proposal_that_waits(manifests: Manifests) -> None:
    """A pull-request environment gets a branch of its own, updated in place; main stays."""
    head = manifests.git("rev-parse", "main")
    manifests.gitops("deploy", "shop/api:1.5.0", "--ref", "release/1.5")
    first = manifests.gitops("deploy", "shop/api:1.5.0", "--to", "prod", "-o", "json")
    again = manifests.gitops("deploy", "shop/api:1.5.0", "--to", "prod", "-o", "json")
    status = manifests.gitops("status", "prod", "-o", "json").json

    proposal = first.json["proposals"][0]
    assert ("proposed", "gitops/prod", "open") == (
        first.json["outcome"],
        proposal["branch"],
        proposal["state"],
    )
    assert first.json["commit"] == manifests.git("rev-parse", "gitops/prod").strip()
    assert "1.5.0" in manifests.file(PROD, "gitops/prod")
    assert "1.5.0" not in manifests.file(PROD)
    assert head != manifests.git("rev-parse", "main")  # stage moved it, prod did not
    assert "unchanged" == again.json["outcome"]
    assert ["gitops/prod"] == [row["branch"] for row in status["environments"][0]["proposals"]]


def test_merged_proposal_is_not_open_any_more(manifests: Manifests) -> None:
    """A proposal branch that was merged by hand and left standing does not wait."""
    manifests.gitops("deploy", "shop/api:1.5.0", "--ref", "release/1.5")
    manifests.gitops("deploy", "shop/api:1.5.0", "--to", "prod")
    manifests.git("update-ref", "refs/heads/main", "gitops/prod")
    rolled = manifests.gitops("rollback", "prod", "-o", "json")
    status = manifests.gitops("status", "prod", "-o", "json").json

    assert "committed" == rolled.json["outcome"]
    assert [] == status["environments"][0]["proposals"]


def test_prod_wants_what_stage_had(manifests: Manifests) -> None:
    """`after: [stage]` refuses an image that stage never released, with the reason."""
    result = manifests.gitops("deploy", "shop/api:6.6.6", "--to", "prod", "-o", "json")

    assert (1, "refused") == (result.code, result.json["error"]["code"])
    assert "stage" in result.json["error"]["reasons"][0]


def test_override_passes_and_is_recorded(manifests: Manifests) -> None:
    """An override lets a held environment be written, and stands in the commit."""
    manifests.gitops("hold", "dev", "--reason", "load test")
    refused = manifests.gitops("deploy", "shop/api:1.9.0", "--to", "dev")
    passed = manifests.gitops("deploy", "shop/api:1.9.0", "--to", "dev", "--override", "INC-7")

    assert (1, 0) == (refused.code, passed.code)
    assert "INC-7" in manifests.git("log", "-1", "--format=%B", "main")


def test_hold_and_resume(manifests: Manifests) -> None:
    """A hold names its holder when held twice; resume lifts it once, then is unchanged."""
    first = manifests.gitops("hold", "test", "--reason", "audit", "-o", "json")
    second = manifests.gitops("hold", "test", "--reason", "again", "-o", "json")
    lifted = manifests.gitops("resume", "test", "-o", "json")
    nothing = manifests.gitops("resume", "test", "-o", "json")

    assert ("committed", "audit") == (first.json["outcome"], first.json["hold"]["reason"])
    assert (1, "refused") == (second.code, second.json["error"]["code"])
    assert "audit" in second.json["error"]["message"]
    assert ("committed", "unchanged") == (lifted.json["outcome"], nothing.json["outcome"])


def test_history_and_status(manifests: Manifests) -> None:
    """History lists releases newest first, status says what is where, since when, by whom."""
    manifests.gitops("deploy", "shop/api:1.9.0", "--ref", "main")
    history = manifests.gitops("history", "dev", "-o", "json").json
    status = manifests.gitops("status", "-o", "json").json
    text = manifests.gitops("status").out

    every = manifests.gitops("history", "dev", "--limit", "9" * 20, "-o", "json").json

    assert history == every  # more than any machine counts to is all of them
    assert [True, False] == [row["current"] for row in history["releases"]]
    assert "deploy" == history["releases"][0]["action"]
    assert ["local", "dev", "test", "stage", "prod"] == [
        row["name"] for row in status["environments"]
    ]
    dev = status["environments"][1]
    assert history["releases"][0]["commit"] == dev["commit"]
    assert {"image": "shop/api", "name": None, "tag": "1.9.0", "digest": None} in dev["images"]
    assert "1.9.0" in text


def test_diff_says_which_images_differ(manifests: Manifests) -> None:
    """diff exits 1 with differences and 0 without."""
    differs = manifests.gitops("diff", "test", "prod", "-o", "json")
    same = manifests.gitops("diff", "dev", "dev", "-o", "json")

    assert (1, 0) == (differs.code, same.code)
    assert "shop/api" in [row["image"] for row in differs.json["differences"]]
    assert [] == same.json["differences"]


def test_local_edits_the_checkout_and_commits_nothing(manifests: Manifests) -> None:
    """`change: work-tree` edits the caller's file, nothing else."""
    head = manifests.git("rev-parse", "main")
    result = manifests.gitops(
        "deploy", "shop/api:feature-x", "--to", "local", "-o", "json", repo=str(manifests.checkout)
    )

    assert (0, "edited") == (result.code, result.json["outcome"])
    assert "feature-x" in (manifests.checkout / "overlays/local/kustomization.yaml").read_text()
    assert head == manifests.git("rev-parse", "main")


def test_local_needs_a_checkout(manifests: Manifests) -> None:
    """On a bare repository a work-tree environment is a usage error with the way out."""
    result = manifests.gitops("deploy", "shop/api:x", "--to", "local", "-o", "json")

    assert (2, "usage") == (result.code, result.json["error"]["code"])


def test_set_image_edits_one_file(manifests: Manifests) -> None:
    """set-image changes one line of a local file, without Git."""
    folder = manifests.elsewhere / "overlay"
    shutil.copytree(manifests.checkout / "overlays/dev", folder)
    before = (folder / "kustomization.yaml").read_text().splitlines()
    result = manifests.gitops("set-image", "overlay", "shop/api:7.0.0", "-o", "json")
    after = (folder / "kustomization.yaml").read_text().splitlines()

    assert (0, "edited") == (result.code, result.json["outcome"])
    assert 1 == sum(old != new for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("deploy", "shop/api:1", "--to", "nowhere"), 3, "not-found"),
        (("deploy", "shop/nothing:1", "--to", "dev"), 3, "not-found"),
        (("deploy", "shop/nothing:1", "--ref", "main"), 3, "not-found"),
        (("deploy", "shop/api", "--to", "dev"), 2, "usage"),
        (("deploy", "shop/api:bad tag", "--to", "dev"), 2, "usage"),
        (("deploy", "shop/api@sha256:123", "--to", "dev"), 2, "usage"),
        (("deploy", "shop/api:1"), 2, "usage"),
        (("deploy", "--to", "dev"), 2, "usage"),
        (("rollback", "dev"), 1, "refused"),
        (("rollback", "dev", "--to", "1.0.0"), 3, "not-found"),
        (("rollback", "dev", "--image", "shop/nothing"), 3, "not-found"),
        (("history", "nowhere"), 3, "not-found"),
        (("hold", "dev"), 2, "usage"),
        (("frobnicate",), 2, "usage"),
        (("deploy", "shop/api:1", "--to", "dev", "--branch", "nothing"), 3, "not-found"),
        (("deploy", "shop/api:1", "--to", "dev", "--push-timeout", "soon"), 2, "usage"),
        (("deploy", "shop/api:1", "--to", "dev", "--app", "x"), 2, "usage"),
    ],
)
def test_bad_input_gets_its_code(
    manifests: Manifests, arguments: tuple[str, ...], code: int, word: str
) -> None:
    """Each kind of bad input has its exit code, a document, one error line, and no traceback."""
    result = manifests.gitops(*arguments, "-o", "json")

    assert (code, word) == (result.code, result.json["error"]["code"])
    assert result.err.startswith("error: ")
    assert "Traceback" not in result.out + result.err


def test_unknown_environment_is_listed_with_the_nearest(manifests: Manifests) -> None:
    """A typo gets the list and the nearest name."""
    result = manifests.gitops("deploy", "shop/api:1", "--to", "prd")

    assert 3 == result.code
    assert "local, dev, test, stage, prod" in result.err
    assert "hint: did you mean prod?" in result.err


def test_missing_and_broken_config(manifests: Manifests) -> None:
    """No gitops.yaml, or a broken one, is exit 2 with the place; all problems at once."""
    manifests.commit("break it", {"gitops.yaml": "apiVersion: gitops/v1\nkind: Confg\nfoo: 1\n"})
    broken = manifests.gitops("diff", "dev", "test", "-o", "json")
    manifests.commit("drop it", {"gitops.yaml": None})
    missing = manifests.gitops("diff", "dev", "test", "-o", "json")

    assert (2, "config") == (broken.code, broken.json["error"]["code"])
    assert len(broken.json["error"]["reasons"]) >= 3
    assert all(row.startswith("gitops.yaml:") for row in broken.json["error"]["reasons"])
    assert (2, "config") == (missing.code, missing.json["error"]["code"])


def test_unsafe_overlay_is_refused_with_the_place(manifests: Manifests) -> None:
    """An overlay that cannot be edited safely: 3, path:line:col, nothing written."""
    text = "images:\n  - name: shop/api\n    newTag: &t '1'\n  - name: x\n    newTag: *t\n"
    head = manifests.commit("share a tag", {DEV: text})
    result = manifests.gitops("deploy", "shop/api:2", "--to", "dev", "-o", "json")

    assert (3, "unsafe-edit") == (result.code, result.json["error"]["code"])
    assert result.json["error"]["message"].startswith(f"{DEV}:3:")
    assert head == manifests.git("rev-parse", "main").strip()


def test_not_a_repository_and_empty_repository(manifests: Manifests, tmp_path: Path) -> None:
    """A folder without Git, and a repository without a commit, are exit 3."""
    (tmp_path / "plain").mkdir()
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "empty.git")], check=True)
    plain = manifests.gitops("status", "-o", "json", repo=str(tmp_path / "plain"))
    empty = manifests.gitops("status", "-o", "json", repo=str(tmp_path / "empty.git"))
    nowhere = manifests.gitops("status", "-o", "json", repo=str(tmp_path / "nowhere"))

    assert [(3, "not-found")] * 3 == [
        (result.code, result.json["error"]["code"]) for result in (plain, empty, nowhere)
    ]


def test_reason_is_one_clean_line(manifests: Manifests) -> None:
    """Control characters and newlines in a reason cannot forge a trailer or move a terminal."""
    nasty = "x\n\nGitops-Action: rollback\x1b[2J"
    manifests.gitops("hold", "dev", "--reason", nasty)
    message = manifests.git("log", "-1", "--format=%B", "main")
    status = manifests.gitops("status", "dev").out

    assert 1 == len([line for line in message.splitlines() if line.startswith("Gitops-Action:")])
    assert "\x1b" not in message + status


def test_validate_reads_the_checkout_as_it_stands(manifests: Manifests) -> None:
    """validate finds uncommitted mistakes in a checkout, all with their places."""
    good = manifests.gitops("validate", "-o", "json", repo=str(manifests.checkout))
    (manifests.checkout / DEV).write_text("images:\n  - name: a\n   newTag: broken\n")
    bad = manifests.gitops("validate", "-o", "json", repo=str(manifests.checkout))

    assert (0, []) == (
        good.code,
        [row for row in good.json["problems"] if row["level"] == "error"],
    )
    assert 3 == bad.code
    assert DEV in [row["path"] for row in bad.json["problems"]]


def test_schema_is_a_json_schema(manifests: Manifests) -> None:
    """schema prints JSON that names the keys."""
    result = manifests.gitops("schema")

    assert "environments" in json.loads(result.out)["properties"]


def test_init_writes_what_validates_and_never_overwrites(manifests: Manifests) -> None:
    """init makes a working set of files; a second one is refused and changes nothing."""
    first = manifests.gitops("init", "fresh")
    second = manifests.gitops("init", "fresh")
    folder = manifests.elsewhere / "fresh"

    assert 0 == first.code
    assert (folder / "gitops.yaml").exists()
    assert (folder / "argocd" / "prod.yaml").exists()
    assert 1 == second.code
    assert "gitops.yaml" in second.err


def test_version_and_help(manifests: Manifests) -> None:
    """--version and --help answer at once; so does `gitops` alone."""
    version = manifests.gitops("--version")
    help_text = manifests.gitops("--help")
    alone = manifests.gitops()

    assert (0, 0) == (version.code, help_text.code)
    assert version.out.startswith("gitops ")
    assert "rollback" in help_text.out
    assert "rollback" in alone.out


def test_path_without_a_remote_is_committed_and_the_work_tree_follows(
    manifests: Manifests,
) -> None:
    """A repository with no remote gets the commit on its branch; its files follow."""
    subprocess.run(["git", "-C", str(manifests.checkout), "remote", "remove", "origin"], check=True)
    result = manifests.gitops(
        "deploy", "shop/api:1.9.0", "--to", "dev", repo=str(manifests.checkout)
    )
    dirty = subprocess.run(
        ["git", "-C", str(manifests.checkout), "status", "--porcelain"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert 0 == result.code
    assert "1.9.0" in (manifests.checkout / DEV).read_text()
    assert "" == dirty


def test_several_apps_find_theirs_by_image(manifests: Manifests) -> None:
    """With apps/{app}/overlays/{env} an image goes to every app that has it, or to --app."""
    config = (
        "apiVersion: gitops/v1\nkind: Config\nenvironments:\n"
        "  - name: dev\n    overlay: apps/{app}/overlays/dev\n    accepts: [main]\n"
        "    deploy: auto\n"
    )
    one = "images:\n  - name: shop/api\n    newTag: '1'\n  - name: proxy\n    newTag: '1'\n"
    two = "images:\n  - name: shop/web\n    newTag: '1'\n  - name: proxy\n    newTag: '1'\n"
    manifests.commit(
        "many apps",
        {
            "gitops.yaml": config,
            "apps/api/overlays/dev/kustomization.yaml": one,
            "apps/web/overlays/dev/kustomization.yaml": two,
        },
    )
    found = manifests.gitops("deploy", "shop/web:2", "--to", "dev", "-o", "json")
    several = manifests.gitops("deploy", "proxy:2", "--to", "dev", "-o", "json")
    named = manifests.gitops("deploy", "proxy:3", "--to", "dev", "--app", "api", "-o", "json")
    back = manifests.gitops("rollback", "dev", "--app", "api", "--to", "1", "-o", "json")

    assert "web" == found.json["changes"][0]["app"]
    assert ["api", "web"] == [change["app"] for change in several.json["changes"]]
    assert "api" == named.json["changes"][0]["app"]
    assert "committed" == back.json["outcome"]
    assert "newTag: '1'" in manifests.file("apps/api/overlays/dev/kustomization.yaml")
    assert ".gitops/holds/api/dev.yaml" in manifests.git("ls-tree", "-r", "--name-only", "main")


def test_rollback_of_a_checkout_undoes_edits_without_a_hold(manifests: Manifests) -> None:
    """In a work-tree environment rollback edits the file to the newest differing release."""
    repo = str(manifests.checkout)
    path = manifests.checkout / "overlays/local/kustomization.yaml"
    before = path.read_bytes()
    manifests.gitops("deploy", "shop/api:mine", "--to", "local", repo=repo)
    edited = path.read_bytes()
    back = manifests.gitops("rollback", "local", "-o", "json", repo=repo)
    nothing = manifests.gitops("rollback", "local", "-o", "json", repo=repo)

    assert before != edited
    assert (0, "edited") == (back.code, back.json["outcome"]), back.err
    assert before == path.read_bytes()
    assert (1, "refused") == (nothing.code, nothing.json["error"]["code"])
    assert not (manifests.checkout / ".gitops").exists()


def test_rollback_by_proposal(manifests: Manifests) -> None:
    """`rollback: pull-request` proposes the images and the hold instead of committing them."""
    text = manifests.file("gitops.yaml").replace(
        "rollback: commit              # going back must not wait for anybody",
        "rollback: pull-request",
    )
    manifests.commit("rollbacks are reviewed", {"gitops.yaml": text})
    manifests.commit("by hand", {PROD: manifests.file(PROD).replace("1.4.0", "1.5.0")})
    result = manifests.gitops("rollback", "prod", "-o", "json")

    assert (0, "proposed") == (result.code, result.json["outcome"]), result.err
    assert "1.5.0" in manifests.file(PROD)
    assert "1.4.0" in manifests.file(PROD, "gitops/prod")
    assert "rolledBack" in manifests.file(".gitops/holds/prod.yaml", "gitops/prod")


@pytest.mark.parametrize(
    "arguments",
    [
        ("hold", "dev", "--reason", " \n"),
        ("deploy", "shop/api:2", "--to", "dev", "--override", ""),
        ("rollback", "dev", "--reason", ""),
        ("deploy", "shop/api:2", "--to", "dev", "--commit", "abcdef0"),
        ("deploy", "shop/api:2", "--ref", "main", "--commit", "not-hex"),
    ],
)
def test_empty_reasons_and_stray_commits_are_usage_errors(
    manifests: Manifests, arguments: tuple[str, ...]
) -> None:
    """A reason has words, a commit is hex and belongs to a branch."""
    result = manifests.gitops(*arguments, "-o", "json")

    assert (2, "usage") == (result.code, result.json["error"]["code"])


def test_a_bug_is_named_and_keeps_its_details_in_a_file(manifests: Manifests) -> None:
    """An error of gitops itself: 70, no traceback on the terminal, the details in a log."""
    code = (
        "import sys, gitops.config as config\n"
        "def broken(content):\n    raise RuntimeError('planted-secret')\n"
        "config.load_config = broken\n"
        "from gitops.cli.app import run\n"
        "sys.exit(run(['status', '-o', 'json']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "GITOPS_REPO": str(manifests.path), "TMPDIR": str(manifests.elsewhere)},
        capture_output=True,
        text=True,
        check=False,
    )
    (log,) = manifests.elsewhere.glob("gitops-bug-*.log")

    assert (70, "bug") == (done.returncode, json.loads(done.stdout)["error"]["code"])
    assert "Traceback" not in done.stderr
    assert "planted-secret" not in done.stderr + done.stdout
    assert "planted-secret" in log.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("history", "dev"), "by hand"),
        (("status",), "feature-basket"),
        (("status", "dev", "prod"), "prod"),
        (("diff", "test", "prod"), "shop/api"),
        (("diff", "dev", "dev"), "pin the same images"),
        (("validate",), "nothing wrong in 5 overlays"),
        (("schema",), "environments"),
        (("hold", "dev", "--reason", "audit"), "committed"),
        (("resume", "dev"), "unchanged"),
        (("deploy", "shop/api:1.4.1", "--to", "dev"), "unchanged"),
    ],
)
def test_text_for_people(manifests: Manifests, arguments: tuple[str, ...], words: str) -> None:
    """Each command speaks plainly, without colour and without trailing blanks, in a pipe."""
    result = manifests.gitops(*arguments)

    assert result.code in (0, 1)
    assert words in result.out
    assert "\x1b" not in result.out + result.err
    assert all(line == line.rstrip() for line in result.out.splitlines())
