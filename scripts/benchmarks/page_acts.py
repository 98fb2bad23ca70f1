"""Clicks on the page: until the commit, until the cluster runs it, and under a stop."""

from __future__ import annotations

import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from control_plane import Look, open_plane
from page_server import PageProcess, opened_streams
from peers import base_environment
from repositories import git

_PLACE = "/e/dev/a0"
_SLOW = 2.0  # seconds of the push that a stop meets
_STREAMS = 50


def measure_clicks(served: PageProcess, root: Path, url: str, runs: int) -> dict[str, float]:
    """Return seconds of a click and of one bare push, warm, in turns; medians."""
    clicks, pushes = [], []
    with _pushing(root, url) as push:
        for number in range(runs + 2):
            verb = "undo" if number % 2 else "rollback"
            _, seconds = served.act(f"{_PLACE}/{verb}", reason="bench")
            if number >= 2:  # the first ones warm up
                clicks.append(seconds)
                pushes.append(push(number))
            else:
                push(number)
    return {"click": statistics.median(clicks), "push": statistics.median(pushes)}


@contextmanager
def _pushing(root: Path, url: str) -> Iterator[Callable[[int], float]]:
    """Yield what pushes one commit that is there already, to a branch of its own: `git push`."""
    clone, environment = root / "bare-push", base_environment(root)
    subprocess.run(["git", "clone", "-q", "--depth=50", url, str(clone)], check=True)

    def run(*words: str) -> str:
        command = ["git", "-C", str(clone), *words]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    def push(number: int) -> float:
        (clone / "apps/a1/overlays/dev/kustomization.yaml").write_text(f"# {number}\n")
        run("commit", "-q", "-a", "-m", f"bare {number}")
        begun = time.perf_counter()
        run("push", "-q", "origin", "HEAD:refs/heads/bare")
        return time.perf_counter() - begun

    yield push


def measure_stop(served: PageProcess, repository: Path) -> dict[str, float]:
    """Stop the server while 50 streams are open and a push is on its way, which the Git server
    takes its time for; return the seconds from the push's answer to the end."""
    hook = repository / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    asked, done = hook.with_name("asked"), hook.with_name("done")
    hook.write_text(f"#!/bin/sh\ntouch '{asked}'\nsleep {_SLOW}\ntouch '{done}'\n")
    hook.chmod(0o755)
    before = git(repository, "rev-parse", "refs/heads/main")
    with opened_streams(served.port, _STREAMS):
        answers: list[str] = []
        press = threading.Thread(target=lambda: answers.append(served.act(f"{_PLACE}/rollback")[0]))
        press.start()
        deadline = time.monotonic() + 60
        while not asked.exists():
            assert time.monotonic() < deadline, "nothing was pushed"
            time.sleep(0.01)
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(60)
        ended = time.time()
        press.join(60)
    hook.unlink()
    assert answers, "the press got no answer"
    assert git(repository, "rev-parse", "refs/heads/main") != before, "the write got lost"
    return {"streams": _STREAMS, "after": ended - done.stat().st_mtime}


def measure_healthy(root: Path, gitops: list[str], runs: int) -> dict[str, Any]:
    """Return seconds from a press to Healthy in the cluster and on the page, and from a push with a
    refresh to Healthy; or `missing`, in words, where no control plane is."""
    with open_plane(root) as (shop, missing):
        if shop is None:
            return {"missing": missing}
        rows: list[dict[str, float]] = []
        environment = {
            "KUBECONFIG": str(shop.cluster.kubeconfig),
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        with PageProcess(root, gitops, shop.url, environment) as served:
            for number in range(runs):
                own = _own(shop, f"3.{number}.0")
                rows.append({"own": own, **_click(shop, served)})
                print(f"healthy: {rows[-1]}", file=sys.stderr, flush=True)
                served.act("/e/dev/resume")
    names = ("own", "cluster", "page")
    return {name: statistics.median(row[name] for row in rows) for name in names}


def _own(shop: Any, tag: str) -> float:
    """Return Argo CD's own time: a push, a refresh at once, Healthy."""
    from cluster.shop import is_live

    commit = shop.set_tag("dev", tag)
    begun, live = time.monotonic(), is_live(commit)
    look = Look(lambda: live(shop.application("dev")))
    shop.refresh("dev")
    return look.end(60) - begun


def _click(shop: Any, served: PageProcess) -> dict[str, float]:
    """Press "Roll back", and follow it in the cluster and on the page."""
    from cluster.shop import is_live

    where, seconds = served.act("/e/dev/rollback", reason="bench")
    pressed = time.monotonic() - seconds  # looking at the preview is no part of it
    commit = git(shop.manifests.path, "rev-parse", "refs/heads/main").strip()
    live = is_live(commit)
    look = Look(lambda: live(shop.application("dev")))
    shown = Look(lambda: _all_done(served.page(where)))
    return {"cluster": look.end(60) - pressed, "page": shown.end(60) - pressed}


def _all_done(page: str) -> bool:
    """Say whether each step that the page follows is done."""
    steps = re.findall(r'<li><span class="word (\w+)">', page)
    return len(steps) == 3 and set(steps) == {"ok"}
