"""What decides which manifests Argo CD builds for prod belongs to prod, wherever it lies."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from checking import check, told
from manifests import Manifests

APP = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
    "metadata: {{name: {name}, namespace: argocd}}\n"
    "spec:\n  source: {{repoURL: 'https://git.example.com/m.git', path: {path}}}\n"
)
PROD = APP.format(name="prod", path="overlays/prod")
DEV = APP.format(name="dev", path="overlays/dev")
ROOT = APP.format(name="root", path="argocd")
EVIL = "- {op: replace, path: /spec/source/path, value: overlays/evil}\n"
SET = (
    "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: all}\nspec:\n"
    "  generators:\n"
    "  - matrix: {generators: [{git: {files: [{path: 'envs/**/config.json'}]}}, {list: {}}]}\n"
    "  template: {spec: {source: {path: 'overlays/{{env}}'}}}\n"
)
CHART_APP = PROD.replace("overlays/prod", "overlays/{{ .Values.env }}")
K = "argocd/kustomization.yaml"

# name: files before; the changed file; what it says afterwards
CASES: dict[str, tuple[Mapping[str, str], str, str | None]] = {
    "kustomization with a patch": (
        {K: "resources: [prod.yaml]\n", "argocd/prod.yaml": PROD},
        K,
        f"resources: [prod.yaml]\npatches: [{{target: {{kind: Application}}, patch: '{EVIL}'}}]\n",
    ),
    "patch file": (
        {
            K: "resources: [prod.yaml]\npatches: [{path: p.txt, target: {kind: Application}}]\n",
            "argocd/prod.yaml": PROD,
            "argocd/p.txt": "- {op: test, path: /kind, value: Application}\n",
        },
        "argocd/p.txt",
        EVIL,
    ),
    "merge patch": (
        {
            K: "resources: [prod.yaml]\npatchesStrategicMerge: [m.yaml]\n",
            "argocd/prod.yaml": PROD,
            "argocd/m.yaml": PROD.partition("spec:")[0],
        },
        "argocd/m.yaml",
        PROD.partition("spec:")[0] + "spec: {source: {targetRevision: evil}}\n",
    ),
    "new merge patch elsewhere": (
        {"argocd/prod.yaml": PROD},
        "other/m.yaml",
        PROD.partition("spec:")[0] + "spec: {source: {targetRevision: evil}}\n",
    ),
    "overlay of Applications": (
        {
            "apps/base/kustomization.yaml": "resources: [prod.yaml]\n",
            "apps/base/prod.yaml": PROD,
            "apps/eu/kustomization.yaml": "Resources: [../base]\n",
        },
        "apps/eu/kustomization.yaml",
        f"resources: [../base]\npatches: [{{target: {{kind: Application}}, patch: '{EVIL}'}}]\n",
    ),
    "new overlay of Applications": (
        {"apps/base/kustomization.yaml": "resources: [prod.yaml]\n", "apps/base/prod.yaml": PROD},
        "apps/eu/kustomization.yaml",
        "resources: [../base]\nnamePrefix: x\n",
    ),
    "component of Applications": (
        {
            K: "resources: [prod.yaml]\ncomponents: [../c]\n",
            "argocd/prod.yaml": PROD,
            "c/kustomization.yaml": "kind: Component\npatches: [{path: p.yaml}]\n",
            "c/p.yaml": "a: 1\n",
        },
        "c/p.yaml",
        "a: 2\n",
    ),
    "app of apps": (
        {"argocd/prod.yaml": PROD, "root/root.yaml": ROOT},
        "root/root.yaml",
        ROOT.replace("path: argocd", "path: evil"),
    ),
    "app of apps of apps": (
        {
            "argocd/prod.yaml": PROD,
            "root/root.yaml": ROOT,
            "top.yaml": APP.format(name="top", path="root"),
        },
        "top.yaml",
        None,
    ),
    "app of a kustomization of apps": (
        {K: "resources: [x/prod.yaml]\n", "argocd/x/prod.yaml": PROD, "root.json": ROOT},
        "root.json",
        ROOT.replace("path: argocd", "path: evil"),
    ),
    "second Application of the name": (
        {"argocd/prod.yaml": PROD},
        "argocd/zz.yaml",
        APP.format(name="prod", path="overlays/evil"),
    ),
    "Application in a List": (
        {"argocd/all.yaml": "kind: List\nitems:\n- " + PROD.replace("\n", "\n  ").strip() + "\n"},
        "argocd/all.yaml",
        "kind: List\n",
    ),
    "hidden Application": (
        {},
        "argocd/x.json",
        '{"apiVersion": "argoproj\\u002eio/v1alpha1", "kind": "Applic\\u0061tion", '
        '"spec": {"source": {"path": "overlays\\/prod"}}}',
    ),
    "binary kind": (
        {},
        "argocd/x.yaml",
        PROD.replace("kind: Application", "kind: !!binary QXBwbGljYXRpb24="),
    ),
    "kind twice": ({}, "argocd/x.yaml", PROD.replace("kind: A", "kind: ConfigMap\nkind: A")),
    "merge key": (
        {},
        "x.yaml",
        "x: &x\n  kind: Application\n<<: *x\n" + PROD.replace("kind: Application\n", ""),
    ),
    "files of an ApplicationSet": (
        {"argocd/set.yaml": SET, "envs/prod/config.json": '{"env": "prod"}'},
        "envs/prod/config.json",
        '{"env": "evil"}',
    ),
    "new file of an ApplicationSet": (
        {"argocd/set.yaml": SET},
        "envs/a/b/config.json",
        '{"env": "prod"}',
    ),
    "template patch": (
        {},
        "argocd/set.yaml",
        SET.replace("overlays/{{env}}", "overlays/dev") + "  templatePatch: 'x'\n",
    ),
    "values of a chart": (
        {
            "chart/Chart.yaml": "name: apps\n",
            "chart/values.yaml": "env: prod\n",
            "chart/templates/a.yaml": "{{- if .Values.on }}\n" + CHART_APP + "{{- end }}\n",
        },
        "chart/values.yaml",
        "env: evil\n",
    ),
    "kustomization above the overlay": (
        {"clusters/prod/kustomization.yaml": "resources: [../../overlays/prod]\n"},
        "clusters/prod/kustomization.yaml",
        "resources: [../../overlays/prod]\nimages: [{name: shop/api, newTag: evil}]\n",
    ),
    "new kustomization above the overlay": (
        {},
        "clusters/prod/kustomization.yaml",
        "resources: [../../overlays/prod]\nimages: [{name: shop/api, newTag: evil}]\n",
    ),
    "Application of what is above the overlay": (
        {
            "clusters/prod/kustomization.yaml": "resources: [../../overlays/prod]\n",
            "argocd/prod.yaml": APP.format(name="prod", path="clusters/prod"),
        },
        "argocd/prod.yaml",
        APP.format(name="prod", path="clusters/evil"),
    ),
    "jsonnet beside it": ({"argocd/prod.yaml": PROD}, "argocd/sub/x.jsonnet", "{}\n"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_turned_aside(manifests: Manifests, case: str) -> None:
    """A commit that turns prod's Application aside is reported with the file that does it."""
    before, path, after = CASES[case]
    if before:
        manifests.commit("Before", before)
    manifests.commit("argocd: tidy", {path: after})
    document = check(manifests)

    assert ("prod", path) in told(document), document["findings"]


