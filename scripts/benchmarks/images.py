"""Images: a deploy that pins a digest beside one that does not, and a plan over 10,000 tags.

Both ask Debian's docker-registry, a process of its own; for the deploys it is 20 ms away, as the
Git server is.
"""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distance import Distance
from measure import Wire, run
from peers import base_environment
from repositories import QUICK, SHAPES, build, overlay_path

sys.path.append(str(Path(__file__).parents[2] / "tests"))

_RTT = 0.02
_REPOSITORY = "shop/api"
_OLD = "2025-01-01T00:00:00Z"
_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Pusher:
    """Pushes to a registry, on one connection.

    Attributes:
        host: where it listens.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self._line = HTTPConnection(host)

    def push(self, tag: str, *, created: str = _OLD) -> str:
        """Push an index: an image of its own, and one that all have. Return its digest."""
        children = [self._image(f"{tag} amd64"), self._image("arm64")]
        index = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _INDEX,
                "manifests": [
                    {**child, "platform": {"os": "linux", "architecture": architecture}}
                    for child, architecture in zip(children, ("amd64", "arm64"), strict=True)
                ],
                "annotations": {"org.opencontainers.image.created": created},
            }
        ).encode()
        self._ask("PUT", f"manifests/{tag}", index, _INDEX)
        return _digest(index)

    @cache  # noqa: B019 - one registry for the whole run
    def _image(self, salt: str) -> dict[str, object]:
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": self._blob(b"{}"),
                "layers": [],
                "annotations": {"salt": salt},
            }
        ).encode()
        self._ask("PUT", f"manifests/{_digest(manifest)}", manifest, _MANIFEST)
        return {"mediaType": _MANIFEST, "digest": _digest(manifest), "size": len(manifest)}

    def _blob(self, content: bytes) -> dict[str, object]:
        if not hasattr(self, "_pushed"):
            place = self._ask("POST", "blobs/uploads/", b"")["Location"]
            parts = urlsplit(place)
            joint = "&" if parts.query else "?"
            target = f"{parts.path}?{parts.query}{joint}digest={_digest(content)}"
            self._ask("PUT", target, content, "application/octet-stream")
            self._pushed = True
        kind = "application/vnd.oci.image.config.v1+json"
        return {"mediaType": kind, "digest": _digest(content), "size": len(content)}

    def _ask(self, method: str, path: str, body: bytes, kind: str = "") -> Any:
        where = path if path.startswith("/") else f"/v2/{_REPOSITORY}/{path}"
        self._line.request(method, where, body, {"Content-Type": kind} if kind else {})
        answer = self._line.getresponse()
        answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {where}: {answer.status}")
        return answer.headers


def measure_images(root: Path, gitops: Sequence[str], runs: int, *, quick: bool) -> dict[str, Any]:
    """Return the medians of the deploys, and what the plan cost."""
    from servers.registry import DockerRegistry, registry_options
    from servers.sharing import announce_run, share

    options = registry_options()
    if options["program"] is None:
        raise SystemExit("docker-registry is not installed (Debian: apt install it)")
    announce_run(root)
    record = share("registry", "servers.registry", options)
    registry = Pusher(DockerRegistry.of(record).open)
    home = root / "home"
    deploys = _deploys(root, home, gitops, registry, runs, quick=quick)
    plan = _plan(root, home, gitops, registry, 200 if quick else 10_000)
    return {"rows": deploys, "plan": plan}


def _deploys(
    root: Path,
    home: Path,
    gitops: Sequence[str],
    registry: Pusher,
    runs: int,
    *,
    quick: bool,
) -> list[dict[str, Any]]:
    """Deploy again and again, with and without `pin`, in turns: without a cache by URL and from a
    checkout, and warm.
    """
    tags = [f"2.0.{number}" for number in range(8)]
    for tag in tags:
        registry.push(tag)
    found: dict[tuple[str, str], list[float]] = {}
    order = random.Random(1)
    with (
        Wire(root) as wire,
        Distance(wire.url, _RTT) as git,
        Distance(f"http://{registry.host}", _RTT) as far,
    ):
        host = urlsplit(far.url).netloc
        cases = [
            (pin, how, _Clone(root, git.url, pin, host, how, quick=quick))
            for pin in ("tag", "digest")
            for how in ("url", "checkout", "warm")
        ]
        for number in range(runs + 2):
            for pin, how, clone in order.sample(cases, len(cases)):
                wall = clone.deploy(gitops, home, tags[number % len(tags)])
                if number > 1:
                    found.setdefault((how, pin), []).append(wall)
    return [
        {
            "case": how,
            "pin": pin,
            "wall": statistics.median(walls),
            "low": min(walls),
            "runs": len(walls),
        }
        for (how, pin), walls in sorted(found.items())
    ]


class _Clone:
    """One case: a repository of its own behind the distance, and how it is named."""

    def __init__(self, root: Path, url: str, pin: str, host: str, how: str, *, quick: bool) -> None:
        self._how = how
        served = build(root, f"images-{pin}-{how}", (QUICK if quick else SHAPES)["small"])
        self._url = f"{url}/{served.path.name}"
        self._folder = root / f"clone-{pin}-{how}"
        local = root / f"work-{pin}-{how}"
        _git("clone", "-q", str(served.path), str(local))
        config = local / "gitops.yaml"
        text = config.read_text().replace("name: dev,", f"name: dev, pin: {pin},")
        config.write_text(text)
        overlay = local / overlay_path("dev")
        first = overlay.read_text().split("- name: ", 2)[1].split("\n", 1)[0]
        name = f"- name: {first}\n    newName: {host}/{_REPOSITORY}\n"
        overlay.write_text(overlay.read_text().replace(f"- name: {first}\n", name, 1))
        self._image = first
        _git("-C", str(local), "-c", "user.name=b", "-c", "user.email=b@x", "commit", "-qam", "pin")
        _git("-C", str(local), "push", "-q", "origin", "HEAD:main")
        _git("-C", str(local), "remote", "set-url", "origin", self._url)
        self._local = local

    def deploy(self, gitops: Sequence[str], home: Path, tag: str) -> float:
        """Deploy once; return the seconds."""
        environ = base_environment(home)
        environ["GITOPS_CACHE"] = str(self._folder) if self._how == "warm" else "off"
        where = str(self._local) if self._how == "checkout" else self._url
        command = [*gitops, "deploy", f"{self._image}:{tag}", "--to", "dev", "--repo", where]
        cost = run(command, environ)
        if cost.status:
            raise SystemExit(f"{self._how}: {cost.words}")
        return cost.wall


def _plan(
    root: Path, home: Path, gitops: Sequence[str], registry: Pusher, tags: int
) -> dict[str, Any]:
    """Plan a cleanup of so many tags, a fifth of which are in use by overlays of many branches."""
    bare, work = root / "plan.git", root / "plan"
    _git("init", "-q", "--bare", "-b", "main", str(bare))
    _git("clone", "-q", str(bare), str(work))
    names = [f"feature-{number:05}-{number:07x}" for number in range(tags)]
    used = names[: tags // 5]
    for name in names:
        registry.push(name)
    (work / "gitops.yaml").write_text(
        "apiVersion: gitops/v1\nkind: Config\nbranch: main\n"
        "cleanup: [{images: ['*'], tags: 'feature-*', olderThan: 14d}]\n"
        "environments: [{name: dev, overlay: 'apps/{app}/dev'}]\n"
    )
    where = f"{registry.host}/{_REPOSITORY}"
    for number in range(0, len(used), 10):
        folder = work / "apps" / f"app-{number:05}" / "dev"
        folder.mkdir(parents=True)
        images = "".join(
            f"  - name: api-{name}\n    newName: {where}\n    newTag: {name}\n"
            for name in used[number : number + 10]
        )
        (folder / "kustomization.yaml").write_text(f"images:\n{images}")
    _git("-C", str(work), "add", "-A")
    _git("-C", str(work), "-c", "user.name=b", "-c", "user.email=b@x", "commit", "-qm", "use")
    _git("-C", str(work), "push", "-q", "origin", "HEAD:main")
    command = [*gitops, "images", "prune", "--repo", str(bare), "-o", "json", "--no-clusters"]
    cost = run(command, base_environment(home) | {"GITOPS_CACHE": "off"})
    if cost.status:
        raise SystemExit(cost.words)
    return {
        "tags": tags,
        "used": len(used),
        "wall": cost.wall,
        "cpu": cost.cpu,
        "memory": cost.memory,
    }


def images_text(results: dict[str, Any]) -> str:
    """Return the tables."""
    found = {(row["case"], row["pin"]): row for row in results["rows"]}
    lines = [
        "| deploy, 20 ms away | `pin: tag` ms: least, median | `pin: digest` | least | median |",
        "|---|---|---|---|---|",
    ]
    for how in ("checkout", "url", "warm"):
        tag, digest = found[how, "tag"], found[how, "digest"]
        times = (f"{row['low'] * 1000:.0f}, {row['wall'] * 1000:.0f}" for row in (tag, digest))
        least, middle = (digest[key] / tag[key] for key in ("low", "wall"))
        lines.append(f"| {how} | {' | '.join(times)} | {least:.2f}x | {middle:.2f}x |")
    plan = results["plan"]
    lines += [
        "",
        f"A plan over {plan['tags']:,} tags with {plan['used']:,} in use: "
        f"{plan['cpu']:.1f} s of CPU, "
        f"{plan['wall']:.0f} s, {plan['memory'] / 1e6:.0f} MB.",
    ]
    return "\n".join(lines)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)
