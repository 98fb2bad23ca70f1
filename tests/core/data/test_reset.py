"""The Job that resets dummy data: put into a kustomization, found, proved, made ready."""

from __future__ import annotations

from typing import Any

import pytest

from gitops.core.data.classes import Classes
from gitops.core.data.findings import Overlaid
from gitops.core.data.manifests import read_manifests, read_typed
from gitops.core.data.places import Places
from gitops.core.data.reset import ResetJob, find_job, ready, with_component
from gitops.core.data.rules import judge_overlay
from gitops.core.environments.environment import Environment
from gitops.core.environments.rows import DatabaseRow
from gitops.core.yamltext import compose_first
from gitops.errors import ManifestError, Refused, UsageError

CLASSES = Classes(
    (DatabaseRow("real", secrets=("shop-db",)), DatabaseRow("dummy", secrets=("dummy-db",)))
)
JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: data-reset
  namespace: dev
  labels: {gitops.dev/data-reset: job}
  annotations: {gitops.dev/seeds: demo empty}
spec:
  template:
    spec:
      restartPolicy: Never
      initContainers:
      - name: data-guard
        env: [{name: R, valueFrom: {secretKeyRef: {name: shop-db, key: u, optional: true}}}]
      containers:
      - name: reset
        env: [{name: DATA_SEED, value: demo}]
"""
SEEDS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seeds, namespace: dev}\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("resources: [a]\n", ["data-reset"]),
        ("resources: [a]", ["data-reset"]),
        ("components: [a]\nimages: []\n", ["a", "data-reset"]),
        ("components:\n- a # why\n- b\nimages: []\n", ["a", "b", "data-reset"]),
        ("components:\n    - a\n    - b", ["a", "b", "data-reset"]),
        ("{components: [a], images: []}", ["a", "data-reset"]),
        ("{resources: [a]}", ["data-reset"]),
    ],
)
def test_with_component(text: str, wanted: list[str]) -> None:
    """It stands behind the other components, however they are written; all else stays."""
    made = with_component(text.encode(), "k.yaml")
    root: Any = compose_first(made, "k.yaml").root
    fields = {key.value: value for key, value in root.value}

    assert wanted == [one.value for one in fields["components"].value]
    before: Any = compose_first(text.encode(), "k.yaml").root
    assert {key.value for key, _ in before.value} <= set(fields)


@pytest.mark.parametrize("text", ["", "- a\n", "components: x\n", "components: []\n"])
def test_no_kustomization(text: str) -> None:
    """What is none is refused, with the file."""
    with pytest.raises(ManifestError, match=r"k\.yaml"):
        with_component(text.encode(), "k.yaml")


def find(text: str, before: str = SEEDS.replace("seeds", "other")) -> ResetJob:
    return find_job(read_typed(before), read_typed(f"{before}---\n{text}"), CLASSES)


def test_the_job() -> None:
    """The Job, what it reads, its seeds and what its guard looks for are found."""
    found = find(f"{JOB}---\n{SEEDS}")

    assert ("data-reset", "dev", "demo", ("demo", "empty"), ("shop-db",)) == (
        found.name,
        found.namespace,
        found.seed,
        found.seeds,
        found.guarded,
    )
    assert ["seeds"] == [one["metadata"]["name"] for one in found.config_maps]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: Job", "kind: CronJob", "no Job labelled"),
        ("data-reset: job", "data-reset: schedule", "no Job labelled"),
        ("  namespace: dev\n", "", "it has no namespace"),
        ("restartPolicy: Never", "restartPolicy: OnFailure", "must not be restarted"),
        ("data-guard", "guard", "its first init container must be data-guard"),
        ("optional: true", "optional: false", "its first init container must be data-guard"),
        ("name: shop-db", "name: dummy-db", "its first init container must be data-guard"),
        ("name: DATA_SEED", "name: SEED", "no container of data-guard, reset has DATA_SEED"),
    ],
)
def test_no_job_that_may_run(old: str, new: str, words: str) -> None:
    """A Job without what makes it safe is refused, with every reason."""
    assert old in JOB
    with pytest.raises(Refused) as told:
        find(JOB.replace(old, new))

    assert any(words in one for one in told.value.reasons), told.value.reasons


def test_nothing_else_comes_along() -> None:
    """A component that adds a Role, or changes what the overlay builds, is refused."""
    role = "kind: Role\nmetadata: {name: x}\n"
    before = SEEDS + "data: {a: b}\n"
    for more in (role,):
        with pytest.raises(Refused, match=r"the component adds Role x"):
            find(f"{JOB}---\n{more}")
    with pytest.raises(Refused) as told:
        find_job(read_typed(before), read_typed(f"{SEEDS}data: {{a: c}}\n---\n{JOB}"), CLASSES)
    assert "the component changes ConfigMap seeds: it may only add" in told.value.reasons


def test_ready() -> None:
    """It gets a name of its own, its seed, bounds where it has none; what it says stays."""
    found = find(JOB.replace("spec:\n  template", "spec:\n  backoffLimit: 2\n  template", 1))
    made = ready(found, seed="empty", suffix="abc123", by="Ana\n<a@b>", seconds=90)
    again = ready(found, seed=None, suffix="x", by="", seconds=90)

    spec = made.job["spec"]
    assert ("data-reset-abc123", "empty") == (made.name, made.seed)
    assert [2, 90] == [spec["backoffLimit"], spec["activeDeadlineSeconds"]]
    container = spec["template"]["spec"]["containers"][0]
    assert [{"name": "DATA_SEED", "value": "empty"}] == container["env"]
    assert "Ana <a@b>" == made.job["metadata"]["annotations"]["gitops.dev/by"]
    assert "demo" == again.seed
    assert "data-reset" == found.name
    for seed in ("emtpy", "$(id)"):
        with pytest.raises(UsageError, match="there are: demo, empty"):
            ready(found, seed=seed, suffix="x", by="", seconds=1)


def test_types() -> None:
    """Numbers and truths are such, and what is quoted stays text: an API server wants it so."""
    (found,) = read_typed("a: 5\nb: '5'\nc: true\nd: null\ne: 1.5\nf: on-call\ng: [1]\n")

    assert {"a": 5, "b": "5", "c": True, "d": None, "e": 1.5, "f": "on-call", "g": [1]} == found


def test_a_guard_may_name_the_real_secret() -> None:
    """The guard of a Job in the build is no way to a real database; any other container is."""
    row = Environment("dev", "dev", database="dummy")
    other = JOB.replace("name: data-guard", "name: look")

    for text, count in ((JOB, 0), (other, 1)):
        found = judge_overlay(Overlaid(row, read_manifests(text), CLASSES))
        assert count == len(found)


def test_places_of_files_that_cannot_be_read() -> None:
    """A file that is no YAML is looked through by its lines; one that is gone is passed over."""
    files = {"a.yaml": b"x: [\nHOST=db.example.com\n"}
    row = Environment("dev", "dev", database="dummy")
    text = "kind: ConfigMap\nmetadata: {name: a}\ndata: {PGHOST: db.example.com}\n"
    (found,) = judge_overlay(Overlaid(row, read_manifests(text), CLASSES))
    place = Places(["gone.yaml", "a.yaml"], files.get).find(found)

    assert ("a.yaml", 2, 6) == (place.path, place.line, place.column)
