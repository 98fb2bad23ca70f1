"""`gitops check` and commits that say they are rollbacks: nothing but one lands without a word."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from checking import BEN, DEV, HOLD, PROD, check, messages, standing, told
from manifests import Manifests, copy_template

STAGE = "overlays/stage/kustomization.yaml"


def release(manifests: Manifests, tag: str) -> str:
    """Bring a tag to prod, with Ben's word; return the commit."""
    manifests.gitops("deploy", f"shop/api:{tag}", "--ref", "release/1.5")
    made = manifests.gitops("deploy", f"shop/api:{tag}", "--to", "prod")
    assert 0 == made.code, made.err
    approved = manifests.gitops("approve", "prod", "-o", "json", env=BEN)
    assert 0 == approved.code, approved.err
    return str(approved.json["commit"])


def amend(manifests: Manifests, files: dict[str, str], message: str | None = None) -> str:
    """Make the newest commit of main anew with more in it, as somebody would who pretends."""
    said = message or manifests.git("log", "-1", "--format=%B", "main")
    git = ["git", "-C", str(manifests.checkout)]
    subprocess.run([*git, "fetch", "-q", "origin"], check=True)
    subprocess.run([*git, "reset", "-q", "--hard", "origin/main"], check=True)
    for name, content in files.items():
        path = manifests.checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "--amend", "-m", said], check=True)
    subprocess.run([*git, "push", "-q", "--force", "origin", "HEAD:main"], check=True)
    return subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()


