"""Every field of a kustomization that names a file is found, whatever it looks like."""

from __future__ import annotations

import pytest

from gitops.core.kustomization.references import (
    is_pinned,
    is_remote,
    join,
    read_config_references,
    read_references,
)
from gitops.errors import ManifestError

FIELDS = {
    "resources": ("resources: [a.yaml, ../b]", ["a.yaml", "../b"]),
    "bases": ("bases:\n- ../base", ["../base"]),
    "components": ("components: [../c]", ["../c"]),
    "crds": ("crds: [crd.json]", ["crd.json"]),
    "configurations": ("configurations: [c.yaml]", ["c.yaml"]),
    "patches": ("patches:\n- path: p.yaml\n- patch: |-\n    kind: X\n", ["p.yaml"]),
    "strategic": ("patchesStrategicMerge:\n- s.yaml\n- |-\n  kind: X\n  a: b\n", ["s.yaml"]),
    "json6902": ("patchesJson6902:\n- {path: j.yaml, target: {kind: X}}", ["j.yaml"]),
    "replacements": ("replacements:\n- path: r.yaml\n- source: {kind: X}", ["r.yaml"]),
    "openapi": ("openapi: {path: o.json}", ["o.json"]),
    "config maps": (
        "configMapGenerator:\n- files: [f.txt, k=g.txt, =h.txt]\n  envs: [e.env]\n  env: d.env\n"
        "  literals: [A=../x]\n",
        ["f.txt", "g.txt", "h.txt", "e.env", "d.env"],
    ),
    "secrets": ("secretGenerator:\n- {name: s, files: [s.key]}", ["s.key"]),
    "helm": (
        "helmCharts:\n- {name: x, valuesFile: v.yaml, additionalValuesFiles: [w.yaml]}",
        ["v.yaml", "w.yaml", "charts"],
    ),
    "helm globals": ("helmGlobals: {chartHome: ../charts}", ["../charts"]),
    "old helm": (
        "helmChartInflationGenerator:\n- {chartHome: ch, values: v.yaml}",
        ["ch", "v.yaml", "charts"],
    ),
    "generators": ("generators: [g.yaml]", ["g.yaml"]),
    "transformers": ("transformers: [../t]", ["../t"]),
    "validators": ("validators: [v.yaml]", ["v.yaml"]),
    "inline transformer": (
        "transformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  path: in.yaml\n",
        ["builtin", "PatchTransformer", "path", "in.yaml", "apiVersion", "kind"],
    ),
    "unknown": ("fromTheFuture:\n  deep: [{x: f.yaml}]", ["f.yaml"]),
    "other case": ("ReSources: [a.yaml]", ["a.yaml"]),
    "letters that Go folds": ("reſourceſ: [a.yaml]", ["a.yaml"]),
    "merge key": ("x: &x {resources: [a.yaml]}\n<<: *x", ["a.yaml"]),
    "binary": ("resources: [!!binary Li4vYmFzZQ==]", ["../base"]),
    "flow and JSON": ('{"resources": ["a.yaml"]}', ["a.yaml"]),
    "twice": ("resources: [a.yaml]\nresources: [b.yaml]", ["a.yaml", "b.yaml"]),
    "numbers": ("resources: [1, 1.10]", ["1", "1.10"]),
    "nothing": ("namespace: x\nimages: [{name: a, newTag: b.yaml}]\nlabels: [{pairs: {a: b}}]", []),
    "empty": ("", []),
    "a list": ("[a.yaml]", []),
    "odd kinds": ("resources: {a: b}\npatches: [x]\nopenapi: []", ["b"]),
}


@pytest.mark.parametrize("case", FIELDS, ids=lambda case: case.replace(" ", "-"))
def test_fields_that_name_files(case: str) -> None:
    """Each field gives what it names, and nothing that is only a word."""
    text, expected = FIELDS[case]
    found = [one.target for one in read_references(text.encode(), "k").found]

    assert sorted(expected) == sorted(set(found))


def test_alias_that_grows() -> None:
    """Aliases that repeat each other are walked once, however much they stand for."""
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    found = read_references(f"l0: &l0 [a.yaml]\n{levels}".encode(), "k").found

    assert ["a.yaml"] == sorted({one.target for one in found})
    assert len(found) < 20


