"""approve and close without a forge: who may, what lands, and what stops it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manifests import Manifests, Result

PROD = "overlays/prod/kustomization.yaml"
DEV = "overlays/dev/kustomization.yaml"
BEN = {"GITOPS_AUTHOR": "Ben <ben@example.com>"}
CARA = {"GITOPS_AUTHOR": "Cara <cara@example.com>"}


def propose(manifests: Manifests, tag: str = "1.5.0", image: str = "shop/api") -> Result:
    """Have Mona bring an image to stage and propose it for prod."""
    manifests.gitops("deploy", f"{image}:{tag}", "--ref", "release/1.5")
    words = ("--reason", "the spring release", "-o", "json")
    result = manifests.gitops("deploy", f"{image}:{tag}", "--to", "prod", *words)
    assert 0 == result.code, result.err
    return result


def head(manifests: Manifests, branch: str = "main") -> str:
    """Return the commit of a branch."""
    return manifests.git("rev-parse", branch).strip()


def branches(manifests: Manifests) -> list[str]:
    """Return the names of all branches."""
    return manifests.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()


def test_another_person_approves(manifests: Manifests) -> None:
    """The shown head is merged with its trailers, who approved stands there, the branch goes."""
    proposed = propose(manifests).json["commit"]
    before = head(manifests)
    result = manifests.gitops("approve", "prod", "-o", "json", env=BEN)

    assert 0 == result.code, result.err
    document = result.json
    message = manifests.git("log", "-1", "--format=%B", "main")
    parents = manifests.git("log", "-1", "--format=%P", "main").split()
    assert ("approve", "committed", head(manifests)) == (
        document["action"],
        document["outcome"],
        document["commit"],
    )
    assert [("gitops/prod", "merged", proposed)] == [
        (row["branch"], row["state"], row["commit"]) for row in document["proposals"]
    ]
    assert [before, proposed] == parents
    assert ["gitops/ledger", "main"] == branches(manifests)
    assert "1.5.0" in manifests.file(PROD)
    assert "Gitops-Action: deploy\nGitops-Environment: prod\n" in message
    assert "Gitops-Approved-By: Ben <ben@example.com>\n" in message
    assert "Reason: the spring release\n" in message
    assert message.startswith("prod: shop/api ")


def test_the_approval_stands_in_the_ledger(manifests: Manifests) -> None:
    """The ledger has one line: which head, who, when; and no word of who was refused."""
    proposed = propose(manifests).json["commit"]
    manifests.gitops("approve", "prod")
    manifests.gitops("approve", "prod", env=BEN)
    lines = [
        json.loads(text) for text in manifests.file("prod.jsonl", "gitops/ledger").splitlines()
    ]

    assert [(proposed, "approved", "Ben")] == [
        (line["commit"], line["verdict"], line["by"]) for line in lines
    ]


def test_history_tells_who_approved_what(manifests: Manifests) -> None:
    """A merged proposal is one release of prod, and can be rolled back."""
    manifests_before = manifests.file(PROD)
    propose(manifests)
    manifests.gitops("approve", "prod", env=BEN)
    history = manifests.gitops("history", "prod", "-o", "json").json["releases"]
    back = manifests.gitops("rollback", "prod", "-o", "json")

    assert [("deploy", head(manifests, "main^"))] == [
        (row["action"], row["commit"]) for row in history[:1]
    ]
    assert 0 == back.code, back.err
    assert manifests_before == manifests.file(PROD)


def test_its_author_may_not_approve(manifests: Manifests) -> None:
    """Whoever proposed it is refused, under any name beside the same address."""
    propose(manifests)
    own = manifests.gitops("approve", "prod", "-o", "json")
    renamed = manifests.gitops(
        "approve", "prod", "-o", "json", env={"GITOPS_AUTHOR": "Ben <MONA@example.com>"}
    )

    assert [(1, "refused")] * 2 == [(one.code, one.json["error"]["code"]) for one in (own, renamed)]
    assert "author" in own.json["error"]["message"]
    assert "gitops/prod" in branches(manifests)


def test_everybody_whose_images_stay_in_it_is_an_author(manifests: Manifests) -> None:
    """Images of Mona that Ben's proposal keeps are not approved by Mona, nor Ben's by Ben."""
    propose(manifests)
    manifests.gitops("deploy", "shop/web:2.5.0", "--ref", "release/1.5")
    manifests.gitops("deploy", "shop/web:2.5.0", "--to", "prod", env=BEN)

    assert 1 == manifests.gitops("approve", "prod").code
    assert 1 == manifests.gitops("approve", "prod", env=BEN).code
    approved = manifests.gitops("approve", "prod", env=CARA)
    assert 0 == approved.code, approved.err
    assert "1.5.0" in manifests.file(PROD)
    assert "2.5.0" in manifests.file(PROD)


def test_a_head_that_moved_is_refused(manifests: Manifests) -> None:
    """--head names what was looked at; a proposal that changed since is refused, both shown."""
    old = propose(manifests).json["commit"]
    new = propose(manifests, "1.5.1").json["commit"]
    result = manifests.gitops("approve", "prod", "--head", old[:10], "-o", "json", env=BEN)
    right = manifests.gitops("approve", "prod", "--head", new, env=BEN)

    assert (1, "refused") == (result.code, result.json["error"]["code"])
    assert f"moved from {old[:7]} to {new[:7]}" in result.json["error"]["message"]
    assert 0 == right.code, right.err


def test_a_hold_set_since_stops_it(manifests: Manifests) -> None:
    """Policy is asked as of now; an override passes it and is recorded."""
    propose(manifests)
    manifests.gitops("hold", "prod", "--reason", "INC-42")
    refused = manifests.gitops("approve", "prod", "-o", "json", env=BEN)
    passed = manifests.gitops("approve", "prod", "--override", "INC-43", env=BEN)

    assert (1, "refused") == (refused.code, refused.json["error"]["code"])
    assert "INC-42" in refused.json["error"]["reasons"][0]
    assert 0 == passed.code, passed.err
    message = manifests.git("log", "-1", "--format=%B", "main")
    assert "Gitops-Override: INC-43 (passed: prod: held by Mona" in message


def test_an_override_covers_what_it_was_given_for(manifests: Manifests) -> None:
    """The proposal's own override is enough for its reasons, and not for one that came later."""
    words = ("--override", "boss said so")
    manifests.gitops("deploy", "shop/api:6.6.6", "--to", "prod", *words)
    manifests.gitops("hold", "prod", "--reason", "INC-42")
    refused = manifests.gitops("approve", "prod", "-o", "json", env=BEN)
    manifests.gitops("resume", "prod")
    passed = manifests.gitops("approve", "prod", env=BEN)

    assert ["prod: held by Mona Test: INC-42"] == refused.json["error"]["reasons"]
    assert 0 == passed.code, passed.err
    assert "boss said so" in manifests.git("log", "-1", "--format=%B", "main")