@pytest.fixture(scope="session")
def template(manifests_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prod went to 1.5.0 and was rolled back, with a hold, in the newest commit; made once."""
    manifests = copy_template(manifests_template, tmp_path_factory.mktemp("rolled-back"))
    release(manifests, "1.5.0")
    back = manifests.gitops("rollback", "prod", "--reason", "INC-42")
    assert 0 == back.code, back.err
    return manifests.path.parent


@pytest.fixture
def rolled_back(template: Path, tmp_path: Path) -> Manifests:
    """A repository of the test's own in which prod was rolled back last."""
    return copy_template(template, tmp_path)


def test_right_rollback_needs_no_word(rolled_back: Manifests) -> None:
    """A direct rollback with its hold is all right, and said to be one."""
    document = check(rolled_back)

    assert [] == document["findings"]
    assert ["rollback"] == standing(document)
    assert {PROD, HOLD} == {
        one["path"] for touch in document["commits"][0]["touches"] for one in touch["paths"]
    }
    assert document["commits"][0]["evidence"].startswith("restores ")


@pytest.mark.parametrize("arguments", [["--no-hold"], ["--image", "shop/api"]])
def test_other_right_rollbacks(manifests: Manifests, arguments: list[str]) -> None:
    """So is one without a hold, and one of a single image."""
    release(manifests, "1.5.0")
    manifests.gitops("rollback", "prod", *arguments)

    assert ["rollback"] == standing(check(manifests))


def test_second_rollback(rolled_back: Manifests) -> None:
    """A rollback that finds a hold, and keeps it, is all right."""
    rolled_back.gitops("resume", "prod")
    rolled_back.gitops("rollback", "prod", "--override", "INC-43")
    release(rolled_back, "1.6.0")
    release(rolled_back, "1.7.0")
    rolled_back.gitops("rollback", "prod")
    again = rolled_back.gitops("rollback", "prod")
    assert 0 == again.code, again.err

    assert ["rollback"] == standing(check(rolled_back))


EXTRA = {
    "line in the overlay": (PROD, ("count: 4", "count: 1"), "more than image values"),
    "comment in the overlay": (PROD, ("namespace:", "# hi\nnamespace:"), "more than image values"),
    "image added": (PROD, ("images:", "images:\n  - {name: x, newTag: '1'}"), "adds the image x"),
    "base": ("base/api.yaml", ("replicas: 1", "replicas: 9"), "nothing else"),
    "dev": (DEV, ("newTag: 1.4.1", "newTag: 1.4.9"), "nothing else"),
    "policy": ("gitops.yaml", ("deploy: manual", "deploy: auto"), "nothing else"),
}


@pytest.mark.parametrize("case", EXTRA, ids=lambda case: case.replace(" ", "-"))
def test_anything_more_is_reported(rolled_back: Manifests, case: str) -> None:
    """Whatever else a rollback changes is reported with its path and the reason, once."""
    path, (old, new), reason = EXTRA[case]
    content = rolled_back.file(path)
    assert old in content
    amend(rolled_back, {path: content.replace(old, new, 1)})

    document = check(rolled_back, "main")

    assert [path] == [place for _, place in told(document)]
    assert reason in messages(document)
    assert ["reported"] == standing(document)


def test_line_of_what_is_too_much(rolled_back: Manifests) -> None:
    """The report names the line of the overlay that is no image value."""
    content = rolled_back.file(PROD)
    amend(rolled_back, {PROD: content.replace("namespace: shop-prod", "namespace: mine")})

    found = check(rolled_back, "main")["findings"][0]

    assert content.splitlines()[found["line"] - 1] == "namespace: shop-prod"
    assert "namespace: mine" in found["message"]


def test_rollback_to_a_release_judged_bad(manifests: Manifests) -> None:
    """What QA failed is no way back, whatever override the message tells of."""
    release(manifests, "1.5.0")
    bad = release(manifests, "1.6.0")
    release(manifests, "1.7.0")
    manifests.gitops("qa", "prod", "--fail", "--release", bad)
    back = manifests.gitops("rollback", "prod", "--to", bad, "--override", "INC-1")
    assert 0 == back.code, back.err

    document = check(manifests)

    assert [("prod", PROD)] == sorted(set(told(document)))
    assert "is qa-failed" in messages(document)
    assert "override: INC-1" in messages(document)


def test_rollback_to_what_was_rolled_back(rolled_back: Manifests) -> None:
    """A release that a rollback took away is judged bad, too."""
    rolled_back.gitops("resume", "prod")
    bad = rolled_back.git(
        "log", "-1", "--format=%(trailers:key=Gitops-Rolled-Back,valueonly)", "main~1"
    )
    back = rolled_back.gitops("rollback", "prod", "--to", bad.strip(), "--override", "why not")
    assert 0 == back.code, back.err

    document = check(rolled_back)

    assert "which a rollback took away" in messages(document)
    assert ["reported"] == standing(document)


def test_tag_that_was_never_released(rolled_back: Manifests) -> None:
    """A message that says rollback over an image that prod never had is a lie."""
    content = rolled_back.file(PROD)
    amend(rolled_back, {PROD: content.replace('newTag: "1.4.0"', 'newTag: "6.6.6"')})

    document = check(rolled_back, "main")

    assert "does not have shop/api 6.6.6" in messages(document)


def test_release_that_it_names_is_none(rolled_back: Manifests) -> None:
    """A rollback must name an earlier release of this very overlay."""
    said = rolled_back.git("log", "-1", "--format=%B", "main")
    line = next(text for text in said.splitlines() if text.startswith("Gitops-Restores"))
    amend(rolled_back, {}, said.replace(line, f"Gitops-Restores: {'1' * 40}"))

    assert "is no earlier release" in messages(check(rolled_back, "main"))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ((), "it names no environment"),
        (("prod", "dev"), "it restores nothing"),
        (("nowhere",), "nowhere, which it names, is no environment here"),
        (("dev",), "a rollback of dev changes its image values and writes its hold"),
    ],
)
def test_environment_that_it_names(
    rolled_back: Manifests, labels: tuple[str, ...], words: str
) -> None:
    """A rollback names the environments that it changes, and no other."""
    said = rolled_back.git("log", "-1", "--format=%B", "main")
    lines = "".join(f"Gitops-Environment: {label}\n" for label in labels)
    amend(rolled_back, {}, said.replace("Gitops-Environment: prod\n", lines))

    document = check(rolled_back, "main")

    assert words in messages(document)
    assert ["reported"] == standing(document)


@pytest.mark.parametrize(
    ("hold", "words"),
    [
        ("by: [\n", "its hold cannot be read"),
        (f"by: Eve\nreason: x\nrestores: {'2' * 40}\n", "its hold says that 222222222222"),
    ],
)
def test_hold_that_is_none(rolled_back: Manifests, hold: str, words: str) -> None:
    """The hold that it writes is one, and tells of the same release."""
    amend(rolled_back, {HOLD: hold})

    assert words in messages(check(rolled_back, "main"))


