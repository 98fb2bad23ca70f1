"""The repositories that are measured: bare, served over HTTP, built in seconds by fast-import."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENTS = ("dev", "test", "stage", "preprod", "prod")
_START = 1_750_000_000  # seconds since 1970; commits are a minute apart
_ROW = "  - {{name: {0}, overlay: overlays/{0}, accepts: [main], deploy: manual}}\n"
_FILLER = """apiVersion: v1
kind: ConfigMap
metadata:
  name: service-{0:05}
  labels: {{team: team-{1}, tier: backend}}
data:
  LISTEN: "0.0.0.0:{2}"
  UPSTREAM: http://service-{3:05}.shop.svc.cluster.local
  TIMEOUT: 30s
  SEED: "{4:032x}"
"""


@dataclass(frozen=True)
class Shape:
    """How big a repository is.

    Attributes:
        files: files in the newest tree, about.
        commits: first-parent commits.
        images: entries in every overlay.
        refs: branches beside main.
    """

    files: int
    commits: int = 60
    images: int = 10
    refs: int = 0


SHAPES = {
    "small": Shape(files=320),
    "large": Shape(files=10_000),
    "deep": Shape(files=320, commits=10_000),
    "crowded": Shape(files=320, refs=100_000),
    "wide": Shape(files=320, images=200),
    "crowd": Shape(files=320, images=64),
}
QUICK = {
    "small": Shape(files=60, commits=20),
    "large": Shape(files=1000, commits=20),
    "deep": Shape(files=60, commits=500),
    "crowded": Shape(files=60, commits=20, refs=2000),
    "wide": Shape(files=60, commits=20, images=40),
    "crowd": Shape(files=60, commits=20, images=64),
}


@dataclass(frozen=True)
class Served:
    """One built repository: where it lies, and what main is put back to before each run."""

    name: str
    path: Path
    base: str
    shape: Shape

    def reset(self) -> None:
        """Put main back, and drop every ref that a run left behind."""
        git(self.path, "update-ref", "refs/heads/main", self.base)
        for ref in self.left_refs():
            git(self.path, "update-ref", "-d", ref)

    def commit_of_another(self, number: int) -> None:
        """Let somebody else change a file that no bump touches."""
        text = f"tip moved {number}\n"
        part = _commit(self.shape.commits + number, text, {"services/notes.txt": text})
        head, _, rest = part.partition(b"M 100644")
        stream = head + b"from refs/heads/main^0\nM 100644" + rest
        command = ["git", "-C", str(self.path), "fast-import", "--quiet"]
        subprocess.run(command, input=stream, check=True)

    def left_refs(self) -> list[str]:
        """Refs of gitops' own that lie there now."""
        return git(self.path, "for-each-ref", "--format=%(refname)", "refs/gitops").split()

    def overlay(self, environment: str) -> str:
        """The overlay's text at main."""
        return git(self.path, "show", f"refs/heads/main:{overlay_path(environment)}")

    def messages(self) -> list[str]:
        """Messages of the commits made since `base`."""
        text = git(self.path, "log", "--format=%B%x00", f"{self.base}..refs/heads/main")
        return [message for message in text.split("\0") if message.strip()]

    def sound(self) -> bool:
        """True when `git fsck` finds nothing wrong."""
        command = ["git", "-C", str(self.path), "fsck", "--connectivity-only", "--no-dangling"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def overlay_path(environment: str) -> str:
    """Path of one environment's overlay."""
    return f"overlays/{environment}/kustomization.yaml"


def image_name(number: int) -> str:
    """Name of the image with this number, counted from 0."""
    return f"shop/app-{number:03}"


def build(root: Path, name: str, shape: Shape) -> Served:
    """Build `root/name.git`; an earlier one of the same shape is used again."""
    path = root / f"{name}-{shape.files}-{shape.commits}-{shape.images}-{shape.refs}.git"
    if not (path / "built").exists():
        subprocess.run(["git", "init", "-q", "--bare", "--template=", str(path)], check=True)
        for key, value in (
            ("http.receivepack", "true"),
            ("uploadpack.allowFilter", "true"),
            ("receive.autogc", "false"),
            ("gc.auto", "0"),
            ("core.logAllRefUpdates", "false"),
        ):
            git(path, "config", key, value)
        git(path, "symbolic-ref", "HEAD", "refs/heads/main")
        fast_import(path, _stream(shape))
        git(path, "gc", "-q")
        if shape.refs:
            _crowd_refs(path, shape.refs)
        (path / "built").touch()
    base = path / "base"
    if not base.exists():
        base.write_text(git(path, "rev-parse", "refs/heads/main").strip())
    served = Served(name, path, base.read_text(), shape)
    served.reset()
    return served


def _stream(shape: Shape) -> Iterator[bytes]:
    """What fast-import reads: everything at once, then one changed image per commit.

    The far environment `prod` changes only early on: twice in the first tenth of the history.
    """
    tags = {environment: ["1.0.0"] * shape.images for environment in ENVIRONMENTS}
    rows = "".join(_ROW.format(environment) for environment in ENVIRONMENTS)
    files = {
        "gitops.yaml": f"apiVersion: gitops/v1\nkind: Config\nbranch: main\nenvironments:\n{rows}",
        "base/kustomization.yaml": "resources: []\n",
    }
    for environment in ENVIRONMENTS:
        files[overlay_path(environment)] = _overlay(environment, tags[environment])
    for number in range(shape.files - len(files)):
        text = _FILLER.format(number, number % 17, 8000 + number % 999, number // 2, number**5)
        files[f"services/team-{number % 17}/service-{number:05}.yaml"] = text
    yield _commit(0, "Lay out the shop", files)
    early = {shape.commits // 20: "1.0.1", shape.commits // 10: "1.0.2"}
    for number in range(1, shape.commits):
        environment, image, tag = ENVIRONMENTS[number % 3], number % shape.images, f"1.1.{number}"
        if number in early:
            environment, image, tag = "prod", 0, early[number]
        before, tags[environment][image] = tags[environment][image], tag
        subject = f"{environment}: {image_name(image)} {before} -> {tag}"
        trailers = (
            f"Gitops-Action: deploy\nGitops-Environment: {environment}\n"
            f"Gitops-Id: bench-{number:08}\n"
        )
        text = _overlay(environment, tags[environment])
        yield _commit(number, f"{subject}\n\n{trailers}", {overlay_path(environment): text})


def _overlay(environment: str, tags: list[str]) -> str:
    entries = "".join(
        f"  # built by team {number % 17}\n  - name: {image_name(number)}\n    newTag: {tag}\n"
        for number, tag in enumerate(tags)
    )
    return (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"namespace: shop-{environment}\nresources:\n  - ../../base\nimages:\n{entries}"
    )


def _commit(number: int, message: str, files: dict[str, str]) -> bytes:
    when = f"{_START + 60 * number} +0000"
    parts = [
        f"commit refs/heads/main\ncommitter Builder <builder@example.com> {when}\n".encode(),
        data(message),
    ]
    for path, text in files.items():
        parts += [f"M 100644 inline {path}\n".encode(), data(text)]
    return b"".join(parts)


def data(text: str) -> bytes:
    """Return a text as fast-import reads it."""
    content = text.encode()
    return b"data %d\n%s\n" % (len(content), content)


def _crowd_refs(path: Path, count: int) -> None:
    """Add branches the way a server keeps them after gc: one sorted packed-refs file."""
    main = git(path, "rev-parse", "refs/heads/main").strip()
    refs = ["refs/heads/main", *(f"refs/heads/feature/work-{n:06}" for n in range(count))]
    lines = "".join(f"{main} {ref}\n" for ref in sorted(refs))
    (path / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{lines}")


def fast_import(path: Path, parts: Iterable[bytes]) -> None:
    """Import what `parts` say, one after the other."""
    importer = subprocess.Popen(
        ["git", "-C", str(path), "fast-import", "--quiet"], stdin=subprocess.PIPE
    )
    assert importer.stdin is not None
    with importer.stdin as stream:
        for part in parts:
            stream.write(part)
    if importer.wait():
        raise SystemExit("git fast-import failed")


def git(path: Path, *arguments: str) -> str:
    """Run git there, and return what it printed."""
    command = ["git", "-C", str(path), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