def test_an_image_taken_back_in_stage_is_not_approved(manifests: Manifests) -> None:
    """`after` is asked again: what stage rolled back since does not reach prod."""
    propose(manifests)
    manifests.gitops("rollback", "stage")
    result = manifests.gitops("approve", "prod", "-o", "json", env=BEN)

    assert (1, "refused") == (result.code, result.json["error"]["code"])
    assert "a rollback of stage took shop/api 1.5.0 away" in result.json["error"]["reasons"][0]


def test_main_moved_since_the_proposal(manifests: Manifests) -> None:
    """Other lines of the overlay that changed since stay; the approved images come on top."""
    propose(manifests)
    text = manifests.file(PROD)
    manifests.commit("Note something", {PROD: "# a note\n" + text, "README.md": "hello\n"})
    result = manifests.gitops("approve", "prod", env=BEN)

    assert 0 == result.code, result.err
    assert manifests.file(PROD).startswith("# a note\n")
    assert "1.5.0" in manifests.file(PROD)
    assert "hello\n" == manifests.file("README.md")


def test_a_proposed_rollback_brings_its_hold(manifests: Manifests) -> None:
    """Where going back needs approval, a hold comes with it, and no hold stops it."""
    config = (manifests.checkout / "gitops.yaml").read_text()
    manifests.commit(
        "Ask before going back",
        {"gitops.yaml": config.replace("rollback: commit ", "rollback: pull-request ")},
    )
    before = manifests.file(PROD)
    propose(manifests)
    manifests.gitops("approve", "prod", env=BEN)
    proposed = manifests.gitops("rollback", "prod", "--reason", "INC-9", "-o", "json")
    result = manifests.gitops("approve", "prod", env=BEN)

    assert "proposed" == proposed.json["outcome"]
    assert 0 == result.code, result.err
    assert before == manifests.file(PROD)
    assert "INC-9" in manifests.file(".gitops/holds/prod.yaml")
    newest = manifests.gitops("history", "prod", "-o", "json").json["releases"][0]
    assert "rollback" == newest["action"]
    assert newest["restores"] is not None


