"""`signers:` in gitops.yaml: only lines of the ledger count that a listed key signed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from manifests import Manifests, Result

LEDGER = "gitops/ledger"
FILE = "stage.jsonl"


def make_key(folder: Path, name: str) -> str:
    """Make a key pair called `name`; return its line of an allowed-signers file."""
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    kind, key, *_ = path.with_suffix(".pub").read_text().split()
    return f"{name}@example.com {kind} {key}\n"


def signing(key: Path) -> dict[str, str]:
    """The environment of somebody who signs every commit with `key`."""
    pairs = {"commit.gpgsign": "true", "gpg.format": "ssh", "user.signingkey": str(key)}
    numbered = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (name, value) in enumerate(pairs.items()):
        numbered |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return numbered


@pytest.fixture
def keys(manifests: Manifests, tmp_path: Path) -> Path:
    """A folder with the keys ana and eve; gitops.yaml lists ana's only."""
    line = make_key(tmp_path, "ana")
    make_key(tmp_path, "eve")
    config = manifests.file("gitops.yaml") + "\nsigners: .gitops/signers\n"
    manifests.commit("Ask for signatures", {"gitops.yaml": config, ".gitops/signers": line})
    return tmp_path


def deploy(manifests: Manifests, tag: str) -> str:
    """Put a tag into stage, and return the release."""
    result = manifests.gitops("deploy", f"shop/api:{tag}", "--to", "stage", "-o", "json")
    return str(result.json["commit"])


def say(manifests: Manifests, word: str, release: str, key: Path | None = None) -> Result:
    """Record a word on a release of stage, signed with `key` or not at all."""
    env = signing(key) if key is not None else {}
    return manifests.gitops("qa", "stage", word, "--release", release, env=env)


def verdicts(manifests: Manifests, release: str) -> tuple[list[str], str]:
    """Return the verdicts on a release as history tells them, and its warnings as one text."""
    document = manifests.gitops("history", "stage", "-o", "json").json
    told = next(entry for entry in document["releases"] if entry["commit"] == release)
    return [word["verdict"] for word in told["verdicts"]], "\n".join(document["warnings"])


def rewrite(manifests: Manifests, content: str) -> None:
    """Put other content into the ledger's file, as anybody who may push could."""
    stream = (
        f"commit refs/heads/{LEDGER}\ncommitter Eve <eve@example.com> 1790000000 +0000\n"
        f"data 4\nhand\nfrom refs/heads/{LEDGER}^0\nM 100644 inline {FILE}\n"
        f"data {len(content.encode())}\n{content}"
    )
    subprocess.run(
        ["git", "-C", manifests.path, "fast-import", "--quiet"], input=stream.encode(), check=True
    )


def test_listed_key_counts(manifests: Manifests, keys: Path) -> None:
    """A word that a listed key signed counts, and is its signer's."""
    release = deploy(manifests, "1.5.0")

    assert 0 == say(manifests, "--pass", release, keys / "ana").code

    assert (["qa-passed"], "") == verdicts(manifests, release)
    status = manifests.gitops("status", "stage", "-o", "json").json
    assert ["ana@example.com"] == [word["by"] for word in status["environments"][0]["verdicts"]]


@pytest.mark.parametrize("key", ["eve", None])
def test_unlisted_and_unsigned_are_told(manifests: Manifests, keys: Path, key: str | None) -> None:
    """A word of anybody else counts nowhere; history, status and rollback say so."""
    release = deploy(manifests, "1.5.0")
    deploy(manifests, "1.6.0")
    say(manifests, "--fail", release, keys / key if key else None)

    found, warnings = verdicts(manifests, release)
    text = manifests.gitops("history", "stage").err
    back = manifests.gitops("rollback", "stage", "--dry-run", "-o", "json").json

    assert [] == found
    for told in (warnings, text, "\n".join(back["warnings"])):
        assert f"qa-failed on {release[:7]} by Mona Test does not count" in told
        assert "is not signed with a listed key" in told
    assert any(f"restores {release[:7]}" in note for note in back["notes"])


def test_same_word_counts_once_it_is_signed(manifests: Manifests, keys: Path) -> None:
    """An unsigned word does not keep the signed one out."""
    release = deploy(manifests, "1.5.0")
    say(manifests, "--pass", release)

    result = say(manifests, "--pass", release, keys / "ana")

    assert "committed" in result.out
    assert ["qa-passed"] == verdicts(manifests, release)[0]


