"""One story of writes with no cache, with an empty and with a stale one: it ends the same."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from gitrepos import Repo
from manifests import run_gitops
from servers.git_http import GitServer

ROWS = "".join(
    f'  - {{name: {name}, overlay: "apps/{{app}}/{name}", deploy: manual{more}}}\n'
    for name, more in (("dev", ""), ("stage", ""), ("prod", ", change: pull-request"))
)
CONFIG = f"apiVersion: gitops/v1\nkind: Config\nbranch: main\nenvironments:\n{ROWS}"
STORY = (
    "deploy shop/a:1.1 --to dev --app a",
    "promote --to stage --from dev --app a",
    "deploy shop/a:1.2 shop/b:1.2 --to dev",
    "qa dev --app a --pass --release newest --note fine",
    "qa dev --app a --pass --release newest --note fine",
    "status",
    "rollback dev --app a --yes --reason slow",
    "deploy shop/a:1.3 --to dev --app a",
    "undo dev --app a --yes",
    "hold stage --reason INC-1",
    "hold dev --app b --reason INC-2",
    "promote --to stage --from dev --override INC-3",
    "resume stage",
    "promote --to stage --from dev",
    "promote --to prod --from stage",
    "status prod",
    "approve prod --yes",
    "deploy shop/a:1.9 --to prod --app a --override INC-4",
    "close prod --app a",
    "rollback stage --yes --no-hold",
    "history stage --app a",
    "validate --no-build",
    "status",
)
MASKED = re.compile(
    r"(?P<commit>\b[0-9a-f]{40}\b)|(?P<id>\b[0-9a-f]{32}\b)"
    r"|\b[0-9a-f]{7}\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
)


def told(text: str, known: dict[str, str], url: str) -> str:
    """Return what was printed with names for what differs each time, given as they come up."""

    def name(found: re.Match[str]) -> str:
        kind = found.lastgroup
        return known.setdefault(found[0], f"{kind} {len(known)}") if kind is not None else "now"

    return MASKED.sub(name, text.replace(url, "SERVER"))


def play(folder: Path, state: str) -> list[object]:
    """Tell the story; return what each call said, and the overlays on all branches behind it."""
    repo = Repo.bare(folder / "m.git")
    files = {"gitops.yaml": CONFIG.encode()}
    for place in (f"{app}/{name}" for app in "ab" for name in ("dev", "stage", "prod")):
        text = f"images:\n  - name: shop/{place[0]}\n    newTag: '1.0'\n"
        files[f"apps/{place}/kustomization.yaml"] = text.encode()
    repo.commits([(files, "Lay out\n")])
    for key in ("uploadpack.allowFilter", "http.receivepack"):
        repo.git("config", key, "true")
    found: list[object] = []
    known: dict[str, str] = {}
    with GitServer(folder) as server:
        for number, line in enumerate(STORY):
            cache = {"off": "off", "cold": str(folder / f"c{number}"), "warm": str(folder / "c")}
            environ = {
                **os.environ,
                "GITOPS_REPO": f"{server.url}/m.git",
                "GITOPS_CACHE": cache[state],
            }
            done = run_gitops([*line.split(), "-o", "json"], folder, environ)
            found.append((line, done.code, told(done.out, known, server.url)))
            # Holds and the ledger say when they were written.
            branches = repo.git("for-each-ref", "--format=%(refname)", "refs/heads").split()
            ours = [one for one in branches if not one.endswith("ledger")]
            found.append([(one, repo.git("rev-parse", f"{one}:apps")) for one in ours])
            # Somebody else is always faster: what a cache knows of the tip is never the newest.
            repo.commit({"notes.txt": f"{number}\n".encode()}, message="Note\n")
    return found


@pytest.mark.slow
@pytest.mark.no_cover
def test_every_write_says_and_leaves_the_same(tmp_path: Path) -> None:
    """With no cache, an empty one for each call, and one that is always a commit behind."""
    played = {}
    for state in ("off", "cold", "warm"):
        (tmp_path / state).mkdir()
        played[state] = play(tmp_path / state, state)
    codes = {one[0]: one[1] for one in played["off"] if isinstance(one, tuple)}

    assert set(codes.values()) <= {0, 1}, codes
    assert sum(code == 0 for code in codes.values()) >= len(codes) - 3, codes
    assert played["off"] == played["cold"]
    assert played["off"] == played["warm"]