OTHERS: dict[str, tuple[Mapping[str, str], Mapping[str, str | None]]] = {
    "Application of dev in the same kustomization": (
        {K: "resources: [prod.yaml, dev.yaml]\n", "argocd/prod.yaml": PROD, "argocd/dev.yaml": DEV},
        {"argocd/dev.yaml": DEV.replace("overlays/dev", "overlays/test")},
    ),
    "dev in the same folder of Applications": (
        {"argocd/prod.yaml": PROD, "argocd/dev.yaml": DEV, "root.yaml": ROOT},
        {"argocd/dev.yaml": DEV + "# x\n", "argocd/test.yaml": DEV.replace("dev", "test")},
    ),
    "an Application of the same name that was there": (
        {"argocd/prod.yaml": PROD, "other/x.yaml": APP.format(name="prod", path="overlays/dev")},
        {"other/x.yaml": APP.format(name="prod", path="overlays/test")},
    ),
    "dev beside prod in one cluster": (
        {"clusters/all/kustomization.yaml": "resources: [../../overlays/prod, ../../overlays/dev]"},
        {"overlays/dev/x.yaml": "a: 1\n"},
    ),
    "a word in a text": (
        {},
        {"docs/x.yaml": "a: Application of argoproj.io\n", "a.yaml": "{{ x\n"},
    ),
}


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case.replace(" ", "-"))
def test_what_belongs_to_others(manifests: Manifests, case: str) -> None:
    """What lies beside prod's Application and decides nothing of it is left alone."""
    before, after = OTHERS[case]
    if before:
        manifests.commit("Before", before)
    manifests.commit("dev: x", after)

    assert [] == told(check(manifests))
