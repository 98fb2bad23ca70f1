"""A deploy to a real Gitea, beside two calls of its contents API, which many scripts make instead.

Needs the Gitea of `scripts/servers build gitea`. Nothing is put back between runs: each bumps what
the one before it left.
"""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from distance import Distance
from measure import run
from peers import CACHE_OF_A_RUN, Bump, Peer, single_peers
from repositories import SHAPES, build, image_name, overlay_path
from single import say

sys.path.append(str(Path(__file__).parents[2] / "tests"))

_CONTENTS = """set -e
api="$API/contents/overlays/$ENVIRONMENT/kustomization.yaml"
curl -sf -H "Authorization: token $TOKEN" "$api?ref=main" >"$0.json"
id=$(sed 's/.*"sha":"\\([^"]*\\)","last_commit_sha.*/\\1/' "$0.json")
new=$(sed 's/.*"content":"\\([^"]*\\)".*/\\1/' "$0.json" | base64 -d |
  sed "\\\\|name: $IMAGE\\$|{n;s|newTag: .*|newTag: $TAG|;}" | base64 -w0)
curl -sf -o /dev/null -X PUT -H "Authorization: token $TOKEN" -H 'Content-Type: application/json' \\
  -d "{\\"branch\\": \\"main\\", \\"sha\\": \\"$id\\", \\"message\\": \\"$TAG\\",
    \\"content\\": \\"$new\\"}" "$api"
"""


def measure_forge(
    root: Path, gitops: Sequence[str], runs: int, times: Sequence[int]
) -> dict[str, Any]:
    """Return the rows, one for each way and distance: wall and CPU in seconds."""
    from servers.gitea import ADMIN, GiteaServer, gitea_options
    from servers.sharing import announce_run, run_folder, share

    announce_run(root)
    record = share("gitea", "servers.gitea", gitea_options())
    gitea = GiteaServer.of(record, run_folder() / "gitea")
    name = gitea.new_repository(owner=ADMIN)
    served = build(root, "small", SHAPES["small"])
    url = gitea.clone_url(name, user=ADMIN)
    push = ["git", "-C", str(served.path), "push", "-q", url, f"{served.base}:refs/heads/main"]
    subprocess.run(push, check=True)
    gitea.wait_for(lambda: not gitea.call("GET", f"/repos/{name}")["empty"])
    token = gitea.users[ADMIN].token
    peers = [peer for peer in single_peers(gitops, (), far=True)[0] if peer.name != "lower bound"]
    script = ("sh", "-c", _CONTENTS, str(root / "contents"))
    peers.append(Peer("contents API, two calls", script, {"API": "", "TOKEN": token}))
    rows = []
    for milliseconds in times:
        with ExitStack() as opened:
            there = gitea.url
            if milliseconds:
                there = opened.enter_context(Distance(gitea.url, milliseconds / 1000)).url
            rows += _rounds(root, gitea, name, peers, runs, milliseconds, there)
        say(f"gitea at {milliseconds} ms")
    return {"rows": rows, "missing": []}


def _rounds(
    root: Path, gitea: Any, name: str, peers: Sequence[Peer], runs: int, far: int, there: str
) -> list[dict[str, Any]]:
    home = root / "home"
    home.mkdir(exist_ok=True)
    url = gitea.clone_url(name, user="gitadmin").replace(gitea.url.split("//")[1], there[7:])
    api = f"{there}/api/v1/repos/{name}"
    order = random.Random(1)
    walls: dict[str, list[float]] = {peer.name: [] for peer in peers}
    cpus: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for number in range(runs + 1):
        for peer in order.sample(list(peers), len(peers)):
            bump = Bump(url, "dev", image_name(3), f"5.{far}.{number}.{order.randrange(10**6)}")
            shutil.rmtree(home / CACHE_OF_A_RUN, ignore_errors=True)
            if peer.primed:
                before = Bump(url, "dev", image_name(3), f"0.{bump.tag}")
                run(peer.words(before), peer.environment(before, home))
            for other in range(peer.behind):
                _somebody_else(gitea, name, f"{far}.{number}.{other}")
            environment = peer.environment(bump, home)
            if "API" in environment:
                environment["API"] = api
            cost = run(peer.words(bump), environment)
            if cost.status != 0 or bump.tag not in _overlay(gitea, name):
                raise SystemExit(f"{peer.name}: exit {cost.status}: {cost.words}")
            if number:
                walls[peer.name].append(cost.wall)
                cpus[peer.name].append(cost.cpu)
    return [
        {
            "case": f"gitea +{far} ms",
            "peer": peer.name,
            "wall": statistics.median(walls[peer.name]),
            "low": min(walls[peer.name]),
            "high": max(walls[peer.name]),
            "cpu": statistics.median(cpus[peer.name]),
        }
        for peer in peers
    ]


def _overlay(gitea: Any, name: str) -> str:
    found = gitea.call("GET", f"/repos/{name}/contents/{overlay_path('dev')}?ref=main")
    return b64decode(found["content"]).decode()


def _somebody_else(gitea: Any, name: str, text: str) -> None:
    """Let somebody else change a file that no bump touches."""
    path = f"/repos/{name}/contents/services/notes.txt"
    status, found = gitea.ask("GET", f"{path}?ref=main")
    content = b64encode(text.encode()).decode()
    body = {"branch": "main", "message": text, "content": content}
    if status == 200:
        gitea.call("PUT", path, {**body, "sha": found["sha"]})
    else:
        gitea.call("POST", path, body)


def forge_text(results: Any) -> str:
    """The generated part about a real forge."""
    from figures import figures_table, forge_figures, table
    from report import on_machine

    rows = results["rows"]
    parts = [on_machine(results), figures_table(forge_figures(rows))]
    lines = []
    for row in rows:
        first = next(
            one["wall"]
            for one in rows
            if one["case"] == row["case"] and one["peer"].startswith("contents")
        )
        lines.append(
            (
                row["case"].removeprefix("gitea +"),
                row["peer"],
                f"{row['wall'] * 1000:.0f} ({row['low'] * 1000:.0f}-{row['high'] * 1000:.0f})",
                f"{row['wall'] / first:.2f}x",
                f"{row['cpu'] * 1000:.0f}",
            )
        )
    header = ("round trip", "who", "wall ms (min-max)", "beside the contents API", "CPU ms")
    return "\n\n".join([*parts, table(header, lines)])
