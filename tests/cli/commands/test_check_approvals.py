"""`gitops check` and approvals without a forge: the ledger, signed or not, and what landed."""

from __future__ import annotations

from pathlib import Path

import pytest

from checking import BEN, HOLD, PROD, check, edited, messages, standing, told
from cli.commands.test_signers import make_key, signing
from manifests import Manifests


def propose(manifests: Manifests, tag: str = "1.5.0") -> str:
    """Have Mona bring an image to stage and propose it for prod; return the proposal's head."""
    manifests.gitops("deploy", f"shop/api:{tag}", "--ref", "release/1.5")
    made = manifests.gitops("deploy", f"shop/api:{tag}", "--to", "prod", "-o", "json")
    assert 0 == made.code, made.err
    return str(made.json["commit"])


def merge(manifests: Manifests, *heads: str, files: dict[str, str] | None = None) -> str:
    """Merge `heads` into main by hand, with more in the merge than they have; push it."""
    manifests.in_checkout("fetch", "-q", "origin")
    manifests.in_checkout("checkout", "-q", "-B", "main", "origin/main")
    for head in heads:
        manifests.in_checkout("fetch", "-q", "origin", head)
    manifests.in_checkout("merge", "-q", "--no-ff", "--no-commit", *heads)
    for name, content in (files or {}).items():
        (manifests.checkout / name).write_text(content)
    manifests.in_checkout("add", "-A")
    manifests.in_checkout("commit", "-q", "-m", "Merge")
    manifests.in_checkout("push", "-q", "origin", "main")
    return manifests.in_checkout("rev-parse", "HEAD")


@pytest.fixture
def keys(manifests: Manifests, tmp_path: Path) -> Path:
    """A folder with the keys ben and eve; gitops.yaml lists ben's only."""
    line = make_key(tmp_path, "ben")
    make_key(tmp_path, "eve")
    config = manifests.file("gitops.yaml") + "\nsigners: .gitops/signers\n"
    manifests.commit("Ask for signatures", {"gitops.yaml": config, ".gitops/signers": line})
    return tmp_path


def test_unsigned_approval_is_a_claim(manifests: Manifests) -> None:
    """Without a forge and signers an approval is told, as a warning, and said to prove nothing."""
    propose(manifests)
    manifests.gitops("approve", "prod", env=BEN)

    document = check(manifests)

    assert ([("prod", PROD)], ["claimed"]) == (told(document, "warning"), standing(document))
    assert "the ledger, approved by Ben: that is a claim" in messages(document)
    assert "nothing here proves an approval" in document["warnings"][0]
    assert document["proof"] is None


def test_signed_approval_counts(manifests: Manifests, keys: Path) -> None:
    """With signers a proposal that a listed key approved is all right."""
    propose(manifests)
    manifests.gitops("approve", "prod", env=BEN | signing(keys / "ben"))

    document = check(manifests)

    assert ([], ["approved"]) == (document["findings"], standing(document))
    assert "the ledger, approved by ben@example.com" == document["commits"][0]["evidence"]
    assert "signers" in document["proof"]


def test_shape_and_message_prove_nothing(manifests: Manifests, keys: Path) -> None:
    """A merge that looks like an approved one is reported: nobody's key signed an approval."""
    head = propose(manifests)
    manifests.in_checkout("fetch", "-q", "origin", head)
    manifests.in_checkout("pull", "-q", "origin", "main")
    manifests.in_checkout(
        "merge", "-q", "--no-ff", head, "-m", "prod\n\nGitops-Approved-By: Ben <b@e.com>"
    )
    manifests.in_checkout("push", "-q", "origin", "HEAD:main")

    document = check(manifests)

    assert ([("prod", PROD)], ["reported"]) == (told(document), standing(document))


def test_key_that_is_not_listed(manifests: Manifests, keys: Path) -> None:
    """An approval that another key signed does not count."""
    head = propose(manifests)
    manifests.gitops("approve", "prod", env=BEN | signing(keys / "eve"))
    merge(manifests, head)

    assert [("prod", PROD)] == told(check(manifests))


def test_own_approval_does_not_count(manifests: Manifests, keys: Path) -> None:
    """Who made the proposal is no second person, though their key is listed."""
    env = BEN | signing(keys / "ben")
    manifests.gitops("deploy", "shop/api:1.5.0", "--ref", "release/1.5")
    made = manifests.gitops("deploy", "shop/api:1.5.0", "--to", "prod", "-o", "json", env=env)
    manifests.gitops(
        "approve", "prod", env={"GITOPS_AUTHOR": "B <b@e.com>"} | signing(keys / "ben")
    )
    if manifests.git("for-each-ref", "refs/heads/gitops/prod"):
        merge(manifests, made.json["commit"])

    document = check(manifests)

    assert [("prod", PROD)] == told(document)


