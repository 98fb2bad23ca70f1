"""`gitops qa` as a subprocess, and what history, status and rollback make of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import warm
from manifests import Manifests, Result, on_terminal

LEDGER = "gitops/ledger"


def deploy(manifests: Manifests, tag: str, environment: str = "stage") -> str:
    """Put a tag into an environment, and return the release."""
    result = manifests.gitops("deploy", f"shop/api:{tag}", "--to", environment, "-o", "json")
    assert 0 == result.code, result.err
    return str(result.json["commit"])


def lines(manifests: Manifests, path: str = "stage.jsonl") -> list[dict[str, Any]]:
    """Return the records of one file of the ledger."""
    return [json.loads(line) for line in manifests.file(path, LEDGER).splitlines()]


def say(manifests: Manifests, word: str, release: str, *more: str) -> Result:
    """Record a word on a release of stage."""
    return manifests.gitops("qa", "stage", word, "--release", release, *more)


def verdicts(manifests: Manifests, environment: str = "stage") -> dict[str, list[str]]:
    """Return commit -> verdicts, as history tells them."""
    document = manifests.gitops("history", environment, "-o", "json").json
    return {
        release["commit"]: [verdict["verdict"] for verdict in release["verdicts"]]
        for release in document["releases"]
    }


def test_pass_is_recorded_and_shown(manifests: Manifests) -> None:
    """QA's word is a line of the ledger, with who, when and the note; main stays as it is."""
    release = deploy(manifests, "1.5.0")
    head = manifests.git("rev-parse", "main")

    result = say(manifests, "--pass", release[:7], "--note", "all of it", "-o", "json")
    history = manifests.gitops("history", "stage", "-o", "json").json
    status = manifests.gitops("status", "stage", "-o", "json").json

    assert (0, "qa", "committed", LEDGER, 1) == (
        result.code,
        *(result.json[key] for key in ("action", "outcome", "branch", "attempts")),
    )
    assert result.json["commit"] == manifests.git("rev-parse", LEDGER).strip()
    (record,) = lines(manifests)
    assert (release, "qa-passed", "Mona Test", "all of it") == tuple(
        record[key] for key in ("commit", "verdict", "by", "reason")
    )
    assert ["shop/api", "shop/web"] == [image["image"] for image in record["images"]]
    expected = {key: record[key] for key in ("verdict", "time", "by", "reason")}
    assert [expected] == history["releases"][0]["verdicts"]
    assert [expected] == status["environments"][0]["verdicts"]
    assert [] == history["releases"][1]["verdicts"]
    assert head == manifests.git("rev-parse", "main")


def test_text_is_two_lines(manifests: Manifests) -> None:
    """A person reads what was recorded, and where."""
    release = deploy(manifests, "1.5.0")

    result = say(manifests, "--fail", release)
    history = manifests.gitops("history", "stage").out.splitlines()
    status = manifests.gitops("status", "stage").out

    first, second = result.out.splitlines()
    assert first.startswith(f"stage {release[:7]}")
    assert first.endswith("qa-failed by Mona Test")
    assert second.startswith("committed ")
    assert f"to {LEDGER} of" in second
    assert history[0].endswith("[qa-failed]")
    assert "qa-failed, " in status


def test_newest_word_counts(manifests: Manifests) -> None:
    """A release that failed and then passed has passed; both lines stay."""
    release = deploy(manifests, "1.5.0")

    say(manifests, "--fail", release)
    say(manifests, "--pass", release)

    assert ["qa-passed"] == verdicts(manifests)[release]
    assert ["qa-failed", "qa-passed"] == [line["verdict"] for line in lines(manifests)]


def test_same_word_again_is_unchanged(manifests: Manifests) -> None:
    """The same word again writes nothing."""
    release = deploy(manifests, "1.5.0")
    say(manifests, "--pass", release)
    head = manifests.git("rev-parse", LEDGER)

    result = say(manifests, "--pass", release, "-o", "json")

    assert (0, "unchanged", None) == (
        result.code,
        result.json["outcome"],
        result.json["commit"],
    )
    assert head == manifests.git("rev-parse", LEDGER)


