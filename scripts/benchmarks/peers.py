"""Who is measured: gitops, and what people use instead of it."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from repositories import overlay_path

RETRY = "shell, pull --rebase, random retry"
KEYED = "gitops with the key"
_LEAST = str(Path(__file__).with_name("least.py"))
CACHE_OF_A_RUN = "cache-of-a-run"
_KUSTOMIZE_SOURCE = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1"
_CLONE = """set -e
dir=$(mktemp -d)
test -n "${WORK_KEPT:-}" || trap 'rm -rf "$dir"' EXIT
git clone -q --depth 1 --single-branch --branch main "$URL" "$dir/r"
cd "$dir/r"
"""
_SED = """f=overlays/$ENVIRONMENT/kustomization.yaml
sed "\\|name: $IMAGE\\$|{n;s|newTag: .*|newTag: $TAG|;}" "$f" >"$f.new"
mv "$f.new" "$f"
"""
_KUSTOMIZE = """(cd "overlays/$ENVIRONMENT" && kustomize edit set image "$IMAGE=$IMAGE:$TAG")
"""
_RUAMEL = """"$PYTHON" - "overlays/$ENVIRONMENT/kustomization.yaml" "$IMAGE" "$TAG" <<'END'
import sys
from ruamel.yaml import YAML
path, image, tag = sys.argv[1:]
yaml = YAML()
yaml.preserve_quotes = True
with open(path) as file:
    document = yaml.load(file)
for entry in document["images"]:
    if entry["name"] == image:
        entry["newTag"] = tag
with open(path, "w") as file:
    yaml.dump(document, file)
END
"""
_COMMIT = """git commit -q -a -m "$ENVIRONMENT: $IMAGE $TAG"
"""
_PUSH = """git push -q origin main
"""
# Tries as often as it takes, waiting a random time that grows with each try.
_PUSH_UNTIL = """try=0
until git push -q origin main 2>/dev/null; do
  try=$((try + 1))
  [ "$try" -lt 60 ] || exit 75
  sleep "$(awk -v id="$$" -v try="$try" 'BEGIN {srand(id * 61 + try); print rand() * 0.3 * try}')"
  git pull -q --rebase
done
"""


@dataclass(frozen=True)
class Bump:
    """One wanted change."""

    url: str
    environment: str
    image: str
    tag: str


@dataclass(frozen=True)
class Peer:
    """Something that can bump an image.

    Attributes:
        name: as tables call it.
        command: what is run, with {url}, {environment}, {image}, {tag}, {file}.
        variables: environment variables of its own; "{cache}" stands for a directory that is empty
            before a run.
        primed: another bump was made before it, not timed, with the same directory.
        behind: commits of somebody else that landed since then.
        small: it reads small repositories only.
    """

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    primed: bool = False
    behind: int = 0
    small: bool = False

    def words(self, bump: Bump) -> list[str]:
        """The command line for one bump."""
        values = {
            "{url}": bump.url,
            "{environment}": bump.environment,
            "{image}": bump.image,
            "{tag}": bump.tag,
            "{file}": overlay_path(bump.environment),
        }
        return [_fill(word, values) for word in self.command]

    def environment(self, bump: Bump, home: Path) -> dict[str, str]:
        """The variables for one bump: nothing of the user's Git configuration."""
        made = base_environment(home)
        made |= {
            "URL": bump.url,
            "ENVIRONMENT": bump.environment,
            "IMAGE": bump.image,
            "TAG": bump.tag,
        }
        made |= {
            name: str(home / CACHE_OF_A_RUN) if value == "{cache}" else value
            for name, value in self.variables.items()
        }
        return made


def base_environment(home: Path) -> dict[str, str]:
    """What every measured process gets to see."""
    kept = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "TMPDIR", "WORK_KEPT")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "LANG": "C.UTF-8",
        "PYTHON": sys.executable,
        "NO_PROXY": "127.0.0.1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Bench",
        "GIT_AUTHOR_EMAIL": "bench@example.com",
        "GIT_COMMITTER_NAME": "Bench",
        "GIT_COMMITTER_EMAIL": "bench@example.com",
    }


