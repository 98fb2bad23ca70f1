"""What a quick command loads: a set of modules, not milliseconds, since times vary and sets don't.

`gitops --help` and `gitops set-image` must not pay for Git libraries, HTTP clients, validators,
terminal painters and the like.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from manifests import Manifests

HEAVY = {
    *("git", "kubernetes", "pydantic", "pydantic_core", "requests", "httpx", "httpx2", "urllib3"),
    *("http.client", "rich", "ruamel", "starlette", "uvicorn", "asyncio", "jinja2", "ssl"),
    *("importlib.metadata", "email.parser", "multiprocessing", "sqlite3"),
}
PROGRAM = """
import json, sys
from gitops.__main__ import run
code = run(sys.argv[1:])
late = [name for name, one in sys.modules.items() if type(one).__name__ == "_Late"]
print(json.dumps([code, sorted(sys.modules.keys() - {*late}), late]), file=sys.stderr)
"""
KUSTOMIZATION = """\
images:
  - name: shop/api
    newTag: 1.4.1
"""


def loaded(folder: Path, *arguments: str) -> tuple[int, set[str]]:
    """Run gitops in a fresh process; return its exit code and the modules that it loaded."""
    code, modules, _ = called(folder, *arguments)
    return code, modules


def called(folder: Path, *arguments: str) -> tuple[int, set[str], set[str]]:
    """The same, with the modules for which a stand-in was enough."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    code, modules, late = json.loads(done.stderr.splitlines()[-1])
    return code, set(modules), set(late)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["deploy", "--help"], ["rollback", "--help"]]
)
def test_help_loads_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    """Help and version come without Git, YAML, HTTP or anything else that is slow to load."""
    code, modules = loaded(tmp_path, *arguments)

    assert code == 0
    assert set() == modules & (HEAVY | {"yaml"})
    assert not [name for name in modules if name.startswith(("gitops.adapters", "gitops.actions"))]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["--version"]])
def test_the_roots_own_words_make_no_values(tmp_path: Path, arguments: list[str]) -> None:
    """What has no command loads neither structs nor what looks for a command's words."""
    code, modules = loaded(tmp_path, *arguments)

    assert code == 0
    assert set() == modules & {"msgspec", "decimal", "gitops.cli.fast_path", "gitops.cli.options"}


def test_set_image_loads_neither_git_nor_network(tmp_path: Path) -> None:
    """The edit of a local file loads the YAML parser, and nothing that talks to anybody."""
    (tmp_path / "kustomization.yaml").write_text(KUSTOMIZATION)
    code, modules = loaded(tmp_path, "set-image", ".", "shop/api:1.4.2")

    assert code == 0
    assert "newTag: 1.4.2" in (tmp_path / "kustomization.yaml").read_text()
    assert set() == modules & HEAVY
    assert not [name for name in modules if name.startswith("gitops.adapters.gitrepo")]


def test_a_deploy_loads_only_what_it_uses(manifests: Manifests) -> None:
    """What proposals, forges, source repositories and the ledger need is left out of a commit."""
    repo = f"file://{manifests.path}"
    words = ("deploy", "shop/api:1.4.2", "--to", "dev", "--repo", repo)
    code, modules = loaded(manifests.elsewhere, *words)

    assert code == 0
    assert set() == modules & (HEAVY | {"typing_extensions", "inspect"})
    assert set() == modules & {"tempfile", "shutil", "random", "lzma"}
    idle = ("forge", "commits", "renderer", "intents", "registry")
    assert set() == modules & {f"gitops.ports.{name}" for name in idle}
    idle = ("proposals.draft", "proposals.find", "pull_requests.publish", "batch.join", "rollback")
    idle += ("images.before_write", "images.looks")
    assert set() == modules & {f"gitops.actions.{name}" for name in idle}
    idle = ("local.checkout", "local.worktree", "archive.history", "archive.signatures")
    idle += ("remote.intents",)
    assert set() == modules & {f"gitops.adapters.gitrepo.{name}" for name in idle}
    assert not [name for name in modules if name.startswith("gitops.adapters.registry")]


def test_a_deploy_asks_no_stand_in(manifests: Manifests) -> None:
    """What is left out of a short call stays out; PyYAML's own patterns are not compiled."""
    where = ("--repo", str(manifests.path))
    code, modules, late = called(
        manifests.elsewhere, "deploy", "shop/api:9.9.8", "--to", "dev", *where
    )

    assert code == 0
    assert {"ipaddress", "locale", "ntpath", "platform", "textwrap", "msgspec.inspect"} <= late
    assert "yaml.reader" in modules


def test_a_fetch_begins_before_yaml_is_loaded(tmp_path: Path) -> None:
    """What asks a remote needs neither YAML nor the rules: they are loaded while it answers."""
    names = ("repository", "remote.exchange", "wire.upload", "wire.receive")
    code = "\n".join(f"import gitops.adapters.gitrepo.{name}" for name in names)
    tell = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tell}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    modules = json.loads(done.stdout)

    assert [] == [name for name in modules if name.startswith(("yaml", "gitops.core.yamltext"))]


def test_a_connection_is_made_before_the_store_is_loaded(tmp_path: Path) -> None:
    """What connects needs neither objects, nor hashes, nor the cache, nor any rule."""
    code = """
import json, sys
from gitops.adapters.gitrepo.remote.line import open_line
line = open_line("http://127.0.0.1:1/m.git", environ={})
line.begin()
try:
    line.take()[1].join()
except Exception as error:
    print(type(error).__name__)
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    said, listed = done.stdout.splitlines()
    modules = json.loads(listed)

    assert "Broken" == said  # nobody is there, and it was tried
    late = ("hashlib", "zlib", "gitops.core", "gitops.adapters.gitrepo.objects", "gitops.actions")
    assert [] == [
        name
        for name in modules
        if name.startswith((*late, "gitops.adapters.gitrepo.c"))
        and not name.startswith("gitops.adapters.gitrepo.command")
    ]


def test_the_set_is_seen(tmp_path: Path) -> None:
    """The measurement sees what a process loads, so that an empty intersection means something."""
    _, modules = loaded(tmp_path, "--help")

    assert {"typer", "gitops.cli.app"} <= modules


def test_a_plain_deploy_loads_no_forge(manifests: Manifests) -> None:
    """A commit that goes in without anybody's word asks no forge, and loads nothing of one."""
    where = ("--repo", str(manifests.path))
    code, modules = loaded(manifests.elsewhere, "deploy", "shop/api:9.9.9", "--to", "dev", *where)

    assert code == 0
    assert set() == modules & {"github", "gitlab", "pyforgejo", "requests", "httpx", "ssl"}
    assert not [name for name in modules if name.startswith("gitops.adapters.forges")]
    assert not [name for name in modules if name.startswith("gitops.core.forges")]