def test_word_counts_for_the_same_set_of_images(manifests: Manifests) -> None:
    """What returns to the very images that passed has passed; one image more has not."""
    first = deploy(manifests, "1.5.0")
    say(manifests, "--pass", first)
    other = deploy(manifests, "1.6.0")
    again = deploy(manifests, "1.5.0")
    manifests.gitops("deploy", "shop/web:9.9.9", "--to", "stage")

    found = verdicts(manifests)

    newest = next(iter(found))
    assert {first: ["qa-passed"], other: [], again: ["qa-passed"], newest: []} == {
        commit: found[commit] for commit in (first, other, again, newest)
    }


def test_dry_run_writes_nothing(manifests: Manifests) -> None:
    """--dry-run shows the line and makes no branch."""
    release = deploy(manifests, "1.5.0")

    result = say(manifests, "--pass", release, "--dry-run")
    document = say(manifests, "--pass", release, "--dry-run", "-o", "json").json

    assert any(line.startswith("+{") and "qa-passed" in line for line in result.out.splitlines())
    assert ("planned", None) == (document["outcome"], document["commit"])
    assert LEDGER not in manifests.git("branch", "--list", "--all")


def test_wrong_usage(manifests: Manifests) -> None:
    """Neither or both words, no release without a terminal, no commit, an empty note."""
    release = deploy(manifests, "1.5.0")

    for arguments in (
        ("qa", "stage", "--release", release),
        ("qa", "stage", "--pass", "--fail", "--release", release),
        ("qa", "stage", "--pass"),
        ("qa", "stage", "--pass", "--release", release[:6]),
        ("qa", "stage", "--pass", "--release", release, "--note", " "),
    ):
        result = manifests.gitops(*arguments, "-o", "json")
        assert (2, "usage") == (result.code, result.json["error"]["code"]), arguments


def test_commit_that_is_no_release(manifests: Manifests) -> None:
    """A release of another environment, or a commit that changed no image, has no word here."""
    dev = deploy(manifests, "1.5.0", "dev")
    readme = manifests.commit("Readme", {"overlays/stage/README.md": "hello\n"})

    for commit in (dev, readme):
        result = say(manifests, "--pass", commit, "-o", "json")
        assert (3, "not-found") == (result.code, result.json["error"]["code"])
        assert result.json["error"]["reasons"]


def test_terminal_shows_the_newest_and_asks(manifests: Manifests) -> None:
    """Without --release a person is shown the newest release; no is no."""
    release = deploy(manifests, "1.5.0")

    refused, shown = on_terminal(manifests, "n\n", "qa", "stage", "--pass")
    assert 1 == refused
    assert LEDGER not in manifests.git("branch", "--list", "--all")
    assert release[:7] in shown
    assert "shop/api 1.5.0" in shown

    accepted, _ = on_terminal(manifests, "y\n", "qa", "stage", "--pass")
    assert (0, [release]) == (accepted, [line["commit"] for line in lines(manifests)])


def test_bump_that_arrives_meanwhile_is_not_passed(manifests: Manifests) -> None:
    """What is deployed while QA tests, or while it is asked, has no word."""
    tested = deploy(manifests, "1.5.0")
    bump = deploy(manifests, "1.5.1")

    assert 0 == say(manifests, "--pass", tested).code

    found = verdicts(manifests)
    assert (["qa-passed"], []) == (found[tested], found[bump])


def test_two_words_at_once_are_both_kept(manifests: Manifests) -> None:
    """Writers at the same time lose nothing, also when the branch is made by one of them."""
    releases = [deploy(manifests, f"1.5.{number}") for number in range(6)]
    running = [
        warm.start(
            ["qa", "stage", "--pass", "--release", release],
            manifests.elsewhere,
            {**os.environ, "GITOPS_REPO": str(manifests.path)},
        )
        for release in releases
    ]
    ends = [process.communicate() for process in running]

    assert [0] * 6 == [process.returncode for process in running], ends
    assert sorted(releases) == sorted(line["commit"] for line in lines(manifests))


def test_rollback_leaves_out_what_failed(manifests: Manifests) -> None:
    """A release that failed QA is passed over, and taken by name only with an override."""
    good = deploy(manifests, "1.5.0")
    bad = deploy(manifests, "1.5.1")
    deploy(manifests, "1.5.2")
    say(manifests, "--fail", bad)

    named = manifests.gitops("rollback", "stage", "--to", bad, "-o", "json")
    result = manifests.gitops("rollback", "stage", "-o", "json")

    assert (1, "refused") == (named.code, named.json["error"]["code"])
    assert "is qa-failed" in named.json["error"]["message"]
    assert "1.5.0" in manifests.file("overlays/stage/kustomization.yaml")
    assert f"Gitops-Restores: {good}" in manifests.git("log", "-1", "--format=%B", "main")
    assert 0 == result.code


