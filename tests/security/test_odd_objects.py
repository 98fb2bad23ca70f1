"""Fuzz: histories, branches and ledgers of odd Git objects end no command, and pass no check.

`GITOPS_TEST_FUZZ=600` plays for 600 seconds, other examples each time; by default the same ones are
played, for 20 seconds at most.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

import odd_objects as odd
import warm
from manifests import ROOT, Manifests

SECONDS = float(os.environ.get("GITOPS_TEST_FUZZ", "8"))
CHOSEN = "GITOPS_TEST_FUZZ" not in os.environ
LONGEST = 30  # seconds that one command may take on a busy machine
ROUND = 5  # examples, after which the clock is looked at
SANE = {0, 1, 2, 3, 75}
PROD = "overlays/prod/kustomization.yaml"
VERBS: dict[str, tuple[str, ...]] = {
    "history": ("history", "dev"),
    "status": ("status",),
    "rollback": ("rollback", "dev", "--dry-run", "--yes"),
    "undo": ("undo", "dev", "--dry-run", "--yes"),
    "validate": ("validate", "--no-build"),
    "check": ("check", "{tip}", "--branch", "main"),
}


@dataclass
class World:
    """One bare repository that is given another history again and again."""

    manifests: Manifests
    objects: odd.Objects
    start: dict[bytes, odd.Node]

    def play(self, commits: list[odd.OddCommit], ledger: list[bytes], branches: list[str]) -> str:
        """Put the commits on main, the lines into the ledger; return the newest commit."""
        oids: list[str] = []
        trees: list[dict[bytes, odd.Node]] = []
        for commit in [self.first(), *commits]:
            back = [len(oids) - far for far in commit.parents if far <= len(oids)]
            tree = trees[back[0]] if back else self.start
            for path, node in commit.edits:
                tree = odd.put(tree, path, node)
            far = commit.restores
            restores = oids[-far] if far is not None and far <= len(oids) else None
            parents = [oids[number] for number in back]
            body = commit.body(self.objects.tree(tree), parents, restores)
            oids.append(self.objects.write("commit", body))
            trees.append(tree)
        lines = b"\n".join(ledger).replace(b"{release}", oids[0].encode()) + b"\n"
        words = odd.put({}, "dev.jsonl", (odd.FILE, lines))
        kept = self.first().body(self.objects.tree(words), [], None)
        refs = {"main": oids[-1], "gitops/ledger": self.objects.write("commit", kept)}
        refs |= dict.fromkeys(branches, oids[len(oids) // 2])
        in_order = sorted(refs, key=lambda name: name.encode())
        told = "".join(f"{refs[name]} refs/heads/{name}\n" for name in in_order)
        header = "# pack-refs with: peeled fully-peeled sorted \n"
        (self.manifests.path / "packed-refs").write_text(header + told)
        return oids[-1]

    def first(self) -> odd.OddCommit:
        """Return a commit as anybody makes it."""
        who = b"Ana <ana@example.com> 1700000000 +0000"
        return odd.OddCommit(who, who, (), b"start\n", (1,), ())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, manifests_template: Path) -> World:
    """The sample; what changes prod needs the word of somebody who signs."""
    from manifests import copy_template

    manifests = copy_template(manifests_template, tmp_path_factory.mktemp("odd"))
    config = manifests.file("gitops.yaml") + "\nsigners: .gitops/signers\n"
    start = {name.encode(): (odd.TREE, odd.nodes_of(ROOT / name)) for name in ("base", "overlays")}
    start = odd.put(start, "gitops.yaml", (odd.FILE, config.encode()))
    signers = b"ana@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK" + b"A" * 42 + b"\n"
    start = odd.put(start, ".gitops/signers", (odd.FILE, signers))
    for ref in (manifests.path / "refs" / "heads").rglob("*"):
        if ref.is_file():
            ref.unlink()
    return World(manifests, odd.Objects(manifests.path), start)


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.timeout(SECONDS + 100)
def test_no_object_ends_a_command_or_passes_a_check(world: World) -> None:
    """Whatever is in the repository: JSON, a known exit code, and prod's change is reported."""

    @settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        verbosity=Verbosity.quiet,  # the repository stays, and is easier to look at
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(odd.COMMITS, min_size=2, max_size=8),
        odd.COMMITS,
        st.lists(odd.LINES, max_size=4),
        odd.BRANCHES,
        st.sampled_from(["", "file://"]),
    )
    def play(
        commits: list[odd.OddCommit],
        last: odd.OddCommit,
        ledger: list[bytes],
        branches: list[str],
        scheme: str,
    ) -> None:
        # The last one pins in prod what was never there, so that no claim can make it right.
        evil = replace(
            last,
            parents=last.parents or (1,),
            edits=(("overlays/prod", None), (PROD, (odd.FILE, odd.pinned("never-seen")))),
        )
        tip = world.play([*commits, evil], ledger, branches)
        look(f"{scheme}{world.manifests.path}", tip, world.manifests.elsewhere)

    end = time.monotonic() + SECONDS
    first = 0 if CHOSEN else secrets.randbelow(10**9)
    for number in itertools.count(first):
        if time.monotonic() > end:
            break
        seed(number)(play)()


def look(repo: str, tip: str, cwd: Path) -> None:
    """Run the verbs beside each other; each must answer, and the check must not pass."""
    environ = {**os.environ, "GITOPS_REPO": repo}
    began = time.monotonic()
    running = {
        name: warm.start(
            [word.replace("{tip}", tip) for word in (*words, "-o", "json")],
            cwd,
            environ,
        )
        for name, words in VERBS.items()
    }
    for name, call in running.items():
        out, err = call.communicate()
        shown = f"{name} at {tip} of {repo}: {err.decode()[-3000:]}"
        assert call.returncode in SANE, f"{call.returncode} of {shown}"
        assert b"Traceback" not in err, shown
        document = json.loads(out)
        if name == "check":
            assert call.returncode != 0, f"a check that passes: {shown}"
            assert "findings" in document or "error" in document
    assert time.monotonic() - began < LONGEST * len(VERBS)