def test_signers_come_from_before(manifests: Manifests, keys: Path) -> None:
    """Who lists a key and approves with it in the same push gains nothing."""
    before = manifests.git("rev-parse", "main").strip()
    eve = (keys / "eve.pub").read_text().split()
    listed = manifests.file(".gitops/signers") + f"eve@example.com {eve[0]} {eve[1]}\n"
    manifests.commit("Add myself", {".gitops/signers": listed})
    propose(manifests)
    manifests.gitops("approve", "prod", env=BEN | signing(keys / "eve"))

    document = check(manifests, f"{before}..main")

    assert [("prod", ".gitops/signers"), ("prod", PROD)] == told(document)


@pytest.mark.parametrize("path", [PROD, "base/api.yaml"])
def test_evil_merge(manifests: Manifests, keys: Path, path: str) -> None:
    """A merge of an approved proposal with more in it is reported, for just what is more."""
    head = propose(manifests)
    approve_only(manifests, keys)
    more = edited(manifests, PROD, "count: 4", "count: 1").replace('"1.4.0"', '"1.5.0"')
    content = more if path == PROD else "kind: List\n"
    merge(manifests, head, files={path: content})

    document = check(manifests)

    assert [("prod", path)] == told(document)
    assert "but not with this in it" in messages(document)


def approve_only(manifests: Manifests, keys: Path) -> None:
    """Have Ben's signed approval in the ledger, and main as it was before he merged."""
    before = manifests.git("rev-parse", "main").strip()
    done = manifests.gitops("approve", "prod", env=BEN | signing(keys / "ben"))
    assert 0 == done.code, done.err
    manifests.git("update-ref", "refs/heads/main", before)


def test_merge_by_hand_of_what_was_approved(manifests: Manifests, keys: Path) -> None:
    """Merging the approved head with plain Git is as good as with gitops."""
    head = propose(manifests)
    approve_only(manifests, keys)
    manifests.commit("Meanwhile", {"docs/x.md": "x\n"})
    merge(manifests, head)

    assert (["approved"], []) == (standing(check(manifests)), check(manifests)["findings"])


def test_merge_that_drops_what_main_had(manifests: Manifests, keys: Path) -> None:
    """A merge that takes the proposal's whole old overlay undoes what landed since: reported."""
    head = propose(manifests)
    approve_only(manifests, keys)
    before = manifests.file(PROD)
    manifests.commit("Four is too many", {PROD: edited(manifests, PROD, "count: 4", "count: 3")})
    merge(manifests, head, files={PROD: before.replace('"1.4.0"', '"1.5.0"')})

    assert [("prod", PROD)] == told(check(manifests))


def test_proposal_beside_other_edits(manifests: Manifests, keys: Path) -> None:
    """Where text would conflict, gitops puts the approved images in; that is what was approved."""
    propose(manifests)
    content = edited(manifests, PROD, 'newTag: "1.4.0" # release/1.4, since the spring sale', "")
    content = content.replace(
        "  - name: shop/api\n", '  - name: shop/api\n    newTag: "1.4.0" # now\n'
    )
    manifests.commit("Another comment beside it", {PROD: content})
    done = manifests.gitops("approve", "prod", env=BEN | signing(keys / "ben"))
    assert 0 == done.code, done.err

    assert (["approved"], []) == (standing(check(manifests)), check(manifests)["findings"])


def test_squash_is_no_merge(manifests: Manifests, keys: Path) -> None:
    """Without a forge a squash of an approved head is a push like any other."""
    head = propose(manifests)
    approve_only(manifests, keys)
    manifests.in_checkout("fetch", "-q", "origin", head)
    manifests.in_checkout("pull", "-q", "origin", "main")
    manifests.in_checkout("merge", "-q", "--squash", head)
    manifests.in_checkout("commit", "-q", "-m", "Squash")
    manifests.in_checkout("push", "-q", "origin", "HEAD:main")

    assert [("prod", PROD)] == told(check(manifests))


