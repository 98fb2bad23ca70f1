"""`scripts/cluster`: a real Argo CD to play with, on this machine, without containers."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cluster import playground
from cluster.handle import ClusterHandle
from cluster.plane import plane_handle, plane_options
from servers.build import CannotBuildError, build
from servers.keeper import READY
from servers.lanes import absent
from servers.processes import CannotStartError
from servers.programs import GROUPS
from servers.sharing import TESTS, await_ready, end, keeper_lives, launch
from servers.store import program

ROOT = TESTS.parent


@dataclass(frozen=True)
class Place:
    """Where a playground lives."""

    folder: Path

    @property
    def plane(self) -> Path:
        """The folder of its keeper."""
        return self.folder / "plane"

    @property
    def checkout(self) -> Path:
        """A checkout of the manifest repository."""
        return self.folder / "checkout"

    @property
    def repositories(self) -> Path:
        """What the Git server serves."""
        return self.folder / "repositories"


_OURS = ("plane", "checkout", "repositories", "logs")


def main() -> int:
    """Do what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/cluster",
        description="A Kubernetes API, Argo CD and Argo Rollouts as plain processes on this "
        "machine, with the sample's five Applications and a Git server. Pods are played by kwok: "
        "no image is pulled, and an image with `broken` in its tag crashes. Takes 1.6 GB of "
        "memory while it runs. It is not reachable from other machines, apart from two ports "
        "with metrics.",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / ".cache" / "cluster",
        help="where it lives (default: .cache/cluster of the checkout); `down` deletes it",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="up|down|status")
    commands.add_parser("up", help="start it, and print how to try gitops on it")
    commands.add_parser("status", help="say how the Applications are, and print the same again")
    commands.add_parser("down", help="stop it, and delete its repository")
    options = parser.parse_args()
    try:
        place = Place(options.folder.absolute())
        return {"up": up, "status": status, "down": down}[options.command](place)
    except CannotBuildError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
    except CannotStartError as error:
        print(f"error: {error}\nhint: scripts/cluster down, then up again", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 3


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def up(place: Place) -> int:
    """Start everything that does not run yet."""
    if keeper_lives(place.plane):
        say("The playground runs already.\n")
        return status(place)
    for one in GROUPS["control-plane"]:
        build(one)
    if reason := absent("control-plane"):
        print(f"error: {reason}", file=sys.stderr)
        return 3
    if any(path.name not in _OURS for path in place.folder.glob("*")):
        print(f"error: {place.folder} holds other things, and is left alone", file=sys.stderr)
        return 1
    playground.remove(place.folder)
    place.plane.mkdir(parents=True)
    place.repositories.mkdir()
    say("Starting etcd, Kubernetes, Argo CD and Argo Rollouts")
    try:
        options = {**plane_options(), "repositories": str(place.repositories)}
        launch(place.plane, 0, "cluster.playground", options)
        record = await_ready(place.plane)
        cluster = plane_handle(record, place.plane)
        url = record["repository"]
        playground.write_sample(place.checkout, place.repositories / "manifests.git", url)
        names = playground.follow(cluster, place.checkout)
        say(f"Argo CD follows {url} with {len(names)} Applications")
        playground.await_health(cluster, names, say)
    except BaseException:
        _keep_logs(place)
        end(place.plane)
        raise
    say("")
    tell(place, cluster, url)
    return 0


def status(place: Place) -> int:
    """Say how things are; 1 when nothing runs."""
    if not keeper_lives(place.plane):
        print("The playground does not run: scripts/cluster up", file=sys.stderr)
        return 1
    record = json.loads((place.plane / READY).read_text(encoding="utf-8"))
    cluster = plane_handle(record, place.plane)
    for name, (sync, health, revision) in sorted(playground.applications(cluster).items()):
        say(f"{name:12} {sync:10} {health:12} {revision}")
    say("")
    tell(place, cluster, record["repository"])
    return 0


def down(place: Place) -> int:
    """Stop everything."""
    running = keeper_lives(place.plane)
    end(place.plane)
    for name in _OURS:
        playground.remove(place.folder / name)
    with suppress(OSError):
        place.folder.rmdir()
    say("The playground has stopped." if running else "The playground did not run.")
    return 0


def _keep_logs(place: Place) -> None:
    """Save the logs of a start that failed from what `end` deletes."""
    with suppress(OSError):
        (place.plane / "logs").rename(place.folder / "logs")
        print(f"The logs are in {place.folder / 'logs'}", file=sys.stderr)


def tell(place: Place, cluster: ClusterHandle, url: str) -> None:
    """Print how to try gitops here."""
    path = [Path(sys.executable).parent, program("kubectl").parent]
    exports = {
        "KUBECONFIG": str(cluster.kubeconfig),
        "GITOPS_REPO": url,
        "PATH": f"{os.pathsep.join(map(str, path))}{os.pathsep}$PATH",
    }
    if any(name.lower().endswith("_proxy") for name in os.environ):
        exports["no_proxy"] = "127.0.0.1"
    for name, value in exports.items():
        quoted = f'"{value}"' if "$PATH" in value else shlex.quote(value)
        say(f"export {name}={quoted}")
    patience = playground.PATIENCE
    say(
        f"""
gitops deploy shop/api:1.5.0 --to dev --wait           # Healthy, and stable by the ledger
gitops deploy shop/api:1.6.0-broken --to dev --wait    # Degraded in {patience} s, exit code 1
gitops rollback dev --reason "the api crashes" --wait  # back to the stable release, and held
gitops status dev                                      # what is live, and who holds it
gitops resume dev                                      # builds may come again

kubectl -n argocd get applications --watch             # Argo CD's side of it, in another terminal

Argo CD looks at Git every 10 seconds. Its API is at {cluster.argocd}
(admin, {cluster.password}); a checkout to edit is in {place.checkout}
scripts/cluster status says this again, scripts/cluster down stops it all."""
    )


if __name__ == "__main__":
    sys.exit(main())