@pytest.mark.parametrize("path", ["base/extra.yaml", PROD])
def test_a_branch_that_holds_more_is_refused(manifests: Manifests, path: str) -> None:
    """What somebody slipped into the proposal's commit is neither merged nor lost in silence."""
    propose(manifests)
    checkout = str(manifests.checkout)
    manifests.git("-C", checkout, "fetch", "-q", "origin", "gitops/prod")
    manifests.git("-C", checkout, "checkout", "-q", "--detach", "FETCH_HEAD")
    with (manifests.checkout / path).open("a") as file:
        file.write("namePrefix: evil-\n")
    manifests.git("-C", checkout, "add", path)
    manifests.git("-C", checkout, "commit", "-q", "--amend", "--no-edit")
    manifests.git("-C", checkout, "push", "-q", "--force", "origin", "HEAD:gitops/prod")
    result = manifests.gitops("approve", "prod", "-o", "json", env=BEN)

    assert (1, "refused") == (result.code, result.json["error"]["code"])
    assert path in result.json["error"]["message"]


def test_without_a_listed_signature_an_approval_does_not_count(manifests: Manifests) -> None:
    """Where gitops.yaml names signers, an unsigned approval is recorded and merges nothing."""
    config = manifests.file("gitops.yaml")
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPIJ8uBIdoJFm3vNwV5Mu4tmkZQwdrDzFCkCPWrZbbJ8"
    files = {
        "gitops.yaml": config + "signers: .gitops/signers\n",
        ".gitops/signers": f"ben {key}\n",
    }
    propose(manifests)
    manifests.commit("Ask for signatures", files)
    before = head(manifests)
    result = manifests.gitops("approve", "prod", "-o", "json", env=BEN)

    assert (0, "gitops/ledger") == (result.code, result.json["branch"]), result.err
    assert any("0 of 1 approvals" in note for note in result.json["notes"])
    assert before == head(manifests)
    assert "gitops/prod" in branches(manifests)


def test_dry_run_of_approve_changes_nothing(manifests: Manifests) -> None:
    """--dry-run shows the difference; branch and main stay."""
    propose(manifests)
    before = head(manifests)
    result = manifests.gitops("approve", "prod", "--dry-run", env=BEN)
    document = manifests.gitops("approve", "prod", "--dry-run", "-o", "json", env=BEN).json

    assert any(line.startswith("+") and "1.5.0" in line for line in result.out.splitlines())
    assert before == head(manifests)
    assert "gitops/prod" in branches(manifests)
    assert ("planned", "open") == (document["outcome"], document["proposals"][0]["state"])


