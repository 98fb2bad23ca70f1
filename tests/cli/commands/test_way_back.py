"""The way back as it is typed: `rollback`, `rollback --bad` and `undo`, on a real repository."""

from __future__ import annotations

import re

import pytest

from manifests import Manifests, Result

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