def test_hold_that_a_rollback_lifts(rolled_back: Manifests) -> None:
    """A rollback does not lift the hold."""
    root = rolled_back.git("rev-list", "--max-parents=0", "main").strip()
    rolled_back.commit("Forth", {PROD: rolled_back.file(PROD).replace('"1.4.0"', '"1.7.0"')})
    message = f"Back\n\nGitops-Action: rollback\nGitops-Environment: prod\nGitops-Restores: {root}"
    files = {PROD: rolled_back.file(PROD).replace('"1.7.0"', '"1.4.0"'), HOLD: None}
    rolled_back.commit(message, files)

    assert "it lifts the hold of prod" in messages(check(rolled_back))


def test_hold_can_claim_it_too(manifests: Manifests) -> None:
    """A commit whose hold says what it restores is a rollback, whatever its message says."""
    before = manifests.git("rev-parse", "main").strip()
    hold = f"by: Eve\nreason: x\nrestores: {before}\n"
    manifests.commit("Nothing special", {HOLD: hold, "docs/x.md": "x\n"})

    document = check(manifests)

    assert "its hold says it is a rollback" in messages(document)
    assert {PROD, "docs/x.md"} == {path for _, path in told(document)}


def test_environment_that_takes_commits(manifests: Manifests) -> None:
    """A rollback of dev is held to the same: nothing else may hide in it."""
    manifests.gitops("deploy", "shop/api:1.5.0", "--to", "dev")
    manifests.gitops("rollback", "dev")
    assert (["rollback"], []) == (standing(check(manifests)), check(manifests)["findings"])
    amend(manifests, {STAGE: manifests.file(STAGE).replace("1.4.0", "6.6.6")})

    document = check(manifests, "main")

    assert [("dev", STAGE)] == told(document)


def test_rollback_by_pull_request_only(manifests: Manifests) -> None:
    """Where gitops.yaml says `rollback: pull-request`, a direct rollback is reported."""
    root = manifests.git("rev-parse", "main").strip()
    config = manifests.file("gitops.yaml").replace("rollback: commit ", "rollback: pull-request ")
    before = manifests.file(PROD)
    after = before.replace('"1.4.0"', '"1.5.0"')
    manifests.commit("Forth", {PROD: after, "gitops.yaml": config})
    message = f"Back\n\nGitops-Action: rollback\nGitops-Environment: prod\nGitops-Restores: {root}"
    manifests.commit(message, {PROD: before})

    document = check(manifests)

    assert [("prod", PROD)] == told(document)
    assert "no merged proposal brought it" in messages(document)


def test_right_undo_needs_no_word(rolled_back: Manifests) -> None:
    """An undo puts back what the newest rollback replaced, and lifts its hold: all right."""
    assert 0 == rolled_back.gitops("undo", "prod").code

    document = check(rolled_back)

    assert ([], ["rollback"]) == (document["findings"], standing(document))
    assert "takes back the newest rollback" == document["commits"][0]["evidence"]


def test_undo_of_a_hold_that_stood_before(manifests: Manifests) -> None:
    """The undo puts the hold back that stood before the rollback: all right."""
    release(manifests, "1.5.0")
    manifests.gitops("hold", "prod", "--reason", "measuring")
    assert 0 == manifests.gitops("rollback", "prod", "--reason", "INC-43").code
    assert 0 == manifests.gitops("undo", "prod").code

    assert [] == check(manifests)["findings"]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (PROD, "1.5.0", "6.6.6"),
        (PROD, "namePrefix", "nameSuffix"),
        (STAGE, "1.5.0", "6.6.6"),
        (HOLD, "", "by: me\nreason: mine\n"),
    ],
)
def test_undo_that_does_more(rolled_back: Manifests, path: str, old: str, new: str) -> None:
    """Another value, another line, another overlay, another hold: an error."""
    rolled_back.gitops("undo", "prod")
    content = rolled_back.file(path) if old else ""
    if old and old not in content:
        content, old = f"{content}# more\n", ""
    amend(rolled_back, {path: content.replace(old, new) if old else content or new})

    document = check(rolled_back)

    assert ["reported"] == standing(document)
    assert any("says it is an undo" in one["message"] for one in document["findings"])


def test_undo_without_a_rollback(manifests: Manifests) -> None:
    """A message that says undo, where nothing was rolled back, proves nothing."""
    release(manifests, "1.5.0")
    content = manifests.file(PROD).replace("1.5.0", "1.4.0")
    message = "prod: undo\n\nwhy\n\nGitops-Action: undo\nGitops-Environment: prod\n"
    manifests.commit(message, {PROD: content})

    document = check(manifests)

    assert ["reported"] == standing(document)
    assert any("there is no rollback to undo" in one["message"] for one in document["findings"])
