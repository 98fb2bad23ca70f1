"""Workflows submitted, followed and steered, on a cluster that is told by the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest

from core.workflows.test_change import failed
from core.workflows.test_run import workflow
from fakes import FakeClock
from gitops.actions.workflows.begin import begin
from gitops.actions.workflows.follow import WorkflowTeller, follow
from gitops.actions.workflows.steer import resume, retry, stop
from gitops.actions.workflows.submit import read_parameters, submit
from gitops.core.workflows.run import WorkflowStep
from gitops.errors import (
    Conflict,
    NotFound,
    Refused,
    TimedOut,
    Unavailable,
    UsageError,
)

TEMPLATE = {
    "metadata": {"name": "promote"},
    "spec": {
        "arguments": {
            "parameters": [
                {"name": "environment", "enum": ["test", "prod"]},
                {"name": "seed", "value": ""},
            ]
        }
    },
}


class ToldWorkflows:
    """`ports.workflows.Workflows` that answers what it was told, in order; the last one again."""

    place = "argo of a test"
    namespace = "argo"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, Any]] = []
        self.conflicts = 0
        self.text = ""

    def templates(self) -> Sequence[Mapping[str, Any]]:
        return [TEMPLATE]

    def submit(self, workflow: Mapping[str, Any]) -> Mapping[str, Any]:
        self.sent.append(("submit", workflow))
        return {"metadata": {"name": "promote-x"}}

    def get(self, name: str) -> Mapping[str, Any]:
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return deepcopy(found)

    def newest(self, most: int) -> Sequence[Mapping[str, Any]]:
        return self.answers[:most]

    def change(self, name: str, patch: Mapping[str, Any]) -> Mapping[str, Any]:
        self.sent.append(("change", patch))
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("it changed")
        return self.get(name)

    def put(self, name: str, workflow: Mapping[str, Any]) -> Mapping[str, Any]:
        self.sent.append(("put", workflow))
        return workflow

    def drop_pods(self, name: str, nodes: frozenset[str]) -> None:
        self.sent.append(("drop", nodes))

    def log(self, name: str, node: str) -> str:
        return self.text


def resumed(found: ToldWorkflows, **changes: Any) -> Any:
    """Resume with what most tests want."""
    wanted = {"step": None, "values": {"why": "ok"}, "by": "Ana", "refuse": None}
    return resume(found, FakeClock(), "w-1", **{**wanted, "check": lambda _: None, **changes})


@pytest.mark.parametrize(
    ("template", "given", "words"),
    [
        ("promot", {}, "did you mean promote?"),
        ("other", {}, "there are promote"),
        ("promote", {"environmnt": "prod"}, "did you mean environment?"),
        ("promote", {}, "-p environment=…"),
        ("promote", {"environment": "dev"}, "one of test, prod"),
    ],
)
def test_submission_is_checked_first(template: str, given: dict[str, str], words: str) -> None:
    """What the template does not take, or lacks, is said before anything is made."""
    found = ToldWorkflows()

    with pytest.raises((NotFound, UsageError)) as caught:
        submit(found, template, given, intent="1")

    assert words in f"{caught.value.message} {caught.value.hint}"
    assert [] == found.sent


def test_dry_run_submits_nothing() -> None:
    """A dry run returns what would be sent."""
    found = ToldWorkflows()

    run, wanted = submit(found, "promote", {"environment": "prod"}, intent="1", dry_run=True)

    assert run is None
    assert {"name": "promote"} == wanted["spec"]["workflowTemplateRef"]
    assert [] == found.sent


def test_parameters() -> None:
    """Values may hold anything, an equals sign included; names are given once."""
    assert {"a": "b=c", "d": ""} == read_parameters(["a=b=c", "d="])
    for words in (["a"], ["=b"], ["a=1", "a=2"]):
        with pytest.raises(UsageError):
            read_parameters(words)


def test_follow_tells_each_step_once() -> None:
    """Steps are told as they change; a server that is away for a moment is asked again; logs of
    what failed are cut to their end."""
    later = workflow()
    later["status"]["nodes"]["a"] |= {"phase": "Failed"}
    done = deepcopy(later)
    done["status"]["phase"] = "Failed"
    found = ToldWorkflows(workflow(), Unavailable("away"), workflow(), later, done)
    found.text = "".join(f"line {i}\n" for i in range(30))
    said: list[tuple[str, str]] = []
    logged: list[str] = []
    teller = WorkflowTeller(
        found, lambda _, step: said.append((step.name, step.phase)), logged.append, logs=False
    )

    ended = follow(found, FakeClock(), "w-1", 60, teller)

    assert "Failed" == ended.phase
    assert [
        ("bump(0:dev)", "Succeeded"),
        ("approve", "Running"),
        ("bump(0:dev)", "Failed"),
    ] == said
    assert ["(10 lines before these; --logs shows all)", "line 10", "line 29"] == [
        *logged[:2],
        logged[-1],
    ]


def test_follow_says_whom_it_waits_for() -> None:
    """Out of time, the way on is said: somebody has to resume it."""
    teller = WorkflowTeller(ToldWorkflows(), lambda *_: None, lambda _: None, logs=False)

    with pytest.raises(TimedOut) as caught:
        follow(ToldWorkflows(workflow()), FakeClock(), "w-1", 5, teller)

    assert "gitops workflow resume w-1" in str(caught.value.hint)


def test_stop_twice_is_once() -> None:
    """One that ended, or is asked already, is left alone; terminate goes further than stop."""
    stopping = workflow()
    stopping["spec"]["shutdown"] = "Stop"
    for answer, terminate, wanted in (
        (workflow(), False, True),
        (stopping, False, False),
        (stopping, True, True),
        (workflow(phase="Succeeded"), True, False),
    ):
        found = ToldWorkflows(answer)
        assert wanted is stop(found, "w-1", terminate=terminate)[1]
        assert wanted is bool(found.sent)


def test_retry() -> None:
    """Pods of what failed go before it runs again: the new ones have their names."""
    found = ToldWorkflows(failed())

    _, steps = retry(found, "w-1")

    assert ["drop", "put"] == [verb for verb, _ in found.sent]
    assert 3 == len(steps)
    for answer in (workflow(), workflow(phase="Succeeded")):
        with pytest.raises(Refused):
            retry(ToldWorkflows(answer), "w-1")


def test_resume_gives_every_output() -> None:
    """Values and defaults are all written, on what was read newest; a conflict is tried again."""
    found = ToldWorkflows(workflow())
    found.conflicts = 1

    _, steps = resumed(found)

    assert ["approve"] == [one.name for one in steps]
    assert 2 == len(found.sent)
    node = found.sent[-1][1]["status"]["nodes"]["b"]
    assert "resumed by Ana" == node["message"]
    assert [
        {"name": "decision", "value": "no"},
        {"name": "who", "value": "nobody"},
        {"name": "why", "value": "ok"},
    ] == node["outputs"]["parameters"]


@pytest.mark.parametrize(
    ("answer", "changes", "words"),
    [
        (workflow(), {"values": {}}, "-p why=…"),
        (workflow(), {"values": {"why": "", "when": ""}}, "it takes decision, who, why"),
        (workflow(), {"step": "other"}, "those wait: approve"),
        (workflow(phase="Succeeded"), {}, "nothing to resume: Succeeded"),
    ],
)
def test_what_cannot_be_resumed(answer: Any, changes: dict[str, Any], words: str) -> None:
    """Nothing is sent, and the way out is said."""
    found = ToldWorkflows(answer)

    with pytest.raises((UsageError, Refused)) as caught:
        resumed(found, **changes)

    assert words in f"{caught.value.message} {caught.value.hint}"
    assert [] == found.sent


def test_approval_is_asked_of_git() -> None:
    """An approval goes on only when the check lets it; a refusal always may."""

    def check(step: WorkflowStep) -> None:
        raise Refused(f"{step.inputs['environment']} waits")

    found = ToldWorkflows(workflow())
    with pytest.raises(Refused, match="prod waits"):
        resumed(found, check=check)
    assert [] == found.sent

    resumed(found, check=check, refuse="not tonight")
    assert "refused by Ana: not tonight" == found.sent[0][1]["status"]["nodes"]["b"]["message"]


class Place:
    """A folder that has some files."""

    def __init__(self, *names: str) -> None:
        self.there = names
        self.written: dict[str, bytes] = {}

    def describe(self) -> str:
        return "workflows"

    def taken(self, paths: Sequence[str]) -> tuple[str, ...]:
        return tuple(one for one in paths if one in self.there)

    def write_new(self, files: Mapping[str, bytes]) -> None:
        self.written = dict(files)

    def origin(self) -> str | None:
        return None


def test_begin_overwrites_nothing() -> None:
    """Files that stand there end it before anything is written, and so does a missing address."""
    settings = {"repository": "", "namespace": "argo", "service_account": "g", "secret": "g"}
    for place, origin, error in (
        (Place("a.yaml"), "https://git.example.com/m.git", Refused),
        (Place(), None, UsageError),
    ):
        with pytest.raises(error):
            begin(place, settings, lambda _: {"a.yaml": b""}, origin=origin, dry_run=False)
        assert {} == place.written
    place = Place()
    seen: list[Mapping[str, str]] = []

    def make(found: Mapping[str, str]) -> dict[str, bytes]:
        seen.append(found)
        return {"a.yaml": b"x"}

    begin(place, settings, make, origin="https://git.example.com/m.git", dry_run=False)
    assert {"a.yaml": b"x"} == place.written
    assert "https://git.example.com/m.git" == seen[0]["repository"]
