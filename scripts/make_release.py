"""Makes the files of a release, and installs each of them in an empty environment."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from make_packages import PACKAGE, install_deb, unread_recipes, write_deb, write_recipes

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
TOOLS = Path(sys.executable).parent
VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
NUMBER = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")
_OF_MAKING = ("release-tools.txt", "build.txt", "site.txt")
_UNRELEASED = "## [Unreleased]\n"
# Where msgspec and PyYAML have compiled files, one file serves all of these.
_PYTHONS = ("311", "312", "313", "314")
_MACHINES = ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "macosx_11_0_arm64")


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; 1 and a sentence on standard error where that cannot be."""
    parser = argparse.ArgumentParser(prog="scripts/release")
    parser.add_argument("--tag", metavar="vX.Y.Z")
    parser.add_argument("--version", metavar="X.Y.Z")
    parser.add_argument("--no-check", action="store_true")
    parser.add_argument("--address", default="https://git.example.com/platform/gitops")
    asked = parser.parse_args(arguments)
    try:
        if asked.version:
            begin_version(asked.version, ROOT, datetime.now(UTC).date().isoformat())
            _say(f"now: git commit -am 'Release {asked.version}' && git tag -s v{asked.version}")
            return 0
        version = version_of(ROOT)
        if asked.tag:
            check_tag(asked.tag, version, ROOT)
        else:
            _say(f"no --tag: a trial, nothing says that this is {version}")
        made = make(version, asked.address)
        if not asked.no_check:
            check(made, version)
    except (ValueError, subprocess.CalledProcessError) as error:
        _say(f"error: {error}")
        return 1
    for path in sorted(DIST.iterdir()):
        print(f"{path.stat().st_size / 1e6:7.2f} MB  {path.name}")
    return 0


def version_of(root: Path) -> str:
    """Return the version that the code says."""
    found = VERSION.search((root / "gitops" / "__init__.py").read_text())
    if found is None:
        raise ValueError("gitops/__init__.py has no __version__")
    return found[1]


def check_tag(tag: str, version: str, root: Path) -> None:
    """Raise ValueError unless a tag is what the code and CHANGELOG.md say, as committed."""
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, and gitops/__init__.py says {version}")
    changes = (root / "CHANGELOG.md").read_text()
    if f"\n## [{version}] - " not in changes:
        raise ValueError(f"CHANGELOG.md has no section for {version}: scripts/release --version")
    if _git(root, "status", "--porcelain", "--untracked-files=no"):
        raise ValueError("there are uncommitted changes")
    tagged = _git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}")
    if tagged != _git(root, "rev-parse", "HEAD"):
        raise ValueError(f"{tag} is not the commit that is checked out")


def begin_version(version: str, root: Path, today: str) -> None:
    """Write a version into the code, and give it what CHANGELOG.md has under Unreleased.

    Raises ValueError for a version that is none, is there already, or has nothing to tell.
    """
    if not NUMBER.fullmatch(version):
        raise ValueError(f"{version} is no version: 1.2.3, or 1.2.3rc1")
    log, code = root / "CHANGELOG.md", root / "gitops" / "__init__.py"
    changes = log.read_text()
    before, heading, after = changes.partition(_UNRELEASED)
    told, following, older = after.partition("\n## [")
    if not heading or f"\n## [{version}]" in changes:
        raise ValueError(f"CHANGELOG.md has {version} already, or no {_UNRELEASED.strip()}")
    if not told.strip():
        raise ValueError(f"CHANGELOG.md says nothing under {_UNRELEASED.strip()}")
    section = f"## [{version}] - {today}\n\n{told.strip()}\n"
    log.write_text(f"{before}{_UNRELEASED}\n{section}{following}{older}")
    code.write_text(VERSION.sub(f'__version__ = "{version}"', code.read_text()))


def make(version: str, address: str) -> dict[str, Path]:
    """Make all files anew, for a release at `address`; return the ones that can be installed."""
    shutil.rmtree(DIST, ignore_errors=True)
    # The same commit gives the same bytes.
    environ = {**os.environ, "SOURCE_DATE_EPOCH": _git(ROOT, "log", "-1", "--format=%ct")}
    _run([TOOLS / "python", "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel"], environ)
    made = {
        "wheel": DIST / f"gitops_manager-{version}-py3-none-any.whl",
        "sdist": DIST / f"gitops_manager-{version}.tar.gz",
        "zipapp": DIST / "gitops.pyz",
    }
    _zipapp(made["wheel"], made["zipapp"], environ)
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        if path.name not in _OF_MAKING:
            shutil.copy(path, DIST / f"requirements-{path.name}")
    _bill_of_materials(made["wheel"], version)
    write_recipes(made["zipapp"], version, address, DIST)
    for why in unread_recipes(DIST):
        _say(why)
    if shutil.which("dpkg-deb") is None:
        _say("no Debian package: there is no dpkg-deb")
    else:
        made["deb"] = DIST / f"{PACKAGE}_{version}_all.deb"
        _deb(made["zipapp"], version, made["deb"], int(environ["SOURCE_DATE_EPOCH"]))
    names = sorted(path.name for path in DIST.iterdir())
    sums = [f"{hashlib.sha256((DIST / one).read_bytes()).hexdigest()}  {one}\n" for one in names]
    (DIST / "SHA256SUMS").write_text("".join(sums))
    return made