def test_altered_line_stays_as_it_was(manifests: Manifests, keys: Path) -> None:
    """Who alters an earlier line changes nothing, and what they add in the same breath is void."""
    release = deploy(manifests, "1.5.0")
    say(manifests, "--fail", release, keys / "ana")
    rewrite(manifests, manifests.file(FILE, LEDGER).replace("qa-failed", "qa-passed"))

    found, warnings = verdicts(manifests, release)

    assert ["qa-failed"] == found
    assert "alters or removes earlier lines: nothing of it counts" in warnings


def test_removed_line_still_counts(manifests: Manifests, keys: Path) -> None:
    """What somebody took away still counts, and so does what is rightly added after it."""
    first, second = deploy(manifests, "1.5.0"), deploy(manifests, "1.6.0")
    say(manifests, "--fail", first, keys / "ana")
    rewrite(manifests, "")
    say(manifests, "--pass", second, keys / "ana")

    found, warnings = verdicts(manifests, first)

    assert [second] == [
        json.loads(line)["commit"] for line in manifests.file(FILE, LEDGER).splitlines()
    ]
    assert (["qa-failed"], ["qa-passed"]) == (found, verdicts(manifests, second)[0])
    assert "alters or removes earlier lines" in warnings


def test_no_file_of_signers(manifests: Manifests, keys: Path) -> None:
    """With the list gone nothing counts, and that is said."""
    release = deploy(manifests, "1.5.0")
    say(manifests, "--pass", release, keys / "ana")
    manifests.commit("Lose the list", {".gitops/signers": None})

    found, warnings = verdicts(manifests, release)

    assert [] == found
    assert "main has no file .gitops/signers: no line of the ledger counts" in warnings


def put(manifests: Manifests, commit: str) -> None:
    """Set the ledger to a commit, as anybody who may push there could."""
    manifests.git("update-ref", f"refs/heads/{LEDGER}", commit)


def with_header(manifests: Manifests, commit: str, header: str) -> str:
    """Make a copy of a signed commit with one more header, which Git does not sign."""
    head, _, body = manifests.git("cat-file", "commit", commit).partition("\n\n")
    text = f"{head}\n{header}\n\n{body}"
    return made(manifests, "hash-object -t commit -w --stdin --literally", text)


def merge(manifests: Manifests, tree: str, *parents: str) -> str:
    """Make a merge with the tree of a commit."""
    named = [word for parent in parents for word in ("-p", parent)]
    return manifests.git("commit-tree", f"{tree}^{{tree}}", *named, "-m", "merge").strip()


@pytest.mark.parametrize("header", ["", "gpgsig-sha256 x", "note hello"])
@pytest.mark.parametrize("turned", [False, True])
def test_an_old_word_is_not_played_again(
    manifests: Manifests, keys: Path, header: str, turned: bool
) -> None:
    """No merge brings an earlier qa-passed back behind the qa-failed that came after it."""
    release = deploy(manifests, "1.5.0")
    say(manifests, "--pass", release, keys / "ana")
    say(manifests, "--fail", release, keys / "ana")
    bad = manifests.git("rev-parse", LEDGER).strip()
    good = manifests.git("rev-parse", f"{LEDGER}~1").strip()
    other = with_header(manifests, good, header) if header else good
    put(manifests, merge(manifests, bad, *((other, bad) if turned else (bad, other))))

    found, warnings = verdicts(manifests, release)

    assert ["qa-failed"] == found
    assert "is a merge, which gitops never makes" in warnings
    say(manifests, "--pass", release, keys / "ana")
    assert ["qa-passed"] == verdicts(manifests, release)[0]


@pytest.mark.parametrize("header", ["gpgsig-sha256 x", "note hello"])
def test_a_header_that_nobody_signed_voids_the_signature(
    manifests: Manifests, keys: Path, header: str
) -> None:
    """A copy of a signed commit is no second word, and no first one either."""
    release = deploy(manifests, "1.5.0")
    say(manifests, "--pass", release, keys / "ana")
    put(manifests, with_header(manifests, f"{LEDGER}^0", header))

    found, warnings = verdicts(manifests, release)

    assert ([], True) == (found, "does not count" in warnings)


