"""A ledger that somebody blew up: nobody's way back is barred, and no word that says no is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from gitops.adapters.gitrepo.objects.codec import LARGEST
from manifests import Manifests
from servers.git_http import GitServer

LEDGER = "gitops/ledger"


def blow_up(manifests: Manifests, name: str) -> None:
    """Push a file of zeros to the ledger, which is small on its way and large when it is there."""
    size = LARGEST + (1 << 20)
    head = (
        f"commit refs/heads/{LEDGER}\ncommitter Eve <eve@example.com> 1790000000 +0000\n"
        f"data 1\nx\nfrom refs/heads/{LEDGER}^0\nM 100644 inline {name}\ndata {size}\n"
    )
    args = ["git", "-C", str(manifests.path), "fast-import", "--quiet"]
    subprocess.run(args, input=head.encode() + bytes(size) + b"\n", check=True)


@pytest.fixture
def judged(manifests: Manifests) -> Manifests:
    """Two releases in stage, of which QA passed the newer one."""
    manifests.git("config", "uploadpack.allowFilter", "true")
    for tag in ("1.5.0", "1.6.0"):
        manifests.gitops("deploy", f"shop/api:{tag}", "--to", "stage")
    assert 0 == manifests.gitops("qa", "stage", "--pass", "--release", "newest").code
    return manifests


@pytest.fixture(params=["path", "file", "http"])
def env(judged: Manifests, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Where calls find the repository: on this machine, or by one of the ways of Git."""
    with GitServer(judged.path.parent) as server:
        uris = {"path": str(judged.path), "file": judged.path.as_uri()}
        yield {"GITOPS_REPO": uris.get(request.param, f"{server.url}/{judged.path.name}")}


def test_the_way_back_is_open(judged: Manifests, env: dict[str, str]) -> None:
    """`rollback`, `status` and `history` go on, and say that no word counts and what to do."""
    blow_up(judged, "stage.jsonl")
    for words in (("rollback", "stage", "--dry-run"), ("status", "stage"), ("history", "stage")):
        result = judged.gitops(*words, env=env)
        assert 0 == result.code, result
        assert "gitops/ledger stage.jsonl" in result.out + result.err
        assert "no word in it counts" in result.out + result.err


def test_what_asks_for_a_word_is_refused(judged: Manifests, env: dict[str, str]) -> None:
    """A ledger that nobody can read may say no: what asks it ends, with the way out."""
    blow_up(judged, "stage.jsonl")
    say = ("qa", "stage", "--pass", "--release", "newest")
    for words in (("promote", "--to", "prod", "--dry-run"), say):
        result = judged.gitops(*words, env=env)
        assert 3 == result.code, result
        assert "git push --force origin COMMIT:refs/heads/gitops/ledger" in result.err


def test_junk_beside_it_is_left_out(judged: Manifests, env: dict[str, str]) -> None:
    """What lies there and is no part of it costs nothing, and changes nothing."""
    blow_up(judged, "junk")
    result = judged.gitops("history", "stage", env=env)

    assert 0 == result.code
    assert "qa-passed" in result.out
    assert "warning" not in result.err