def _zipapp(wheel: Path, target: Path, environ: Mapping[str, str]) -> None:
    """Write the file that runs with Python alone: it unpacks itself below ~/.cache once."""
    platforms = [f"{machine}-cp-{one}-cp{one}" for one in _PYTHONS for machine in _MACHINES]
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "pinned.txt"
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        needed = (ROOT / "requirements" / "gitops.txt").read_text()
        pinned.write_text(f"{needed}gitops-manager @ file://{wheel} --hash=sha256:{digest}\n")
        _run(
            [
                *(TOOLS / "pex", "-r", pinned, "--pex-root", ROOT / ".cache" / "pex"),
                *(word for one in platforms for word in ("--platform", one)),
                *("--console-script", "gitops", "--venv", "prepend"),
                *("--python-shebang", "/usr/bin/env python3", "-o", target),
            ],
            environ,
        )


def _deb(zipapp: Path, version: str, target: Path, epoch: int) -> None:
    """Write the Debian package, with what the program itself says for each shell."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "home").mkdir()
        python = shutil.which("python3", path=os.defpath) or "python3"
        scripts = {
            shell: _run([python, zipapp, "completion", shell], _bare(Path(folder)))
            for shell in ("bash", "zsh", "fish")
        }
    write_deb(zipapp, version, ROOT, scripts, target, epoch)


def _bill_of_materials(wheel: Path, version: str) -> None:
    """Write what the wheel with all of its extras brings along, as CycloneDX, and look at it."""
    target = DIST / f"gitops-{version}.cdx.json"
    with tempfile.TemporaryDirectory() as folder:
        python = _environment(Path(folder))
        for path in sorted((ROOT / "requirements").glob("*.txt")):
            if path.name not in _OF_MAKING:
                _pip(python, "--require-hashes", "--no-deps", "-r", path)
        _pip(python, "--no-deps", "--no-index", wheel)
        _run([python, "-m", "pip", "uninstall", "-q", "-y", "pip", "setuptools"], os.environ)
        _run(
            [
                *(TOOLS / "cyclonedx-py", "environment", python, "--pyproject"),
                *(ROOT / "pyproject.toml", "--output-reproducible", "--of", "JSON", "-o", target),
            ],
            os.environ,
        )
    told = json.loads(target.read_text())
    names = {one["name"].lower() for one in told["components"]}
    if missing := {"typer", "msgspec", "pyyaml", "kubernetes"} - names:
        raise ValueError(f"the bill of materials does not tell {', '.join(sorted(missing))}")


def check(made: Mapping[str, Path], version: str) -> None:
    """Install each file in an empty environment with an empty HOME, and use it there."""
    _run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], os.environ, DIST)
    for name in (*made, "pipx"):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            (place / "home").mkdir()
            gitops = _installed(name, made, place)
            _use(gitops, place, version)
            _say(f"{name}: installed and used")


def _installed(name: str, made: Mapping[str, Path], place: Path) -> list[Path]:
    """Install one file below `place`, and return the words that start gitops."""
    if name == "pipx":
        # What README.md says, with this very commit.
        environ = {**_bare(place), "PIPX_HOME": str(place / "pipx"), "PIPX_BIN_DIR": str(place)}
        source = f"gitops-manager @ git+file://{ROOT}@{_git(ROOT, 'rev-parse', 'HEAD')}"
        _run([TOOLS / "pipx", "install", "--quiet", "--backend", "pip", source], environ, place)
        return [place / "gitops"]
    if name == "zipapp":
        return [Path(shutil.which("python3", path=os.defpath) or "python3"), made["zipapp"]]
    if name == "deb":
        return [install_deb(made["deb"], place / "root")]
    python = _environment(place / "venv")
    if name == "wheel":
        _pip(python, "--require-hashes", "-r", ROOT / "requirements" / "gitops.txt")
        _pip(python, "--no-deps", "--no-index", made["wheel"])
    else:
        _pip(python, made["sdist"])
    return [python.parent / "gitops"]


def _use(gitops: Sequence[Path], place: Path, version: str) -> None:
    """Say the version, write the sample, change it, and look at it: what a first minute does."""
    environ = {**_bare(place), "GITOPS_AUTHOR": "Release <release@example.com>"}
    told = _run([*gitops, "version"], environ, place)
    if told.strip() != f"gitops {version}":
        raise ValueError(f"{gitops[-1].name} says {told.strip()}, not gitops {version}")
    shop = place / "shop"
    _run([*gitops, "init", "shop", "--sample"], environ, place)
    identity = ("-c", "user.name=Release", "-c", "user.email=release@example.com")
    _run(["git", "init", "-q", "-b", "main"], environ, shop)
    _run(["git", "add", "."], environ, shop)
    _run(["git", *identity, "commit", "-qm", "sample"], environ, shop)
    _run([*gitops, "deploy", "shop/api:9.9.9", "--to", "dev"], environ, shop)
    state = json.loads(_run([*gitops, "status", "dev", "-o", "json"], environ, shop))
    if "9.9.9" not in json.dumps(state):
        raise ValueError(f"{gitops[-1].name}: the deploy is not in the status")


def _bare(place: Path) -> dict[str, str]:
    """An environment with nothing in it but where programs are, and an empty HOME."""
    return {"PATH": os.defpath, "HOME": str(place / "home"), "LANG": "C.UTF-8"}


def _environment(folder: Path) -> Path:
    """Make an empty virtual environment, and return its Python."""
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


def _pip(python: Path, *words: str | Path) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    quiet = ("--quiet", "--disable-pip-version-check")
    _run([python, "-m", "pip", "install", *quiet, *words], environ)


def _run(words: Sequence[str | Path], environ: Mapping[str, str], folder: Path = ROOT) -> str:
    done = subprocess.run(
        [str(word) for word in words], env=dict(environ), cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        shown = " ".join(str(word) for word in words[:4])
        raise ValueError(f"{shown} … ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    return done.stdout.strip()


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