def test_a_ledger_of_another_repository(manifests: Manifests, keys: Path, tmp_path: Path) -> None:
    """What Ana said of the same images elsewhere is told, and counts for nothing here."""
    release = deploy(manifests, "1.5.0")
    other = tmp_path / "other.git"
    shutil.copytree(manifests.path, other)
    said = manifests.gitops(
        *("qa", "stage", "--pass", "--release", release),
        env=signing(keys / "ana"),
        repo=str(other),
    )
    assert 0 == said.code, said.err
    manifests.git("fetch", "-q", str(other), f"{LEDGER}:{LEDGER}")

    found, warnings = verdicts(manifests, release)

    assert [] == found
    assert f"it is about stage of file:/{str(other)[1:].removesuffix('.git')}" in warnings


def test_one_repository_by_two_names(manifests: Manifests, keys: Path, tmp_path: Path) -> None:
    """`repository:` in gitops.yaml names what is reached by different addresses."""
    config = manifests.file("gitops.yaml") + "repository: shop/manifests\n"
    manifests.commit("Name it", {"gitops.yaml": config})
    release = deploy(manifests, "1.5.0")
    say(manifests, "--pass", release, keys / "ana")
    moved = manifests.path.rename(tmp_path / "moved.git")
    words = ("history", "stage", "-o", "json")
    told = manifests.gitops(*words, repo=str(moved)).json["releases"][0]

    assert ["qa-passed"] == [word["verdict"] for word in told["verdicts"]]


def test_a_signed_commit_that_was_no_word(manifests: Manifests, keys: Path) -> None:
    """A file that Ana let into main is no ledger, though her key signed the commit."""
    release = deploy(manifests, "1.5.0")
    say(manifests, "--pass", release, keys / "eve")
    line = manifests.file(FILE, LEDGER)
    with_key = [word for pair in signing_options(keys / "ana") for word in ("-c", pair)]
    checkout = str(manifests.checkout)
    manifests.git("-C", checkout, "pull", "-q", "origin", "main")
    (manifests.checkout / FILE).write_text(line)
    manifests.git("-C", checkout, "add", FILE)
    message = "docs\n\nGitops-Action: qa\nGitops-Environment: stage"
    manifests.git(*with_key, "-C", checkout, "commit", "-q", "-m", message)
    manifests.git("-C", checkout, "push", "-q", "--force", "origin", f"HEAD:{LEDGER}")

    found, warnings = verdicts(manifests, release)

    assert ([], True) == (found, "is of a branch with gitops.yaml" in warnings)


def signing_options(key: Path) -> list[str]:
    """Settings for `git -c` that sign with `key`."""
    return ["commit.gpgsign=true", "gpg.format=ssh", f"user.signingkey={key}"]


def test_an_older_ledger(manifests: Manifests, keys: Path) -> None:
    """Signed lines without names: what says no counts; that the rest must be said again is told."""
    first, second = deploy(manifests, "1.5.0"), deploy(manifests, "1.6.0")
    say(manifests, "--fail", first, keys / "ana")
    say(manifests, "--pass", second, keys / "ana")
    older(manifests, keys / "ana")

    found, warnings = verdicts(manifests, second)

    assert (["qa-failed"], []) == (verdicts(manifests, first)[0], found)
    assert f"qa-passed on {second[:7]} by Mona Test. Said again, it counts" in warnings
    assert 0 == say(manifests, "--pass", second, keys / "ana").code
    assert ["qa-passed"] == verdicts(manifests, second)[0]


def older(manifests: Manifests, key: Path) -> None:
    """Write the ledger anew as an older gitops would have: lines without names, signed."""
    commits = manifests.git("rev-list", "--reverse", LEDGER).split()
    parent: list[str] = []
    with_key = [word for pair in signing_options(key) for word in ("-c", pair)]
    for commit in commits:
        lines = [json.loads(text) for text in manifests.file(FILE, commit).splitlines()]
        names = ("purpose", "repository", "environment", "app")
        bare = [json.dumps({k: v for k, v in line.items() if k not in names}) for line in lines]
        blob = made(manifests, "hash-object -w --stdin", "\n".join(bare) + "\n")
        tree = made(manifests, "mktree", f"100644 blob {blob}\t{FILE}\n")
        message = manifests.git("log", "-1", "--format=%B", commit)
        named = [*with_key, "commit-tree", "-S", tree, *parent, "-m", message]
        parent = ["-p", manifests.git(*named).strip()]
    put(manifests, parent[1])


def made(manifests: Manifests, command: str, feed: str) -> str:
    """Make an object from a text, and return its id."""
    done = subprocess.run(
        ["git", "-C", manifests.path, *command.split()],
        input=feed.encode(),
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().strip()