def test_place_of_a_reference() -> None:
    """A reference tells the line that it stands on."""
    found = read_references(b"namespace: x\nresources:\n  - a.yaml\n  - b.yaml\n", "k").found

    assert [("a.yaml", 3), ("b.yaml", 4)] == [(one.target, one.line) for one in found]


def test_what_is_no_yaml() -> None:
    """A kustomization that cannot be read is told with its place."""
    with pytest.raises(ManifestError, match=r"dir/k:2:"):
        read_references(b"a: b\n\t- c: [", "dir/k")


@pytest.mark.parametrize(
    ("text", "programs"),
    [
        ("helmCharts: [{name: x}]", ("Helm",)),
        ("transformers:\n- |-\n  apiVersion: acme/v1\n  kind: X\n", ("a plugin (acme/v1)",)),
        (
            "transformers:\n- |-\n  apiVersion: builtin\n  metadata:\n    annotations:\n"
            "      config.kubernetes.io/function: |\n        exec: {path: ./run.sh}\n",
            ("a function",),
        ),
        ("transformers:\n- |-\n  apiVersion: builtin\n  kind: X\n", ()),
    ],
)
def test_what_a_build_would_run(text: str, programs: tuple[str, ...]) -> None:
    """Charts, plugins and functions are told, so that nobody builds them by mistake."""
    assert programs == read_references(text.encode(), "k").programs


def test_files_of_a_configuration() -> None:
    """Of a transformer's configuration each text may be a path, in every document."""
    text = "kind: A\npath: a.yaml\n---\nfiles: [k=b.yaml]\ntext: |\n  two\n  lines\n"
    found = {one.target for one in read_config_references(text.encode(), "t").found}

    assert {"a.yaml", "b.yaml"} <= found
    assert "two\nlines\n" in found  # Git and kustomize take such a name too
    with pytest.raises(ManifestError, match="is not valid YAML"):
        read_config_references(b"a: [", "t")


@pytest.mark.parametrize(
    "target",
    [
        *("https://x.org/a.yaml", "http://127.0.0.1/x", "HTTPS://x", "git::https://x/y", "gh:x/y"),
        *("git@github.com:x/y", "ssh://git@x/y", "github.com/x/y", "GitHub.com/x/y", "file:///etc"),
        *("x.org/y?ref=main", "a//b", "s3::https://x", "hg::x", "user@host:path"),
    ],
)
def test_what_lies_elsewhere(target: str) -> None:
    """Whatever kustomize might fetch is remote, and so is a doubtful case."""
    assert is_remote(target)


@pytest.mark.parametrize("target", ["../../base", "a.yaml", "./x", "githubb.com/x", "a b", "v=1"])
def test_what_lies_here(target: str) -> None:
    """Paths are not remote."""
    assert not is_remote(target)


@pytest.mark.parametrize(
    ("target", "pinned"),
    [
        (f"https://x/y?ref={'a' * 40}", True),
        (f"https://x/y?ref={'a' * 40}&timeout=9", True),
        ("https://x/y?ref=v1.2.3", False),
        (f"https://x/y?ref={'a' * 39}", False),
        ("https://x/y", False),
    ],
)
def test_what_stays_as_it_is(target: str, pinned: bool) -> None:
    """Only a whole commit id pins a remote base."""
    assert pinned == is_pinned(target)


@pytest.mark.parametrize(
    ("directory", "target", "path"),
    [
        ("overlays/prod", "../../base", "base"),
        ("overlays/prod", "./a.yaml", "overlays/prod/a.yaml"),
        ("overlays/prod", "a//b/", "overlays/prod/a/b"),
        ("", "base", "base"),
        ("a", "..", ""),
        ("a", "../..", None),
        ("a", "/etc/passwd", None),
        ("a", "x\0y", None),
    ],
)
def test_paths_from_a_folder(directory: str, target: str, path: str | None) -> None:
    """A reference becomes a path from the root, or nothing when it leaves it."""
    assert path == join(directory, target)