@pytest.mark.parametrize("verb", ["approve", "close"])
def test_nothing_waits(manifests: Manifests, verb: str) -> None:
    """Without a proposal approve is not-found, and close has nothing to do."""
    result = manifests.gitops(verb, "prod", "-o", "json", env=BEN)

    expected = (3, "not-found") if verb == "approve" else (0, "unchanged")
    word = result.json["error"]["code"] if verb == "approve" else result.json["outcome"]
    assert expected == (result.code, word)


def test_close_drops_the_branch(manifests: Manifests) -> None:
    """close deletes the branch, leaves main alone, and says why."""
    proposed = propose(manifests).json["commit"]
    before = head(manifests)
    result = manifests.gitops("close", "prod", "--reason", "superseded", "-o", "json")

    assert (0, "closed", None) == (result.code, result.json["outcome"], result.json["commit"])
    assert [("closed", proposed)] == [
        (row["state"], row["commit"]) for row in result.json["proposals"]
    ]
    assert any("superseded" in note for note in result.json["notes"])
    assert ["main"] == branches(manifests)
    assert before == head(manifests)


def test_status_says_who_waits_since_when(manifests: Manifests) -> None:
    """status names the proposal, its author and its time."""
    propose(manifests)
    text = manifests.gitops("status", "prod").out
    row = manifests.gitops("status", "prod", "-o", "json").json["environments"][0]["proposals"][0]

    assert "Mona Test" == row["by"]
    assert row["since"].endswith("Z")
    assert "waits for approval on gitops/prod since 20" in text
    assert "proposed by Mona Test" in text


def test_a_lost_race_is_planned_again(manifests: Manifests, tmp_path: Path) -> None:
    """When main moves while the approval is pushed, both the bump and the approval land."""
    propose(manifests)
    content = manifests.file(DEV)
    other = manifests.commit("Bump dev by hand", {DEV: content.replace("1.4.1", "1.4.9")})
    manifests.git("update-ref", "refs/heads/main", f"{other}^")
    race_once(manifests, tmp_path, f"git update-ref refs/heads/main {other}")
    result = manifests.gitops("approve", "prod", "-o", "json", env=BEN)

    assert 0 == result.code, result.err
    assert 2 == result.json["attempts"]
    assert "1.4.9" in manifests.file(DEV)
    assert "1.5.0" in manifests.file(PROD)
    assert ["gitops/ledger", "main"] == branches(manifests)


def test_a_proposal_that_moves_while_it_is_approved(manifests: Manifests, tmp_path: Path) -> None:
    """The push deletes exactly the head that was shown; one that moved is refused, main stays."""
    old = propose(manifests).json["commit"]
    new = propose(manifests, "1.5.1").json["commit"]
    before = head(manifests)
    manifests.git("update-ref", "refs/heads/gitops/prod", old)
    race_once(manifests, tmp_path, f"git update-ref refs/heads/gitops/prod {new}")
    result = manifests.gitops("approve", "prod", "-o", "json", env=BEN)

    assert (1, "refused") == (result.code, result.json["error"]["code"])
    assert f"moved from {old[:7]} to {new[:7]}" in result.json["error"]["message"]
    assert (before, new) == (head(manifests), head(manifests, "gitops/prod"))


def race_once(manifests: Manifests, tmp_path: Path, command: str) -> None:
    """Have `command` run inside the repository while the next push is under way."""
    flag = tmp_path / "raced"
    hook = manifests.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    # The hook's own objects are in quarantine, where Git lets no branch be moved.
    clean = "env -u GIT_QUARANTINE_PATH -u GIT_OBJECT_DIRECTORY -u GIT_ALTERNATE_OBJECT_DIRECTORIES"
    first = f"test -e {flag} && exit 0\ngrep -q refs/heads/main || exit 0\ntouch {flag}\n"
    hook.write_text(f"#!/bin/sh\n{first}{clean} {command}\n")
    hook.chmod(0o755)
