"""The way back as it is typed: `rollback`, `rollback --bad` and `undo`, on a real repository."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from manifests import Manifests, Result, on_terminal

DEV = "overlays/dev/kustomization.yaml"
HOLD = ".gitops/holds/dev.yaml"
ANA = {"GITOPS_AUTHOR": "Ana <ana@example.com>"}


def deploy(manifests: Manifests, *tags: str, image: str = "shop/api") -> list[str]:
    """Put tags into dev, one commit each; return the commits."""
    found = []
    for tag in tags:
        result = manifests.gitops("deploy", f"{image}:{tag}", "--to", "dev", "-o", "json")
        assert 0 == result.code, result.err
        found.append(str(result.json["commit"]))
    return found


def back(manifests: Manifests, *more: str, reason: str = "INC-1") -> Result:
    """Roll dev back, as Ana."""
    said = ["--reason", reason] if reason else []
    return manifests.gitops("rollback", "dev", *said, *more, "-o", "json", env=ANA)


def undo(manifests: Manifests, *more: str) -> Result:
    """Undo the newest rollback of dev."""
    return manifests.gitops("undo", "dev", *more, "-o", "json")


def tag(manifests: Manifests) -> str:
    """The tag of the API in dev."""
    found = re.search(r'shop/api\n +newTag: "?([0-9.]+)', manifests.file(DEV))
    assert found is not None
    return found[1]


def by_hand(manifests: Manifests, new: str, message: str = "chore(deps): update") -> str:
    """A bot or a person sets the tag with plain git."""
    return manifests.commit(message, {DEV: manifests.file(DEV).replace(tag(manifests), new)})


def test_a_bot_that_pushes_again_never_sends_it_further_back(manifests: Manifests) -> None:
    """Once and twice: the rollback goes to the release that the first one restored."""
    deploy(manifests, "1.6.1", "1.6.2")
    assert 0 == back(manifests).code

    for _ in range(2):
        by_hand(manifests, "1.6.2")
        again = back(manifests)
        assert (0, "committed", "1.6.1") == (again.code, again.json["outcome"], tag(manifests))


def test_the_second_click_on_bad_does_nothing(manifests: Manifests) -> None:
    """The release was taken back already: unchanged, exit 0, with who and when."""
    *_, bad = deploy(manifests, "1.6.1", "1.6.2", "1.6.3")
    first = back(manifests, "--bad", bad)
    head = manifests.git("rev-parse", "main")

    second = back(manifests, "--bad", bad)
    by_tag = back(manifests, "--bad", "1.6.3")

    assert ("committed", "1.6.2") == (first.json["outcome"], tag(manifests))
    for again in (second, by_tag):
        assert (0, "unchanged") == (again.code, again.json["outcome"])
        (note,) = again.json["notes"]
        assert note.startswith(f"{bad[:7]} ")
        assert "was taken back already, by Ana, 20" in note
        assert first.json["commit"][:7] in note
    assert head == manifests.git("rev-parse", "main")


def test_bad_leaves_what_is_newer_alone(manifests: Manifests) -> None:
    """Something newer runs: refused, naming it, with what a rollback would do now."""
    bad, newer = deploy(manifests, "1.6.1", "1.6.2")

    result = back(manifests, "--bad", bad)

    assert (1, "refused") == (result.code, result.json["error"]["code"])
    error = result.json["error"]
    assert newer[:7] in error["message"]
    assert f"`gitops rollback dev --bad {newer[:7]}`" in error["hint"]
    assert "a rollback now: shop/api 1.6.2 -> 1.6.1" in error["reasons"]
    assert "1.6.2" == tag(manifests)


def test_the_preview_names_what_it_passes_over(manifests: Manifests) -> None:
    """Stable and QA-passed ones with their reason, in text and JSON; the unjudged are counted."""
    releases = deploy(manifests, "1.6.1", "1.6.2", "1.6.3", "1.6.4", "1.6.5")
    manifests.gitops("qa", "dev", "--pass", "--release", releases[2])
    manifests.gitops("qa", "dev", "--fail", "--release", releases[3])
    stable = f'{{"commit":"{releases[0]}","verdict":"stable","time":"2026-11-29T02:00:00Z",'
    images = manifests.gitops("history", "dev", "-o", "json").json["releases"][-2]["images"]
    write_ledger(manifests, stable, images)

    document = manifests.gitops("rollback", "dev", "--dry-run", "-o", "json").json
    text = manifests.gitops("rollback", "dev", "--dry-run").out

    told = [(one["commit"], one["kind"], one["verdicts"]) for one in document["passed_over"]]
    assert [
        (releases[3], "verdict", []),
        (releases[2], "unproven", ["qa-passed"]),
        (releases[1], "unjudged", []),
    ] == told
    assert [
        f"passes over {releases[2][:7]}",
        f"passes over {releases[3][:7]}",
        "passes over 1 newer release that nobody judged",
    ] == [line.split(" (")[0] for line in text.splitlines() if line.startswith("passes over")]
    assert "[qa-passed]: nobody saw it stable" in text
    assert ": is qa-failed" in text


def write_ledger(manifests: Manifests, start: str, images: object) -> None:
    """Append a line to the ledger of dev, as `gitops watch` does."""
    import json
    import subprocess

    git = ["git", "-C", str(manifests.checkout)]
    subprocess.run([*git, "fetch", "-q", "origin", "gitops/ledger"], check=True)
    subprocess.run([*git, "checkout", "-q", "-B", "ledger", "FETCH_HEAD"], check=True)
    path = manifests.checkout / "dev.jsonl"
    line = f'{start}"by":"watch","reason":"Healthy","images":{json.dumps(images)}}}\n'
    path.write_text(path.read_text() + line)
    subprocess.run([*git, "commit", "-qam", "stable"], check=True)
    subprocess.run([*git, "push", "-q", "origin", "HEAD:gitops/ledger"], check=True)
    subprocess.run([*git, "checkout", "-q", "main"], check=True)


def test_only_added_images_are_refused(manifests: Manifests) -> None:
    """Nothing is guessed: the images are named, with the ways on that can be typed."""
    deploy(manifests, "1.6.1")
    manifests.gitops("deploy", "shop/worker:1.0", "--to", "dev", "--add")

    result = back(manifests)

    error = result.json["error"]
    assert (1, "refused") == (result.code, error["code"])
    assert "only added shop/worker" in error["message"]
    assert "`gitops rollback dev --image shop/api" in error["hint"]
    assert "committed" == back(manifests, "--image", "shop/api").json["outcome"]


def test_an_undo_takes_back_images_and_hold(manifests: Manifests) -> None:
    """The images as before, the hold gone; then it was never rolled back for the rule."""
    deploy(manifests, "1.6.1", "1.6.2", "1.6.3")
    rolled = back(manifests).json["commit"]

    result = undo(manifests, "--reason", "wrong terminal")

    assert (0, "undo", "committed") == (
        result.code,
        *(result.json[key] for key in ("action", "outcome")),
    )
    assert "1.6.3" == tag(manifests)
    assert HOLD not in manifests.git("ls-tree", "-r", "--name-only", "main")
    message = manifests.git("log", "-1", "--format=%B", "main")
    assert message.startswith("dev: undo the rollback of shop/api 1.6.2 -> 1.6.3\n")
    assert f"Gitops-Undoes: {rolled}" in message
    assert "Reason: wrong terminal" in message

    back(manifests)
    assert "1.6.2" == tag(manifests)


def test_two_rollbacks_are_undone_one_by_one(manifests: Manifests) -> None:
    """The newer one first, with the hold of the older; then that one, and nothing is held."""
    deploy(manifests, "1.6.1", "1.6.2")
    back(manifests, reason="INC-1")
    first = manifests.file(HOLD)
    back(manifests, reason="INC-2")

    undo(manifests)
    assert ("1.6.1", first) == (tag(manifests), manifests.file(HOLD))
    undo(manifests)

    assert "1.6.2" == tag(manifests)
    assert HOLD not in manifests.git("ls-tree", "-r", "--name-only", "main")


def test_a_second_undo_does_nothing(manifests: Manifests) -> None:
    """The second click is told that it was undone, and by whom."""
    deploy(manifests, "1.6.1")
    rolled = back(manifests).json["commit"]
    first = undo(manifests)

    for again in (undo(manifests), undo(manifests, "--rollback", rolled)):
        assert (0, "unchanged") == (again.code, again.json["outcome"])
        assert "was undone already" in again.json["notes"][0]
        assert first.json["commit"][:7] in again.json["notes"][0]


def test_an_undo_restores_the_hold_that_stood_before(manifests: Manifests) -> None:
    """What somebody held before the rollback is held again, in the same words."""
    deploy(manifests, "1.6.1")
    manifests.gitops("hold", "dev", "--reason", "measuring")
    before = manifests.file(HOLD)
    back(manifests)
    assert "measuring; then: INC-1" in manifests.file(HOLD)

    undo(manifests)

    assert before == manifests.file(HOLD)


def test_an_undo_leaves_what_was_done_to_the_hold_since(manifests: Manifests) -> None:
    """Resumed since, or held anew: that stays, and is said."""
    deploy(manifests, "1.6.1", "1.6.2")
    back(manifests)
    manifests.gitops("resume", "dev")
    manifests.gitops("hold", "dev", "--reason", "looking into it")

    result = undo(manifests)

    assert "looking into it" in manifests.file(HOLD)
    assert any("looking into it" in note for note in result.json["notes"])
    assert "1.6.2" == tag(manifests)


def test_an_undo_names_what_landed_since(manifests: Manifests) -> None:
    """A release on top stays; nothing is written."""
    deploy(manifests, "1.6.1")
    back(manifests, "--no-hold")
    (newer,) = deploy(manifests, "1.6.2")

    result = undo(manifests)

    assert (1, "refused") == (result.code, result.json["error"]["code"])
    assert newer[:7] in result.json["error"]["message"]
    assert "1.6.2" == tag(manifests)


def test_an_undo_asks_for_nothing_that_is_not_there(manifests: Manifests) -> None:
    """Without a rollback it is refused; a dry run writes nothing."""
    deploy(manifests, "1.6.1")
    assert 1 == undo(manifests).code
    back(manifests)
    head = manifests.git("rev-parse", "main")

    planned = manifests.gitops("undo", "dev", "--dry-run")

    assert "planned only" in planned.out
    assert head == manifests.git("rev-parse", "main")
    assert 2 == undo(manifests, "--rollback", "nonsense").code


def test_a_second_rollback_keeps_the_first_reason(manifests: Manifests) -> None:
    """The hold says since when and why it was set first, and what came on top."""
    deploy(manifests, "1.6.1", "1.6.2")
    first = back(manifests, reason="INC-1: loses orders").json["hold"]

    second = back(manifests, reason="INC-2: slow").json["hold"]
    third = back(manifests, "--to", "1.6.2", "--override", "no", reason="INC-2: slow").json["hold"]

    assert "INC-1: loses orders; then: INC-2: slow" == second["reason"] == third["reason"]
    assert first["since"] == second["since"]


@pytest.mark.parametrize("more", [[], ["--no-hold"]])
def test_what_runs_already_never_makes_a_commit(manifests: Manifests, more: list[str]) -> None:
    """`--to` what runs: unchanged, no hold, no commit."""
    deploy(manifests, "1.6.1")
    head = manifests.git("rev-parse", "main")

    result = back(manifests, "--to", "1.6.1", *more)

    assert (0, "unchanged") == (result.code, result.json["outcome"])
    assert head == manifests.git("rev-parse", "main")
    assert "`gitops hold dev --reason TEXT`" in result.json["hint"]
    manifests.gitops("hold", "dev", "--reason", "INC-1")
    assert back(manifests, "--to", "1.6.1", *more).json["hint"] is None  # it is held already


@pytest.mark.parametrize("seconds", ["1764391000000", "253402300800", "99999999999999999"])
def test_dates_that_no_calendar_has_are_unknown(manifests: Manifests, seconds: str) -> None:
    """Milliseconds, the year 10000 and more: the way back, `status` and `history` go on."""
    deploy(manifests, "1.6.1")
    date = {"GIT_AUTHOR_DATE": f"@{seconds} +0000", "GIT_COMMITTER_DATE": f"@{seconds} +0000"}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in date.items():
            patch.setenv(key, value)
        by_hand(manifests, "1.6.2")

    history = manifests.gitops("history", "dev", "-o", "json").json["releases"]
    status = manifests.gitops("status", "dev", "-o", "json").json["environments"]

    assert (None, None) == (history[0]["time"], status[0]["time"])
    assert "unknown" in manifests.gitops("history", "dev").out
    assert "unknown" in manifests.gitops("status", "dev").out
    assert (0, "1.6.1") == (back(manifests).code, tag(manifests))


def renamed(manifests: Manifests, new: str, formerly: str = "") -> None:
    """Call dev something else in gitops.yaml."""
    text = manifests.file("gitops.yaml")
    assert "{name: dev," in text
    text = text.replace("{name: dev,", f"{{name: {new}, {formerly}")
    manifests.commit("another name", {"gitops.yaml": text})


def test_a_hold_outlives_the_name_of_its_environment(manifests: Manifests) -> None:
    """Writes are refused, naming hold and environment; `resume` with the old name lifts it."""
    deploy(manifests, "1.6.1", "1.6.2")
    back(manifests, reason="INC-7: loses orders")
    renamed(manifests, "develop")

    refused = manifests.gitops("deploy", "shop/api:1.6.2", "--ref", "main", "-o", "json")
    checked = manifests.gitops("validate", "-o", "json")

    assert (1, "refused") == (refused.code, refused.json["error"]["code"])
    assert ".gitops/holds/dev.yaml on main holds dev" in refused.json["error"]["message"]
    assert "INC-7: loses orders" in refused.json["error"]["message"]
    assert "`formerly: [dev]`" in refused.json["error"]["hint"]
    assert [("error", HOLD)] == [
        (one["level"], one["path"]) for one in checked.json["problems"] if one["path"] == HOLD
    ]
    assert 0 == manifests.gitops("rollback", "develop").code
    lifted = manifests.gitops("resume", "dev", "-o", "json")
    assert (0, "committed") == (lifted.code, lifted.json["outcome"])
    assert 0 == manifests.gitops("deploy", "shop/api:1.6.3", "--ref", "main").code


def test_earlier_names_keep_holds_verdicts_and_history(manifests: Manifests) -> None:
    """`formerly`: the hold stands, the verdict counts, and a rollback is known as one."""
    releases = deploy(manifests, "1.6.1", "1.6.2", "1.6.3")
    manifests.gitops("qa", "dev", "--fail", "--release", releases[0])
    back(manifests, reason="INC-7")
    renamed(manifests, "develop", "formerly: [dev],")

    skipped = manifests.gitops("deploy", "shop/api:1.6.4", "--ref", "main", "-o", "json")
    status = manifests.gitops("status", "develop", "-o", "json").json["environments"][0]
    history = manifests.gitops("history", "develop", "-o", "json").json["releases"]
    again = manifests.gitops("rollback", "develop", "--dry-run", "-o", "json")

    assert "develop" in {one["environment"] for one in skipped.json["skipped"]}
    assert "INC-7" == status["hold"]["reason"]
    assert "rollback" == history[0]["action"]
    assert ["qa-failed"] == [one["verdict"] for one in history[3]["verdicts"]]
    assert "1.4.1" == again.json["changes"][0]["after"]["tag"]  # 1.6.1 failed QA, 1.6.3 is away
    assert "develop" in manifests.gitops("status", "dev").err
    manifests.gitops("resume", "develop")
    assert HOLD not in manifests.git("ls-tree", "-r", "--name-only", "main")


@pytest.mark.parametrize("first", ["gitops.yaml", "both"])
def test_a_folder_that_was_renamed_keeps_its_history(manifests: Manifests, first: str) -> None:
    """Whether gitops.yaml changes with the folder or before: the way back goes on."""
    deploy(manifests, "1.6.1", "1.6.2")
    content = manifests.file(DEV)
    text = manifests.file("gitops.yaml").replace("overlays/dev", "overlays/develop")
    moved = {"overlays/develop/kustomization.yaml": content, DEV: None}
    if first == "gitops.yaml":
        manifests.commit("policy first", {"gitops.yaml": text})
        manifests.commit("then the folder", moved)
    else:
        manifests.commit("rename the folder", {"gitops.yaml": text, **moved})

    result = back(manifests)

    assert (0, "1.6.1") == (result.code, result.json["changes"][0]["after"]["tag"])
    history = manifests.gitops("history", "dev", "-o", "json").json["releases"]
    assert ["rollback", "deploy", "deploy"] == [one["action"] for one in history[:3]]


def test_another_spelling_of_the_file_is_no_release(manifests: Manifests) -> None:
    """`.yaml` becomes `.yml`: the way back goes on."""
    deploy(manifests, "1.6.1", "1.6.2")
    content = manifests.file(DEV)
    manifests.commit("spelling", {DEV: None, "overlays/dev/kustomization.yml": content})

    result = back(manifests)

    assert (0, "1.6.1") == (result.code, result.json["changes"][0]["after"]["tag"])


@pytest.mark.parametrize("broken", ["environments: [", "nonsense: 1\n", None])
def test_a_broken_gitops_yaml_does_not_bar_the_way_back(
    manifests: Manifests, broken: str | None
) -> None:
    """Rollback, undo, status, history and hold go by the newest one that parses, and warn."""
    deploy(manifests, "1.6.1", "1.6.2")
    manifests.commit("oops", {"gitops.yaml": broken})

    rolled = back(manifests)
    answers = [
        manifests.gitops(*words, "-o", "json")
        for words in (("undo", "dev"), ("status",), ("history", "dev"))
    ]
    held = manifests.gitops("hold", "dev", "--reason", "looking", "-o", "json")
    refused = manifests.gitops("deploy", "shop/api:1.6.3", "--to", "dev", "-o", "json")

    for answer in (rolled, *answers, held):
        assert 0 == answer.code, answer.err
        assert any("gitops.yaml" in warning for warning in answer.json["warnings"]), answer.out
    assert (2, "config") == (refused.code, refused.json["error"]["code"])


def test_what_runs_beside_its_hold_is_shown(manifests: Manifests) -> None:
    """A bot pushed into a held environment: `status` and `validate` say what runs in its place."""
    deploy(manifests, "1.6.1", "1.6.2")
    rolled = back(manifests, "--image", "shop/api", reason="INC-7")
    assert not manifests.gitops("status", "dev", "-o", "json").json["warnings"]
    by_hand(manifests, "1.6.2")

    status = manifests.gitops("status", "dev", "-o", "json").json
    checked = manifests.gitops("validate", "-o", "json").json
    here = manifests.gitops("validate", "-o", "json", repo=str(manifests.checkout)).json

    words = "dev: it is held at "
    (warning,) = status["warnings"]
    assert warning.startswith(words + rolled.json["hold"]["release"][:7])
    assert warning.endswith("(INC-7), but runs shop/api 1.6.2 and not 1.6.1")
    for document in (checked, here):
        found = [one for one in document["problems"] if one["path"] == HOLD]
        assert [("warning", warning)] == [(one["level"], one["message"]) for one in found]


def land(manifests: Manifests, how: str) -> None:
    """Make the newest commit of main land as a merge of a branch does, and force it there."""
    git = ["git", "-C", str(manifests.checkout)]

    def run(*words: str) -> str:
        return subprocess.check_output([*git, *words], text=True).strip()

    run("fetch", "-q", "origin")
    run("checkout", "-q", "-B", "main", "origin/main~1")
    rollback = run("rev-parse", "origin/main")
    if how == "squash":
        run("merge", "-q", "--squash", rollback)
        run("commit", "-q", "-m", "Rollback web (#12)")
    elif how == "rebase":
        run("commit", "-q", "--allow-empty", "-m", "something else")
        run("cherry-pick", rollback)
    elif how == "cherry-pick":
        run("cherry-pick", "-x", "--no-commit", rollback)
        run("commit", "-q", "--no-edit", "-C", rollback, "--date", "2026-01-01T00:00:00Z")
    else:
        run("merge", "-q", "--no-ff", "-m", "Merge pull request #12", rollback)
    run("push", "-q", "--force", "origin", "main")


@pytest.mark.parametrize("how", ["squash", "rebase", "cherry-pick", "merge"])
def test_a_rollback_is_known_however_it_landed(manifests: Manifests, how: str) -> None:
    """One of two images went back; landed in any way, the next rollback goes further back."""
    deploy(manifests, "1.6.1")
    deploy(manifests, "2.4.0", image="shop/web")
    deploy(manifests, "1.6.2")
    manifests.gitops("deploy", "shop/api:1.6.3", "shop/web:2.5.0", "--to", "dev")
    assert 0 == back(manifests, "--image", "shop/web").code
    land(manifests, how)

    changes = manifests.gitops("rollback", "dev", "--dry-run", "-o", "json").json["changes"]

    went = {one["image"]: one["after"]["tag"] for one in changes}
    assert {"shop/api": "1.6.2"} == went


def test_a_rewritten_branch_keeps_what_it_took_away(manifests: Manifests) -> None:
    """Every commit has another id: what the rollback took away is found by its images."""
    deploy(manifests, "1.6.1", "1.6.2", "1.6.3")
    back(manifests)
    git = ["git", "-C", str(manifests.checkout)]
    subprocess.run([*git, "fetch", "-q", "origin"], check=True)
    subprocess.run([*git, "reset", "-q", "--hard", "origin/main"], check=True)
    rewritten = ["filter-branch", "-f", "--env-filter", "export GIT_COMMITTER_NAME=Else", "HEAD"]
    quiet = {**os.environ, "FILTER_BRANCH_SQUELCH_WARNING": "1"}
    subprocess.run([*git, *rewritten], check=True, env=quiet, capture_output=True)
    subprocess.run([*git, "push", "-q", "--force", "origin", "HEAD:main"], check=True)

    assert (0, "1.6.1") == (back(manifests).code, tag(manifests))


def test_without_an_environment_a_terminal_shows_what_is_new(manifests: Manifests) -> None:
    """The newest change first, with what it changed and who did it; then it asks for one."""
    (newest,) = deploy(manifests, "1.6.1")

    code, shown = on_terminal(manifests, "dev\ny\n", "rollback")

    first = next(line for line in shown.splitlines() if "->" in line)
    assert first.startswith("dev ")
    assert f"{newest[:7]}" in first
    assert "shop/api 1.4.1 -> 1.6.1" in first
    assert "local" not in shown.split("Roll back which")[0]
    assert (0, "1.4.1") == (code, tag(manifests))
    assert 2 == on_terminal(manifests, "nowhere\n", "rollback")[0]


def test_without_an_environment_and_a_terminal_it_is_an_error(manifests: Manifests) -> None:
    """A script must say which."""
    result = manifests.gitops("rollback", "-o", "json")

    assert (2, "usage") == (result.code, result.json["error"]["code"])


def test_history_tells_what_was_undone(manifests: Manifests) -> None:
    """Both commits stand in the history; the rollback says which commit undid it."""
    deploy(manifests, "1.6.1")
    back(manifests)
    done = undo(manifests).json["commit"]

    releases = manifests.gitops("history", "dev", "-o", "json").json["releases"]

    assert [("undo", None), ("rollback", done)] == [
        (one["action"], one["undone"]) for one in releases[:2]
    ]
    assert "rollback (undone)" in manifests.gitops("history", "dev").out


BEN = {"GITOPS_AUTHOR": "Ben <ben@example.com>"}


def by_proposal(manifests: Manifests) -> None:
    """Prod takes rollbacks as proposals, and went to 1.5.0, 1.5.1 and 1.5.2."""
    text = manifests.file("gitops.yaml").replace(
        "rollback: commit              # going back must not wait for anybody",
        "rollback: pull-request",
    )
    manifests.commit("rollbacks are reviewed", {"gitops.yaml": text})
    for new in ("1.5.0", "1.5.1", "1.5.2"):
        manifests.gitops("deploy", f"shop/api:{new}", "--ref", "release/1.5")
        assert 0 == manifests.gitops("deploy", f"shop/api:{new}", "--to", "prod").code
        assert 0 == manifests.gitops("approve", "prod", env=BEN).code


def test_where_rollbacks_are_proposed_an_undo_is(manifests: Manifests) -> None:
    """It waits for approval, brings images and hold back, and history reads as if nothing was."""
    by_proposal(manifests)
    before = manifests.file("overlays/prod/kustomization.yaml")
    for _ in range(2):
        rolled = manifests.gitops("rollback", "prod", "--reason", "INC-1", "-o", "json")
        assert "proposed" == rolled.json["outcome"]
        assert 0 == manifests.gitops("approve", "prod", env=BEN).code

    for _ in range(2):
        undone = manifests.gitops("undo", "prod", "-o", "json")
        assert 0 == undone.code, undone.err
        assert "proposed" == undone.json["outcome"]
        approved = manifests.gitops("approve", "prod", "-o", "json", env=BEN)
        assert 0 == approved.code, approved.err

    assert before == manifests.file("overlays/prod/kustomization.yaml")
    assert ".gitops" not in manifests.git("ls-tree", "-r", "--name-only", "main")
    again = manifests.gitops("rollback", "prod", "--dry-run", "-o", "json").json
    assert "1.5.1" == again["changes"][0]["after"]["tag"]


def test_policy_says_that_a_rollback_took_it_away(manifests: Manifests) -> None:
    """What was rolled back in stage is not called "not a release": the rollback is named."""
    for new in ("1.5.0", "1.5.1"):
        manifests.gitops("deploy", f"shop/api:{new}", "--ref", "release/1.5")
    rolled = manifests.gitops("rollback", "stage", "-o", "json").json["commit"]

    refused = manifests.gitops("deploy", "shop/api:1.5.1", "--to", "prod", "-o", "json")

    assert (1, "refused") == (refused.code, refused.json["error"]["code"])
    (reason,) = refused.json["error"]["reasons"]
    assert f"a rollback of stage took shop/api 1.5.1 away: {rolled[:7]}" in reason
