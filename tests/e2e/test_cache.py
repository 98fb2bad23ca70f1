"""Calls of the command line that share a cache: cheaper, and never wrong."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from manifests import Manifests
from servers.git_http import GitServer

DEV = "overlays/dev/kustomization.yaml"
# A disk of 64 kB, and one that may only be read, in a mount name space of its own.
FULL = (
    'mount -t tmpfs -o size=64k none "$1" && head -c 100000 /dev/zero >"$1/full"; shift; exec "$@"'
)
SEALED = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"; shift; exec "$@"'


@pytest.fixture
def environ(tmp_path: Path, server: GitServer) -> dict[str, str]:
    """What every call gets: the repository, and one cache."""
    url = server.repo
    return {**os.environ, "GITOPS_REPO": url, "GITOPS_CACHE": str(tmp_path / "cache")}


def start(manifests: Manifests, environ: dict[str, str], *words: str) -> subprocess.Popen[str]:
    """Start one call."""
    return subprocess.Popen(
        [sys.executable, "-m", "gitops", *words],
        cwd=manifests.elsewhere,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def deploy(manifests: Manifests, environ: dict[str, str], tag: str) -> str:
    """Put a tag into dev; return what was said on standard error."""
    running = start(manifests, environ, "deploy", f"shop/api:{tag}", "--to", "dev")
    out, err = running.communicate()
    assert running.returncode == 0, out + err
    assert tag in manifests.file(DEV)
    return err


def test_a_warm_deploy_makes_one_request(
    manifests: Manifests, server: GitServer, environ: dict[str, str]
) -> None:
    """Only the push talks to the server, whichever command warmed the cache."""
    warming = start(manifests, environ, "status")
    assert (warming.communicate(), warming.returncode)[1] == 0
    for tag in ("1.4.2", "1.4.3"):
        before = server.count()
        assert deploy(manifests, environ, tag) == ""
        assert server.count() - before == 1


def test_a_hold_by_somebody_else_counts_at_once(
    manifests: Manifests, environ: dict[str, str]
) -> None:
    """However warm the cache, policy comes from the tip that is written to."""
    deploy(manifests, environ, "1.4.2")
    elsewhere = {**environ, "GITOPS_CACHE": "off"}
    holding = start(manifests, elsewhere, "hold", "dev", "--reason", "INC-42")
    assert (holding.communicate(), holding.returncode)[1] == 0
    head = manifests.git("rev-parse", "main")
    running = start(manifests, environ, "deploy", "shop/api:1.4.3", "--to", "dev")
    _, err = running.communicate()

    assert (1, head) == (running.returncode, manifests.git("rev-parse", "main"))
    assert "INC-42" in err


@pytest.mark.slow
@pytest.mark.parametrize(("writers", "warm"), [(16, False), (6, True)])
def test_many_writers_share_a_cache(
    manifests: Manifests, server: GitServer, environ: dict[str, str], writers: int, warm: bool
) -> None:
    """All at once: each change lands once, and the cache is whole afterwards."""
    names = [f"shop/app-{number:02}" for number in range(writers)]
    entries = "".join(f"  - name: {name}\n    newTag: 1.0.0\n" for name in names)
    manifests.commit("many", {DEV: manifests.file(DEV) + entries})
    if warm:
        deploy(manifests, environ, "1.4.2")
    words = ("--to", "dev", "--push-timeout", "110s")
    running = [start(manifests, environ, "deploy", f"{name}:2.0.0", *words) for name in names]
    said = [one.communicate() for one in running]

    assert [0] * writers == [one.returncode for one in running], said
    text = manifests.file(DEV)
    assert all(f"name: {name}\n    newTag: 2.0.0\n" in text for name in names)
    log = manifests.git("log", "--format=%s", "main")
    assert [1] * writers == [log.count(f"{name} 1.0.0 -> 2.0.0") for name in names]
    manifests.git("fsck", "--strict", "--no-dangling")
    deploy(manifests, environ, "1.4.3")
    before = server.count()
    deploy(manifests, environ, "1.4.4")
    # Two where somebody waited a moment ago: who comes new then leaves the way (decision 104).
    assert server.count() - before in (1, 2)


@pytest.mark.slow
def test_killed_calls_leave_the_cache_usable(manifests: Manifests, environ: dict[str, str]) -> None:
    """Kills at any moment, also while the cache is being written, do no harm to the next call."""
    for number in range(12):
        running = start(manifests, environ, "deploy", f"shop/api:3.0.{number}", "--to", "dev")
        try:
            running.communicate(timeout=0.08 * number)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.communicate()
        if number % 4 == 3:
            deploy(manifests, environ, f"3.1.{number}")
    manifests.git("fsck", "--strict", "--no-dangling")


@pytest.mark.slow
def test_deleted_again_and_again(manifests: Manifests, environ: dict[str, str]) -> None:
    """Somebody who deletes the cache while calls run makes them slower, at most."""
    stop = Path(environ["GITOPS_CACHE"]).with_name("stop")
    script = 'while [ ! -e "$2" ]; do rm -rf "$1"; done'
    deleting = subprocess.Popen(["sh", "-c", script, "sh", environ["GITOPS_CACHE"], str(stop)])
    try:
        for number in range(5):
            deploy(manifests, environ, f"3.0.{number}")
    finally:
        stop.touch()
        deleting.wait()


def can_mount() -> bool:
    """Say whether a process may have mounts of its own here."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="no mount name space of one's own here")
@pytest.mark.parametrize("disk", [FULL, SEALED], ids=["full", "read-only"])
@pytest.mark.parametrize("warm", [False, True])
def test_disks_that_take_nothing(
    manifests: Manifests, environ: dict[str, str], disk: str, warm: bool
) -> None:
    """A cache on a disk that is full, or may only be read, is of no use, and in nobody's way."""
    cache = Path(environ["GITOPS_CACHE"])
    cache.mkdir(mode=0o700)
    if warm:
        deploy(manifests, environ, "1.4.2")
        manifests.commit("by hand", {"notes.txt": "x\n"})
    call = [sys.executable, "-m", "gitops", "deploy", "shop/api:1.4.3", "--to", "dev"]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", disk, "sh", str(cache), *call],
        cwd=manifests.elsewhere,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "1.4.3" in manifests.file(DEV)
    assert "Traceback" not in done.stderr
    deploy(manifests, environ, "1.4.4")
