"""What `gitops wait` and `rollback` cost on a real Argo CD: the control plane of the tests.

Needs the programs of `scripts/servers build control-plane`. Times are read off one clock, since all
of it runs on one machine: when the push was done, when the Application in the API server said
Synced and Healthy at the commit (looked at every 10 ms), when `gitops wait` printed that, and when
it ended.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))

_BACK = "rollback of a canary"
_SAID = "Synced/Healthy at {short}: Synced and Healthy"


def measure_cluster(root: Path, runs: int) -> dict[str, Any]:
    """Return the rows: how each way makes Argo CD look, how long each stretch took, in seconds."""
    from cluster.shop import is_live, open_shop

    cluster, template = _open_cluster(root)
    if cluster is None:
        sys.exit(f"error: there is no cluster to measure on: {template}")
    rows: list[dict[str, Any]] = []
    with _folder(root, "plain") as folder, open_shop(cluster, template, folder) as shop:
        shop.follow("dev")
        shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))
        ways: dict[str, Callable[[str, str], None]] = {
            "refresh": lambda before, after: None,
            "webhook": lambda before, after: _tell(shop, before, after),
            "polling every 10 s": lambda before, after: None,
        }
        viewer = str(cluster.kubeconfig_of("viewer", folder))
        for number in range(runs):
            for way, after_push in ways.items():
                config = str(cluster.kubeconfig) if way == "refresh" else viewer
                rows.append(
                    {"case": way, **_one(shop, f"1.{number}.{len(rows)}", config, after_push)}
                )
                print(f"{way}: {rows[-1]}", file=sys.stderr, flush=True)
    with (
        _folder(root, "canary") as folder,
        open_shop(cluster, template, folder, rollout=True) as shop,
    ):
        shop.follow("dev")
        shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))
        for number in range(runs):
            rows.append({"case": _BACK, **_back(shop, f"2.{number}.0")})
            print(f"rollback: {rows[-1]}", file=sys.stderr, flush=True)
    return {"rows": rows, "missing": []}


def _open_cluster(root: Path) -> tuple[Any, Any]:
    """Return the cluster and the sample's repository to copy, or None and why there is none."""
    from cluster.providers import NoClusterError, Wanted, open_cluster
    from manifests import make_template
    from servers.sharing import announce_run

    announce_run(root)
    try:
        cluster = open_cluster(Wanted("auto"))
    except NoClusterError as error:
        return None, str(error)
    (root / "template").mkdir()
    return cluster, make_template(root / "template")


@contextmanager
def open_plane(root: Path) -> Iterator[tuple[Any, str]]:
    """Yield the sample's repository, whose environment dev the real Argo CD follows, and "".

    None and the reason where no control plane is built.
    """
    from cluster.shop import is_live, open_shop

    cluster, template = _open_cluster(root)
    if cluster is None:
        yield None, template
        return
    with _folder(root, "plain") as folder, open_shop(cluster, template, folder) as shop:
        shop.follow("dev")
        shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))
        yield shop, ""


@contextmanager
def _folder(root: Path, name: str) -> Iterator[Path]:
    (root / name).mkdir()
    yield root / name


def _tell(shop: Any, before: str, after: str) -> None:
    status = shop.cluster.tell_argocd(shop.url, before, after, ["overlays/dev/kustomization.yaml"])
    assert status == 200, status


class Look:
    """Notes when something became so in the cluster."""

    def __init__(self, question: Callable[[], bool]) -> None:
        self.at: float | None = None
        self._question = question
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self.at is None and not self._stop.wait(0.01):
            if self._question():
                self.at = time.monotonic()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def end(self, seconds: float = 5) -> float:
        """Return when it was so; wait so long for that. Seconds of the monotonic clock."""
        self._thread.join(timeout=seconds)
        self.stop()
        assert self.at is not None, "it never became so"
        return self.at


def _one(
    shop: Any, tag: str, kubeconfig: str, after_push: Callable[[str, str], None]
) -> dict[str, float]:
    """Push a tag, let `gitops wait` follow it, and take the times."""
    from cluster.shop import is_live

    before = shop.manifests.git("rev-parse", "main").strip()
    commit = shop.set_tag("dev", tag)
    pushed = time.monotonic()
    live = is_live(commit)
    look = Look(lambda: live(shop.application("dev")))
    after_push(before, commit)
    said = None
    with _gitops(shop, kubeconfig, "wait", "dev", "--no-record") as child:
        assert child.stdout is not None
        for line in child.stdout:
            if said is None and _SAID.format(short=commit[:7]) in line:
                said = time.monotonic()
    ended = time.monotonic()
    there = look.end()
    assert child.returncode == 0, child.returncode
    assert said is not None
    return {
        "push to Healthy": there - pushed,
        "Healthy to seen": max(said - there, 0.0),  # our own look comes every 10 ms only
        "seen to answer": ended - said,
    }


def _back(shop: Any, tag: str) -> dict[str, float]:
    """Roll a paused canary back; the time until its Rollout is told to stop, and until Healthy."""
    from cluster.shop import has_health

    where = ("argoproj.io/v1alpha1", "Rollout", "api", shop.namespace("dev"))
    bad = shop.set_tag("dev", tag)
    shop.refresh("dev")
    shop.wait("dev", has_health(bad, "Suspended"))
    began = time.monotonic()
    look = Look(lambda: bool(shop.cluster.kube.get(*where)["status"].get("abort")))
    arguments = ("rollback", "dev", "--wait", "--no-record", "--no-hold")
    with _gitops(shop, str(shop.cluster.kubeconfig), *arguments) as child:
        child.communicate()
    ended = time.monotonic()
    assert child.returncode == 0, child.returncode
    return {"start to abort": look.end() - began, "start to answer": ended - began}


@contextmanager
def _gitops(shop: Any, kubeconfig: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    import os

    child = subprocess.Popen(
        [sys.executable, "-u", "-m", "gitops", *arguments],
        cwd=shop.manifests.elsewhere,
        env={**os.environ, "KUBECONFIG": kubeconfig, "GITOPS_REPO": shop.url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield child
        child.wait()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def cluster_text(results: dict[str, Any]) -> str:
    """The generated part: the median of each stretch, and the shortest and the longest."""
    machine = results["machine"]
    head = (
        f"{results['date']}, {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}, Argo CD 3.4.2, Argo Rollouts 1.9.1, all on one machine; "
        f"{results['runs']} runs each, interleaved; seconds, median (shortest to longest)."
    )
    rows = results["rows"]
    cases = dict.fromkeys(row["case"] for row in rows)
    columns = ("push to Healthy", "Healthy to seen", "seen to answer")
    lines = [("Argo CD looks because of", *columns), ("---",) * 4]
    lines += [
        (case, *(_cell(rows, case, column) for column in columns))
        for case in cases
        if case != _BACK
    ]
    stretches = ("start to abort", "start to answer")
    back = [("`gitops rollback --wait` of", *stretches), ("---",) * 3]
    back.append(("a canary that pauses", *(_cell(rows, _BACK, column) for column in stretches)))
    return f"{head}\n\n{_table(lines)}\n\n{_table(back)}"


def _table(lines: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(rows: list[dict[str, Any]], case: str, column: str) -> str:
    found = [row[column] for row in rows if row["case"] == case]
    if not found:
        return "-"
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"
