"""A WorkflowTemplate submitted: its parameters are checked before anything is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitops.core.text.plain import nearest_word
from gitops.core.unstructured import table, tables, text
from gitops.core.workflows.change import submission
from gitops.core.workflows.run import WorkflowRun, read_run
from gitops.errors import NotFound, UsageError
from gitops.ports.workflows import Workflows


def read_parameters(words: Sequence[str]) -> dict[str, str]:
    """Read `NAME=VALUE` words. Raises UsageError for one that is none, or given twice."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"{word!r} is no parameter", hint="write -p NAME=VALUE")
        if name in found:
            raise UsageError(f"{name} is given twice")
        found[name] = value
    return found


def submit(
    workflows: Workflows,
    template: str,
    parameters: Mapping[str, str],
    *,
    intent: str,
    dry_run: bool = False,
) -> tuple[WorkflowRun | None, Mapping[str, Any]]:
    """Submit a WorkflowTemplate; return its run (None for a dry run), and what was sent.

    Raises NotFound (no such template), UsageError (a parameter that it does not take, or one that
    it needs), and what the port raises.
    """
    known = {text(table(one, "metadata"), "name"): one for one in workflows.templates()}
    if template not in known:
        raise NotFound(
            f"there is no WorkflowTemplate {template} in {workflows.place}",
            hint=_instead(template, known),
        )
    _check(template, known[template], parameters)
    wanted = submission(template, parameters, namespace=workflows.namespace, intent=intent)
    if dry_run:
        return None, wanted
    return read_run(workflows.submit(wanted)), wanted


def _check(template: str, found: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
    rows = tables(table(found, "spec", "arguments"), "parameters")
    takes = {text(one, "name"): one for one in rows}
    for name in parameters:
        if name not in takes:
            like = nearest_word(name, takes)
            names = ", ".join(takes) or "none"
            raise UsageError(
                f"{template} takes no parameter {name}",
                hint=f"did you mean {like}?" if like else f"it takes: {names}",
            )
    lacking = [
        name
        for name, one in takes.items()
        if name not in parameters and "value" not in one and "valueFrom" not in one
    ]
    if lacking:
        raise UsageError(
            f"{template} needs {', '.join(lacking)}",
            hint=" ".join(f"-p {name}=…" for name in lacking),
        )
    for name, value in parameters.items():
        allowed = [str(one) for one in takes[name].get("enum") or ()]
        if allowed and value not in allowed:
            raise UsageError(f"{name} is one of {', '.join(allowed)}, not {value}")


def _instead(template: str, known: Mapping[str, object]) -> str:
    if not known:
        return (
            "`gitops workflow init --image IMAGE --repo-url URL` writes some; "
            "kubectl apply -f puts them there"
        )
    like = nearest_word(template, known)
    return f"did you mean {like}?" if like else f"there are {', '.join(sorted(known)[:10])}"