def test_used_approval_is_used_up(manifests: Manifests, keys: Path) -> None:
    """After a way back, merging the same approved head again needs a new word."""
    head = propose(manifests)
    before = manifests.file(PROD)
    manifests.gitops("approve", "prod", env=BEN | signing(keys / "ben"))
    manifests.commit("Back by hand", {PROD: before})
    parent = manifests.git("rev-parse", "main").strip()
    tree = manifests.git("rev-parse", f"{head}^{{tree}}").strip()
    made = manifests.git("commit-tree", tree, "-p", parent, "-p", head, "-m", "Again").strip()
    manifests.git("update-ref", "refs/heads/main", made)

    assert ("prod", PROD) in told(check(manifests))


def test_octopus(manifests: Manifests, keys: Path) -> None:
    """Of a merge of several heads, what the approved one brought is all right, and no more."""
    head = propose(manifests)
    approve_only(manifests, keys)
    manifests.in_checkout("fetch", "-q", "origin")
    manifests.in_checkout("checkout", "-q", "-B", "side", "origin/main")
    (manifests.checkout / "base/web.yaml").write_text("kind: List\n")
    manifests.in_checkout("commit", "-q", "-am", "Side")
    side = manifests.in_checkout("rev-parse", "HEAD")
    manifests.in_checkout("push", "-q", "origin", "side")
    merge(manifests, head, side)

    assert [("prod", "base/web.yaml")] == told(check(manifests))


def test_two_approvals_where_two_must(manifests: Manifests, keys: Path) -> None:
    """One of two required approvals is not enough."""
    config = edited(
        manifests,
        "gitops.yaml",
        "    rollback: commit ",
        "    approvals: {required: 2}\n    rollback: commit ",
    )
    manifests.commit("Ask two", {"gitops.yaml": config})
    head = propose(manifests)
    manifests.gitops("approve", "prod", env=BEN | signing(keys / "ben"))
    merge(manifests, head)

    document = check(manifests)

    assert [("prod", PROD)] == told(document)
    assert "approved by ben@example.com, where 2 must" in messages(document)


@pytest.mark.parametrize("verb", [("hold", "prod", "--reason", "x"), ("resume", "prod")])
def test_signed_hold(manifests: Manifests, keys: Path, verb: tuple[str, ...]) -> None:
    """Who sets or lifts a hold is reported, unless a listed key signed the commit."""
    if verb[0] == "resume":
        manifests.gitops("hold", "prod", "--reason", "x")
    before = manifests.git("rev-parse", "main").strip()
    manifests.gitops(*verb)
    unsigned = check(manifests)
    manifests.git("update-ref", "refs/heads/main", before)
    manifests.gitops(*verb, env=signing(keys / "ben"))
    signed = check(manifests)

    assert [("prod", HOLD)] == told(unsigned)
    assert ([], ["signed"]) == (signed["findings"], standing(signed))
    assert "signed by ben@example.com" == signed["commits"][0]["evidence"]


def test_signature_excuses_nothing_but_holds(manifests: Manifests, keys: Path) -> None:
    """A signed commit that changes more than a hold is reported like any other."""
    for name in ("user.signingkey", "gpg.format", "commit.gpgsign"):
        value = {"user.signingkey": str(keys / "ben"), "gpg.format": "ssh"}.get(name, "true")
        manifests.in_checkout("config", name, value)
    manifests.commit("Both", {HOLD: "by: Ben\nreason: x\n", PROD: manifests.file(PROD) + "# x\n"})

    assert {("prod", HOLD), ("prod", PROD)} == set(told(check(manifests)))


def test_signature_on_top_of_somebody_elses_hold(manifests: Manifests, keys: Path) -> None:
    """Before it lands, a signed commit does not vouch for the unsigned one below it."""
    manifests.in_checkout("pull", "-q", "origin", "main")
    manifests.in_checkout("checkout", "-q", "-b", "feature")
    (manifests.checkout / HOLD).parent.mkdir(parents=True)
    (manifests.checkout / HOLD).write_text("by: Eve\nreason: x\n")
    manifests.in_checkout("add", "-A")
    manifests.in_checkout("commit", "-q", "-m", "Hold")
    for name, value in (("user.signingkey", str(keys / "ben")), ("gpg.format", "ssh")):
        manifests.in_checkout("config", name, value)
    manifests.in_checkout("commit", "-q", "-S", "--allow-empty", "-m", "Innocent")
    manifests.in_checkout("push", "-q", "origin", "feature")

    assert [("prod", HOLD)] == told(check(manifests, "main..feature"))
