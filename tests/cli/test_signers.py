"""`signers:` in gitops.yaml: only lines of the ledger count that a listed key signed."""

from __future__ import annotations

import json
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
