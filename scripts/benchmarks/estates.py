"""Large estates: many apps, long histories, full ledgers; bare, built by fast-import in seconds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from repositories import ENVIRONMENTS, data, fast_import, git

_LARGEST_PART = 256 * 1024  # gitops.core.ledger.LARGEST_PART
_START = 1_750_000_000  # seconds since 1970; commits are a minute apart
_NAMED = "--format=%(refname) %(objectname)"
_RAW = ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "http.receivepack")


@dataclass(frozen=True)
class Estate:
    """What lies in a repository.

    Attributes:
        apps: each has an overlay in every environment; 0: one overlay for each environment.
        commits: deploys on top of the first commit, a minute apart, over all apps in turn.
        ledger: lines of one overlay's ledger.
        proposed: so many apps have something that waits for prod.
        holds: apps that are held in dev.
        refs: branches beside main.
        load: a sixth environment before prod.
        files: beside the overlays.
        old: the ledger is one file, as it was written once, whatever its size.
    """

    apps: int
    commits: int
    ledger: int = 0
    proposed: int = 0
    holds: int = 0
    refs: int = 0
    load: bool = False
    files: int = 0
    old: bool = False

    @property
    def environments(self) -> tuple[str, ...]:
        """The names, as releases go through them."""
        more = ("load",) if self.load else ()
        return (*ENVIRONMENTS[:-1], *more, *ENVIRONMENTS[-1:])

    @property
    def name(self) -> str:
        """A name of its own for each shape."""
        return "estate-" + "-".join(str(int(number)) for number in astuple(self))


def build_estate(root: Path, estate: Estate) -> Path:
    """Build `root/NAME.git`; an earlier one of the same shape is used again."""
    path = root / f"{estate.name}.git"
    if (path / "built").exists():
        return path
    subprocess.run(
        ["git", "init", "-q", "--bare", "-b", "main", "--template=", str(path)], check=True
    )
    for key in _RAW:
        git(path, "config", key, "true")
    for key in ("gc.auto", "receive.autogc"):
        git(path, "config", key, "0")
    fast_import(path, _stream(estate))
    git(path, "repack", "-adq")
    if estate.refs:
        heads = git(path, "for-each-ref", "--format=%(objectname) %(refname)").splitlines()
        main = git(path, "rev-parse", "refs/heads/main").strip()
        heads += [f"{main} refs/heads/feature/work-{number:06}" for number in range(estate.refs)]
        lines = "\n".join(sorted(heads, key=lambda line: line.split(" ")[1]))
        (path / "packed-refs").write_text(
            f"# pack-refs with: peeled fully-peeled sorted \n{lines}\n"
        )
    for line in git(
        path, "for-each-ref", _NAMED, "refs/heads/main", "refs/heads/gitops"
    ).splitlines():
        ref, commit = line.split()
        git(path, "update-ref", ref.replace("refs/heads/", "refs/base/", 1), commit)
    (path / "built").touch()
    return path


def overlay_of(estate: Estate, app: int, environment: str) -> str:
    """Return the path of one kustomization."""
    if not estate.apps:
        return f"overlays/{environment}/kustomization.yaml"
    return f"apps/a{app}/overlays/{environment}/kustomization.yaml"


def kustomization(app: int, tag: str) -> str:
    """Return what an overlay holds."""
    return (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
        f'  - base.yaml\nimages:\n  - name: shop/a{app}\n    newTag: "{tag}"\n'
    )


def commit(
    branch: str,
    number: int,
    message: str,
    files: dict[str, str],
    start: str = "",
    *,
    marked: bool = False,
) -> bytes:
    """Return one commit as fast-import reads it; `start`: the commit that a branch begins at.

    `marked`: later ones may start at `:NUMBER`.
    """
    when = f"{_START + 60 * number} +0000"
    mark = f"mark :{number}\n" if marked and number else ""
    head = f"commit refs/heads/{branch}\n{mark}committer CI <ci@example.com> {when}\n"
    parts = [head.encode(), data(message), f"from {start}\n".encode() if start else b""]
    for path, text in files.items():
        parts += [f"M 100644 inline {path}\n".encode(), data(text)]
    return b"".join(parts)


def deploy_message(estate: Estate, app: int, environment: str, tag: str, number: int) -> str:
    """Return what gitops itself would write."""
    label = f"a{app}/{environment}" if estate.apps else environment
    return (
        f"{label}: shop/a{app} -> {tag}\n\nGitops-Action: deploy\n"
        f"Gitops-Environment: {label}\nGitops-Id: {number:032x}\n"
    )


def land(path: Path, estate: Estate, number: int, count: int = 1) -> None:
    """Let somebody else deploy `count` times on the newest commit."""
    parts = []
    for one in range(number, number + count):
        app, environment = one % max(estate.apps, 1), ENVIRONMENTS[one % 4]
        tag = f"2.{one}"
        files = {overlay_of(estate, app, environment): kustomization(app, tag)}
        message = deploy_message(estate, app, environment, tag, one)
        start = "refs/heads/main^0" if not parts else ""
        parts.append(commit("main", estate.commits + one, message, files, start))
    fast_import(path, parts)


def reset(path: Path) -> None:
    """Put the branches back, and drop what gitops made."""
    kept = dict(
        line.split() for line in git(path, "for-each-ref", _NAMED, "refs/base").splitlines()
    )
    own = git(path, "for-each-ref", _NAMED, "refs/gitops", "refs/heads/gitops").splitlines()
    for ref in (line.split()[0] for line in own):
        if ref.replace("refs/heads/", "refs/base/", 1) not in kept:
            git(path, "update-ref", "-d", ref)
    for ref, commit in kept.items():
        git(path, "update-ref", ref.replace("refs/base/", "refs/heads/", 1), commit)


def _stream(estate: Estate) -> Iterator[bytes]:
    apps, environments = range(max(estate.apps, 1)), estate.environments
    pattern = "apps/{app}/overlays/" if estate.apps else "overlays/"
    rows = "".join(
        f'  - {{name: {name}, overlay: "{pattern}{name}"'
        + (", change: pull-request}\n" if name == "prod" else ", deploy: manual}\n")
        for name in environments
    )
    config = f"apiVersion: gitops/v1\nkind: Config\nbranch: main\nenvironments:\n{rows}"
    files = {"gitops.yaml": config}
    for app in apps:
        for name in environments:
            place = overlay_of(estate, app, name)
            files[place] = kustomization(app, "1.0")
            files[place.replace("kustomization", "base")] = _MANIFEST.format(app)
    for number in range(estate.files):
        place = f"services/team-{number % 97:02}/service-{number:06}.yaml"
        files[place] = _MANIFEST.format(number)
    for app in range(estate.holds):
        files[f".gitops/holds/a{app}/dev.yaml"] = _HOLD
    yield commit("main", 0, "Lay out the shop", files)
    for number in range(1, estate.commits + 1):
        app, name, tag = (
            (number * 7) % len(apps),
            environments[number % len(environments)],
            f"1.{number}",
        )
        text = kustomization(app, tag)
        message = deploy_message(estate, app, name, tag, number)
        files = {overlay_of(estate, app, name): text}
        yield commit("main", number, message, files, marked=bool(estate.proposed))
    yield from _beside(estate)


def _beside(estate: Estate) -> Iterator[bytes]:
    """Yield the branches of our own."""
    for app in range(estate.proposed):
        label = f"a{app}/prod" if estate.apps else "prod"
        files = {overlay_of(estate, app, "prod"): kustomization(app, "3.0")}
        message = deploy_message(estate, app, "prod", "3.0", estate.commits + 1 + app)
        # Somebody always proposed some time ago.
        start = f":{estate.commits - app}" if app else "refs/heads/main"
        yield commit(f"gitops/{label}", estate.commits + 1, message, files, start)
    if estate.ledger:
        label = "a0/dev" if estate.apps else "dev"
        lines = [_line(number) for number in range(estate.ledger)]
        files = {f"{label}.jsonl": "".join(lines)} if estate.old else _parts(label, lines)
        yield commit("gitops/ledger", 0, "dev: stable\n", files)


def _parts(label: str, lines: Sequence[str]) -> dict[str, str]:
    """Return the files that gitops would have written: a large one is left as it is."""
    parts: list[list[str]] = [[]]
    size = 0
    for line in lines:
        if size >= _LARGEST_PART:
            parts.append([])
            size = 0
        parts[-1].append(line)
        size += len(line)
    names = (f"{label}.{number}.jsonl" for number in range(2, len(parts) + 1))
    return dict(zip([f"{label}.jsonl", *names], map("".join, parts), strict=True))


def _line(number: int) -> str:
    told = {
        "commit": f"{number // 3:040x}",
        "verdict": ("stable", "qa-passed", "degraded")[number % 3],
        "time": "2025-06-16T12:00:00Z",
        "by": "watcher",
        "images": [{"image": "shop/a0", "name": None, "tag": f"0.{number // 3}", "digest": None}],
        "machine": number % 3 != 1,
    }
    return json.dumps(told) + "\n"


_MANIFEST = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: a{0}}}
spec:
  selector: {{matchLabels: {{app: a{0}}}}}
  template:
    metadata: {{labels: {{app: a{0}}}}}
    spec: {{containers: [{{name: app, image: shop/a{0}}}]}}
"""
_HOLD = 'by: "Ann"\nsince: "2025-06-16T12:00:00Z"\nreason: "INC-42"\n'