def single_peers(
    gitops: Sequence[str], added: Sequence[str], *, far: bool = False, least: str | None = None
) -> tuple[list[Peer], list[str]]:
    """Return the peers of a single bump, and a line for each that is left out, with the reason.

    `far`: only those that tell something about a long way to the server. `least`: the Python that
    runs the lower bound.
    """
    peers, missing = [], []
    if shutil.which(gitops[0]) is None:
        missing.append(f"gitops: `{gitops[0]}` is not installed (--gitops names another)")
    else:
        deploy = (*gitops, "deploy", "{image}:{tag}", "--to", "{environment}", "--repo", "{url}")
        cache = {"GITOPS_CACHE": "{cache}"}
        peers.append(Peer("gitops", deploy, cache))
        peers.append(Peer("gitops, warm cache", deploy, cache, primed=True))
        peers.append(Peer("gitops, warm, tip moved", deploy, cache, primed=True, behind=1))
    peers.append(_recipe("shell recipe", _CLONE + _SED + _COMMIT + _PUSH))
    if least is not None:
        words = (least, _LEAST, "{url}", "{file}", "{image}", "{tag}")
        peers.append(Peer("lower bound", words, small=True))
    if not far:
        _add_recipes(peers, missing)
    for text in added:
        name, separator, template = text.partition("=")
        if not separator or not template:
            raise SystemExit(f"--peer {text}: NAME=TEMPLATE is expected")
        peers.append(Peer(name, tuple(shlex.split(template))))
    return peers, missing


def _add_recipes(peers: list[Peer], missing: list[str]) -> None:
    if shutil.which("kustomize") is None:
        missing.append("kustomize recipe: neither `kustomize` nor `go` to build it is on PATH")
    else:
        peers.append(_recipe("kustomize recipe", _CLONE + _KUSTOMIZE + _COMMIT + _PUSH))
    if importlib.util.find_spec("ruamel") is None:
        missing.append(f"ruamel recipe: no ruamel.yaml in {Path(sys.executable).name} (PYTHON=…)")
    else:
        peers.append(_recipe("ruamel recipe", _CLONE + _RUAMEL + _COMMIT + _PUSH))


def build_kustomize(folder: Path) -> None:
    """Put a `kustomize` on PATH where there is none and Go can build it, which takes seconds."""
    if shutil.which("kustomize") is not None or shutil.which("go") is None:
        return
    target = folder.resolve() / "bin"
    if not (target / "kustomize").exists():
        subprocess.run(
            ["go", "install", _KUSTOMIZE_SOURCE],
            env={**os.environ, "GOBIN": str(target), "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"},
            stdout=subprocess.DEVNULL,
            check=False,
        )
    if (target / "kustomize").exists():
        os.environ["PATH"] += os.pathsep + str(target)


def crowd_peers(gitops: Sequence[str]) -> tuple[list[Peer], list[str]]:
    """Return who is measured under load, and a line for each that is left out."""
    deploy = (*gitops, "deploy", "{image}:{tag}", "--to", "{environment}", "--repo", "{url}")
    deploy += ("--push-timeout", "120s")
    shell = _recipe(RETRY, _CLONE + _SED + _COMMIT + _PUSH_UNTIL)
    if shutil.which(gitops[0]) is None:
        return [shell], [f"gitops: `{gitops[0]}` is not installed (--gitops names another)"]
    key = {"GITOPS_CACHE": "{cache}", "GITOPS_COMBINE_KEY": "measured-with-this-shared-key-0001"}
    return [
        Peer("gitops", deploy, {"GITOPS_CACHE": "{cache}"}),
        Peer(KEYED, deploy, key),
        shell,
    ], []


def _recipe(name: str, script: str) -> Peer:
    return Peer(name, ("sh", "-c", script))


def _fill(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word