def test_rollback_goes_to_the_stable_one(manifests: Manifests) -> None:
    """The newest stable release is taken, and the preview counts what it passes over."""
    stable = deploy(manifests, "1.5.0")
    deploy(manifests, "1.5.1")
    deploy(manifests, "1.5.2")
    record(manifests, stable, "stable")

    result = manifests.gitops("rollback", "stage", "-o", "json")

    assert "1.5.0" in manifests.file("overlays/stage/kustomization.yaml")
    notes = " ".join(result.json["notes"])
    assert "it was seen stable" in notes
    assert "passes over 1 newer" in notes


def test_after_rule_hears_qa(manifests: Manifests) -> None:
    """What failed QA in stage goes to prod no more, though it still runs there."""
    release = deploy(manifests, "1.5.0")
    say(manifests, "--fail", release)

    result = manifests.gitops("deploy", "shop/api:1.5.0", "--to", "prod", "-o", "json")

    assert (1, "refused") == (result.code, result.json["error"]["code"])
    assert "qa-failed" in " ".join(result.json["error"]["reasons"])


def test_broken_line_is_told_and_passed_over(manifests: Manifests) -> None:
    """A line that cannot be read hides no other one."""
    release = deploy(manifests, "1.5.0")
    say(manifests, "--pass", release)
    append(manifests, b"junk\n")

    result = manifests.gitops("history", "stage")

    assert ["qa-passed"] == verdicts(manifests)[release]
    assert "stage.jsonl: line 2: is no record" in result.err


def record(manifests: Manifests, release: str, verdict: str) -> None:
    """Append a line as `wait` will, in the name of a machine."""
    listed = manifests.gitops("history", "stage", "-o", "json").json["releases"]
    images = next(entry["images"] for entry in listed if entry["commit"] == release)
    line = {
        "commit": release,
        "verdict": verdict,
        "time": "2026-11-24T12:00:00Z",
        "by": "wait",
        "images": images,
        "machine": True,
    }
    append(manifests, json.dumps(line).encode() + b"\n")


def append(manifests: Manifests, line: bytes) -> None:
    """Append bytes to stage.jsonl of the ledger, by hand."""
    path = Path(manifests.path)
    known = subprocess.run(
        ["git", "-C", path, "show", f"{LEDGER}:stage.jsonl"], capture_output=True, check=False
    )
    content = known.stdout if known.returncode == 0 else b""
    is_there = bool(manifests.git("branch", "--list", LEDGER))
    parent = f"from refs/heads/{LEDGER}^0\n" if is_there else ""
    whole = content + line
    stream = (
        f"commit refs/heads/{LEDGER}\ncommitter Bob <bob@example.com> 1790000000 +0000\n"
        f"data 4\nhand\n{parent}M 100644 inline stage.jsonl\ndata {len(whole)}\n"
    ).encode() + whole
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input=stream, check=True)


def test_a_release_by_its_tag_or_as_the_newest(manifests: Manifests) -> None:
    """A tag is the newest release that has it; `newest` is what is there now."""
    first = deploy(manifests, "1.5.0")
    second = deploy(manifests, "1.6.0")

    assert say(manifests, "--fail", "1.5.0").code == 0
    assert say(manifests, "--pass", "newest").code == 0
    assert verdicts(manifests) | {first: ["qa-failed"], second: ["qa-passed"]} == verdicts(
        manifests
    )
    assert say(manifests, "--pass", "9.9.9").code == 3


def test_what_is_expected_must_be_there(manifests: Manifests) -> None:
    """A script that tested 1.5.0 says nothing of the 1.6.0 that came meanwhile."""
    deploy(manifests, "1.6.0")
    wrong = say(manifests, "--pass", "newest", "--expect", "shop/api:1.5.0", "-o", "json")

    assert wrong.code == 1
    assert ["shop/api is 1.6.0, not 1.5.0"] == wrong.json["error"]["reasons"]
    assert say(manifests, "--pass", "newest", "--expect", "nobody:1").code == 1
    assert say(manifests, "--pass", "newest", "--expect", "shop/api").code == 2
    assert LEDGER not in manifests.git("branch", "--list", "--all")
    right = ("--expect", "shop/api:1.6.0", "--expect", "shop/web:2.3.0")
    assert say(manifests, "--pass", "newest", *right).code == 0
